/** Why a call did not work: one class for all adapters, read from whatever form a back end gives it. */

import type { Failure } from "./types.ts";

export class Refused extends Error implements Failure {
  override readonly name = "Refused";
  readonly kind: string;
  readonly retry_after_ms?: number;
  readonly limit?: string;
  readonly turn?: string;

  constructor(facts: Failure) {
    super(facts.message);
    this.kind = facts.kind;
    if (facts.retry_after_ms !== undefined) this.retry_after_ms = facts.retry_after_ms;
    if (facts.limit !== undefined) this.limit = facts.limit;
    if (facts.turn !== undefined) this.turn = facts.turn;
  }
}

/** The connection is gone, or there is none: the same call may work later. */
export function offline(message = "the server cannot be reached"): Refused {
  return new Refused({ kind: "offline", message });
}

/** Whether the same may be tried again at once: the server is not there, is going, or another replica will take it. */
export function isGone(error: unknown): boolean {
  return error instanceof Refused && (error.kind === "offline" || error.kind === "closed");
}

type Fields = Record<string, unknown>;

function fields(value: unknown): Fields | null {
  return typeof value === "object" && value !== null && !Array.isArray(value) ? (value as Fields) : null;
}

/** The engine's error, as it stands in an answer's body, an event or a frame; `null` for what is none. */
export function readFailure(value: unknown): Refused | null {
  const found = fields(value);
  const error = fields(found?.error) ?? found;
  if (typeof error?.kind !== "string") return null;
  const facts: Failure = { kind: error.kind, message: typeof error.message === "string" ? error.message : error.kind };
  if (typeof error.retry_after_ms === "number") facts.retry_after_ms = error.retry_after_ms;
  if (typeof error.turn === "string") facts.turn = error.turn;
  const limit = typeof error.limit === "string" ? error.limit : fields(error.limit)?.name;
  if (typeof limit === "string") facts.limit = limit;
  return new Refused(facts);
}

const KINDS: Record<number, string> = {
  400: "invalid_input",
  401: "unauthorized",
  403: "refused",
  404: "not_found",
  409: "conflict",
  413: "invalid_input",
  422: "invalid_input",
  429: "limited",
  501: "unsupported",
};

/** What an answer that is no success says. A proxy's own 502 to 504 means that nobody is there. */
export async function refusal(response: Response): Promise<Refused> {
  const body: unknown = await response.json().catch(() => null);
  const engine = readFailure(body);
  if (engine) return engine;
  if ([502, 503, 504].includes(response.status)) return offline();
  const detail = fields(body)?.detail;
  const message = typeof detail === "string" ? detail : `the server answered ${response.status}`;
  const facts: Failure = { kind: KINDS[response.status] ?? "unexpected", message };
  const seconds = Number(response.headers.get("retry-after") ?? Number.NaN);
  if (Number.isFinite(seconds)) facts.retry_after_ms = seconds * 1000;
  return new Refused(facts);
}

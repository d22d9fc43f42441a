/** The errors: one class a kind, with what a program asks of them. */
import type { LimitInfo } from "./limits.js";

/** What went wrong. The names are stable and the same in every language. */
export type ErrorKind = keyof typeof TABLE;

/** An error as plain data: what events carry, what a failed message stores. */
export interface ErrorInfo {
  kind: ErrorKind;
  message: string;
  retryable: boolean;
  retry_after_ms?: number;
  turn?: string;
  limit?: LimitInfo;
}

/** What else an error says. */
export interface ErrorDetails {
  /** Whether the same call may succeed later, where the kind alone does not tell. */
  retryable?: boolean | undefined;
  /** Milliseconds that the other side asked to wait. */
  retryAfterMs?: number | undefined;
  /** The turn that this is about; the running one if a session is busy. */
  turn?: string | undefined;
  /** The limit that is reached. */
  limit?: LimitInfo | undefined;
  cause?: unknown;
}

/** What every call of this package fails with, except for an abort, which fails with the signal's reason. */
export abstract class CatgptError extends Error {
  abstract readonly code: ErrorKind;
  readonly #retryable: boolean | undefined;
  readonly retryAfterMs: number | undefined;
  readonly turn: string | undefined;
  readonly limit: LimitInfo | undefined;

  constructor(message: string, { retryable, retryAfterMs, turn, limit, cause }: ErrorDetails = {}) {
    super(message, cause === undefined ? undefined : { cause });
    this.#retryable = retryable;
    this.retryAfterMs = retryAfterMs;
    this.turn = turn;
    this.limit = limit;
  }

  override get name(): string {
    return TABLE[this.code].name;
  }

  /** Whether the same call may succeed if it is made again later. */
  get retryable(): boolean {
    return this.#retryable ?? RETRYABLE.has(this.code);
  }

  /** The HTTP status that says this to a client: 409 for a busy session. */
  get status(): number {
    return STATUS[this.code];
  }

  /** The same as plain data. */
  toJSON(): ErrorInfo {
    const info: ErrorInfo = { kind: this.code, message: this.message, retryable: this.retryable };
    if (this.retryAfterMs !== undefined) info.retry_after_ms = this.retryAfterMs;
    if (this.turn !== undefined) info.turn = this.turn;
    if (this.limit !== undefined) info.limit = this.limit;
    return info;
  }
}

/** Something was given that cannot be used. */
export class InvalidInputError extends CatgptError {
  readonly code = "invalid_input";
}
/** No such session, turn, message or persona for this owner. */
export class NotFoundError extends CatgptError {
  readonly code = "not_found";
}
/** Another turn runs in the session; `turn` names it. */
export class BusyError extends CatgptError {
  readonly code = "busy";
}
/** The session changed meanwhile, or an idempotency key was used for other content. */
export class ConflictError extends CatgptError {
  readonly code = "conflict";
}
/** The model refused the credentials, or none were given. */
export class UnauthorizedError extends CatgptError {
  readonly code = "unauthorized";
}
/** The model's rate limit or quota; see `retryAfterMs`. */
export class RateLimitedError extends CatgptError {
  readonly code = "rate_limited";
}
/** A limit of this engine's own is reached: `limit` says which, `retryAfterMs` when it opens at the latest. */
export class LimitedError extends CatgptError {
  readonly code = "limited";
}
/** Nothing arrived in time. */
export class TimeoutError extends CatgptError {
  readonly code = "timeout";
}
/** The model could not be reached, or failed on its side. */
export class UnavailableError extends CatgptError {
  readonly code = "unavailable";
}
/** The answer ended before it was whole. */
export class TruncatedError extends CatgptError {
  readonly code = "truncated";
}
/** The model or its provider refused to answer this. */
export class RefusedError extends CatgptError {
  readonly code = "refused";
}
/** The conversation does not fit into the model's context. */
export class ContextTooLongError extends CatgptError {
  readonly code = "context_too_long";
}
/** The durable store cannot be reached, is locked, or is damaged. */
export class StoreError extends CatgptError {
  readonly code = "store";
}
/** The durable store has no room left, or may not be written. */
export class StoreFullError extends CatgptError {
  readonly code = "store_full";
}
/** The backend cannot do this at all. */
export class UnsupportedError extends CatgptError {
  readonly code = "unsupported";
}
/** The engine is closing. */
export class ClosedError extends CatgptError {
  readonly code = "closed";
}
/** A defect or a state that should not exist; worth a report. */
export class UnexpectedError extends CatgptError {
  readonly code = "unexpected";
}

/**
 * What a tool throws to tell the model what went wrong. Of anything else the model hears the type's name alone: what it
 * says may be secret.
 */
export class ToolError extends Error {
  override readonly name = "ToolError";

  /** As the core is told. */
  toJSON(): ErrorInfo {
    return { kind: "refused", message: this.message, retryable: false };
  }
}

const TABLE = {
  invalid_input: InvalidInputError,
  not_found: NotFoundError,
  busy: BusyError,
  conflict: ConflictError,
  unauthorized: UnauthorizedError,
  rate_limited: RateLimitedError,
  limited: LimitedError,
  timeout: TimeoutError,
  unavailable: UnavailableError,
  truncated: TruncatedError,
  refused: RefusedError,
  context_too_long: ContextTooLongError,
  store: StoreError,
  store_full: StoreFullError,
  unsupported: UnsupportedError,
  closed: ClosedError,
  unexpected: UnexpectedError,
};

/** Both tables are the core's; a test compares them. */
const RETRYABLE = new Set<ErrorKind>(["busy", "rate_limited", "limited", "timeout", "unavailable", "truncated", "store"]);

const STATUS: Record<ErrorKind, number> = {
  invalid_input: 400,
  not_found: 404,
  busy: 409,
  conflict: 409,
  unauthorized: 502,
  rate_limited: 503,
  limited: 429,
  timeout: 504,
  unavailable: 503,
  truncated: 502,
  refused: 422,
  context_too_long: 413,
  store: 503,
  store_full: 507,
  unsupported: 501,
  closed: 503,
  unexpected: 500,
};

/** Every kind with its class. */
export const ERRORS: Readonly<Record<ErrorKind, new (message: string, details?: ErrorDetails) => CatgptError>> = TABLE;

/** The error that `info` describes. */
export function errorFrom(info: ErrorInfo, cause?: unknown): CatgptError {
  const { kind, message, retryable, retry_after_ms: retryAfterMs, turn, limit } = info;
  return new (TABLE[kind] ?? UnexpectedError)(message, { retryable, retryAfterMs, turn, limit, cause });
}

/** An HTTP answer for an error: its status, `{"error": …}` as JSON, and `retry-after`. What is not ours is thrown on. */
export function errorResponse(error: unknown): Response {
  if (!(error instanceof CatgptError)) throw error;
  const wait = error.retryAfterMs;
  const headers = new Headers(wait === undefined ? [] : [["retry-after", String(Math.ceil(wait / 1000))]]);
  return Response.json({ error }, { status: error.status, headers });
}

/** Makes the typed error of what the native half throws. */
export function crossing<T>(call: () => T): T {
  try {
    return call();
  } catch (error) {
    const info = error instanceof Error && error.message.startsWith("{") ? (JSON.parse(error.message) as ErrorInfo) : null;
    throw info ? errorFrom(info) : error;
  }
}

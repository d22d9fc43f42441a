/** Calls over HTTP: the token, the typed refusals, and trying again what may be repeated. */

import type { Auth } from "./auth.ts";
import { Backoff, pause } from "./backoff.ts";
import { isGone, offline, refusal } from "./failure.ts";
import type { Link } from "./link.ts";

export type Method = "GET" | "POST" | "PUT" | "PATCH" | "DELETE";
type Fetch = typeof globalThis.fetch;

export interface Call {
  body?: unknown;
  signal?: AbortSignal;
  headers?: Record<string, string>;
  /** May be done twice. GET, PUT, PATCH and DELETE may; a POST says so. */
  repeatable?: boolean;
}

const TRIES = 4;

export class Http {
  constructor(
    readonly base: string,
    readonly link: Link,
    readonly auth: Auth | null = null,
    private readonly fetch: Fetch = (input, init) => globalThis.fetch(input, init),
  ) {}

  /** One try. Throws a `Refused` for all but a success; `offline` if nobody answered. */
  async open(method: Method, path: string, call: Call = {}): Promise<Response> {
    const token = await this.auth?.token();
    let response = await this.#send(method, path, call, token);
    if (response.status === 401 && this.auth && token !== undefined) {
      response = await this.#send(method, path, call, await this.auth.renew(token));
    }
    if (response.ok) return response;
    throw await refusal(response);
  }

  /** An answer that is whole; what may be repeated is, for a few seconds. */
  async ask(method: Method, path: string, call: Call = {}): Promise<Response> {
    const tries = method !== "POST" || call.repeatable ? TRIES : 1;
    const backoff = new Backoff(200, 2_000);
    for (let left = tries; ; ) {
      try {
        return await this.open(method, path, call);
      } catch (error) {
        left -= 1;
        if (left === 0 || !isGone(error) || call.signal?.aborted) throw error;
        await pause(backoff.next(), call.signal ?? new AbortController().signal);
      }
    }
  }

  async json<T>(method: Method, path: string, call: Call = {}): Promise<T> {
    const response = await this.ask(method, path, call);
    return (await response.json().catch(() => Promise.reject(offline("the answer was cut off")))) as T;
  }

  async #send(method: Method, path: string, call: Call, token: string | undefined): Promise<Response> {
    const headers: Record<string, string> = { ...call.headers };
    if (token !== undefined) headers.authorization = `Bearer ${token}`;
    const init: RequestInit = { method, headers, credentials: "include", cache: "no-store" };
    if (call.body !== undefined) {
      headers["content-type"] = "application/json";
      init.body = JSON.stringify(call.body);
    }
    if (call.signal) init.signal = call.signal;
    try {
      const response = await this.fetch(this.base + path, init);
      this.link.up();
      return response;
    } catch (error) {
      if (call.signal?.aborted) throw error;
      this.link.down();
      throw offline();
    }
  }
}

/** A query, without what is not there: `""` or `?a=1&b=2`. */
export function query(fields: Record<string, string | number | boolean | null | undefined>): string {
  const given = Object.entries(fields).filter(([, value]) => value !== undefined && value !== null);
  const text = new URLSearchParams(given.map(([name, value]) => [name, String(value)])).toString();
  return text && `?${text}`;
}

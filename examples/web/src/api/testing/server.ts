/** A server in the place of `fetch`: what was asked, and answers that break where a test says. */

import { Auth } from "../auth.ts";
import { Http } from "../http.ts";
import { Link } from "../link.ts";
import type { Capabilities } from "../types.ts";

export interface Asked {
  method: string;
  path: string;
  query: URLSearchParams;
  body: Record<string, unknown>;
  headers: Headers;
}

export type Handler = (asked: Asked) => Response | Promise<Response>;

/** `fetch`, answered by a handler. A thrown error is a network that is not there. */
export function fakeFetch(handler: Handler): { fetch: typeof fetch; asked: Asked[] } {
  const asked: Asked[] = [];
  const fetch = async (input: RequestInfo | URL, init: RequestInit = {}) => {
    const url = new URL(String(input), "http://page.test");
    const body = typeof init.body === "string" ? (JSON.parse(init.body) as Asked["body"]) : {};
    const request = { method: init.method ?? "GET", path: url.pathname, query: url.searchParams, body, headers: new Headers(init.headers) };
    asked.push(request);
    init.signal?.throwIfAborted();
    return until(init.signal, await handler(request));
  };
  return { fetch, asked };
}

/** An abort breaks the body, as that of a browser does. */
function until(signal: AbortSignal | null | undefined, response: Response): Response {
  if (!signal || !response.body) return response;
  const { status, headers } = response;
  return new Response(response.body.pipeThrough(new TransformStream(), { signal }), { status, headers });
}

/** A body in chunks; it breaks in the end if it is told to. */
export function body(chunks: (string | Uint8Array)[], broken = false): ReadableStream<Uint8Array> {
  const encoder = new TextEncoder();
  let next = 0;
  return new ReadableStream({
    pull(controller) {
      const chunk = chunks[next++];
      if (chunk !== undefined) controller.enqueue(typeof chunk === "string" ? encoder.encode(chunk) : chunk);
      else if (broken) controller.error(new TypeError("network error"));
      else controller.close();
    },
  });
}

export function json(value: unknown, status = 200): Response {
  return Response.json(value, { status });
}

export function refused(kind: string, status: number, more: object = {}): Response {
  return json({ error: { kind, message: `it is ${kind}`, retryable: false, ...more } }, status);
}

export const CAPABILITIES: Capabilities = {
  app: "test",
  name: "Test",
  skin: "plain",
  transport: "sse",
  api: "/api/v1",
  auth: "none",
  features: [],
};

export function client(handler: Handler, auth: Auth | null = null) {
  const { fetch, asked } = fakeFetch(handler);
  const link = new Link();
  const http = new Http("http://page.test", link, auth, fetch);
  return { http, link, asked };
}

export function memoryStore() {
  const kept = new Map<string, string>();
  return {
    kept,
    getItem: (name: string) => kept.get(name) ?? null,
    setItem: (name: string, value: string) => void kept.set(name, value),
    removeItem: (name: string) => void kept.delete(name),
  };
}

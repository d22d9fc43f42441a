/**
 * Server-sent events over `fetch`: an `EventSource` can send neither a token nor a POST.
 * The format is that of https://html.spec.whatwg.org/multipage/server-sent-events.html.
 */

import { offline } from "./failure.ts";

export interface SseEvent {
  /** The last id that was sent. */
  id: string;
  data: string;
}

/** Takes bytes, cut anywhere, and gives events. */
export class SseParser {
  /** The last id, also of an event without data, which is shown to nobody. */
  lastId = "";
  readonly #decoder = new TextDecoder();
  #rest = "";
  #data: string[] = [];

  push(bytes: Uint8Array): SseEvent[] {
    this.#rest += this.#decoder.decode(bytes, { stream: true });
    const events: SseEvent[] = [];
    for (let line = this.#line(); line !== null; line = this.#line()) {
      const event = this.#take(line);
      if (event) events.push(event);
    }
    return events;
  }

  /** The next whole line. A CR at the very end waits: it may be half of a CRLF. */
  #line(): string | null {
    const end = this.#rest.search(/\r\n|\n|\r(?!$)/);
    if (end < 0) return null;
    const line = this.#rest.slice(0, end);
    this.#rest = this.#rest.slice(end + (this.#rest.startsWith("\r\n", end) ? 2 : 1));
    return line;
  }

  #take(line: string): SseEvent | null {
    if (line === "") return this.#dispatch();
    const colon = line.indexOf(":");
    if (colon === 0) return null;
    const name = colon < 0 ? line : line.slice(0, colon);
    const value = colon < 0 ? "" : line.slice(colon + 1).replace(/^ /, "");
    if (name === "data") this.#data.push(value);
    if (name === "id" && !value.includes("\0")) this.lastId = value;
    return null;
  }

  #dispatch(): SseEvent | null {
    if (this.#data.length === 0) return null;
    const data = this.#data.join("\n");
    this.#data = [];
    return { id: this.lastId, data };
  }
}

/** Chunks of a body until it ends; a broken or silent one is `offline`. Leaving the loop closes the connection. */
export async function* chunks(body: ReadableStream<Uint8Array>, idleMs = Infinity): AsyncGenerator<Uint8Array> {
  const reader = body.getReader();
  try {
    for (;;) {
      const { done, value } = await withIn(idleMs, reader.read());
      if (done) return;
      yield value;
    }
  } catch (error) {
    throw error instanceof Error && error.name === "AbortError" ? error : offline("the connection broke");
  } finally {
    // A reader of a broken stream cannot be cancelled, and needs not to be.
    reader.cancel().catch(() => {});
  }
}

/** How long a stream of events may be silent: the server fills silence every 15 s. */
export const IDLE_MS = 45_000;

/** The events of a body. */
export async function* events(
  body: ReadableStream<Uint8Array>,
  parser = new SseParser(),
  idleMs = IDLE_MS,
): AsyncGenerator<SseEvent> {
  for await (const bytes of chunks(body, idleMs)) yield* parser.push(bytes);
}

function withIn<T>(ms: number, promise: Promise<T>): Promise<T> {
  if (!Number.isFinite(ms)) return promise;
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(offline("the connection is silent")), ms);
    promise.then(resolve, reject).finally(() => clearTimeout(timer));
  });
}

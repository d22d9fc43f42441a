/** A reply's bytes on their way: as a web stream, and into a response of Node. */
import { native } from "./native.js";

/**
 * What a reply can be sent as: server-sent events, the AI SDK's stream, JSON lines, frames of a web socket, its text alone. What
 * belongs to each (headers, signs of life) is the core's.
 */
export type Format = "sse" | "ui_message_stream" | "ndjson" | "ws" | "text";

/** How events are cut into writes. What is left out is as the core has it. */
export interface PaceOptions {
  /** Milliseconds of silence (15 000) before a sign of life; 0 for none. */
  keepAliveMs?: number | undefined;
  /** Milliseconds between two writes at least (20); what comes meanwhile goes in one. The first is never delayed. */
  minIntervalMs?: number | undefined;
}

/** How events become bytes. */
export interface ByteOptions extends PaceOptions {
  /** `sse`, unless told otherwise. */
  format?: Format | undefined;
}

/** What is used of a `ServerResponse`. */
export interface ServerResponseLike {
  readonly headersSent: boolean;
  readonly destroyed: boolean;
  hasHeader(name: string): boolean;
  setHeader(name: string, value: string): unknown;
  flushHeaders(): void;
  write(chunk: Uint8Array): boolean;
  end(): unknown;
  once(event: "close" | "drain", listener: () => void): unknown;
  off(event: "close" | "drain", listener: () => void): unknown;
}

export const HEADERS = JSON.parse(native.headers()) as Record<Format, Record<string, string>>;

/** A stream that is read no faster than asked for; `undefined` ends it. */
export function streamOf<T>(next: () => Promise<T | undefined>, end: () => void): ReadableStream<T> {
  const pull = async (controller: ReadableStreamDefaultController<T>) => {
    const value = await next();
    if (value === undefined) controller.close();
    else controller.enqueue(value);
  };
  return new ReadableStream<T>({ pull, cancel: end }, { highWaterMark: 0 });
}

/** Writes until there is no more, or until nobody is there; `end` is called when the client has gone. */
export async function writeTo(
  response: ServerResponseLike,
  headers: Readonly<Record<string, string>>,
  next: () => Promise<Uint8Array | undefined>,
  end: () => void,
): Promise<void> {
  response.once("close", end);
  try {
    if (!response.headersSent) head(response, headers);
    for (let bytes = await next(); bytes && !response.destroyed; bytes = await next()) {
      if (!response.write(bytes)) await drained(response);
    }
    response.end();
  } finally {
    response.off("close", end);
    end();
  }
}

function head(response: ServerResponseLike, headers: Readonly<Record<string, string>>): void {
  for (const [name, value] of Object.entries(headers)) {
    if (!response.hasHeader(name)) response.setHeader(name, value);
  }
  response.flushHeaders();
}

function drained(response: ServerResponseLike): Promise<void> {
  return new Promise((resolve) => {
    const done = () => {
      response.off("drain", done);
      response.off("close", done);
      resolve();
    };
    response.once("drain", done);
    response.once("close", done);
  });
}

/** Server-sent events on their way: as a web stream, and into a response of Node. */

/** How events are cut into writes. */
export interface SseOptions {
  /** Milliseconds of silence before a keep-alive comment. */
  keepAliveMs?: number | undefined;
  /** Milliseconds between two writes at least; what comes meanwhile goes in one. The first is never delayed. */
  minIntervalMs?: number | undefined;
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

export const SSE_HEADERS = {
  "content-type": "text/event-stream; charset=utf-8",
  "cache-control": "no-cache, no-transform",
  "x-accel-buffering": "no",
};

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
  next: () => Promise<Uint8Array | undefined>,
  end: () => void,
): Promise<void> {
  response.once("close", end);
  try {
    if (!response.headersSent) head(response);
    for (let bytes = await next(); bytes && !response.destroyed; bytes = await next()) {
      if (!response.write(bytes)) await drained(response);
    }
    response.end();
  } finally {
    response.off("close", end);
    end();
  }
}

function head(response: ServerResponseLike): void {
  for (const [name, value] of Object.entries(SSE_HEADERS)) {
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

/** A live subscription to a turn. The turn does not depend on it. */
import type { Event, Finished, TurnId } from "./data.js";
import { InvalidInputError, errorFrom, type ErrorInfo } from "./errors.js";
import { END, Feed, taken, type Source, type Step } from "./feed.js";
import { hub } from "./hub.js";
import { native } from "./native.js";
import { spelled, type CallOptions } from "./options.js";
import { HEADERS, streamOf, writeTo, type ByteOptions, type PaceOptions, type ServerResponseLike } from "./encoded.js";

/**
 * A live subscription to a turn: events that end after `finished`, which always comes. Iterating does not fail with the
 * turn; `text()` and `result()` do. Leaving it (`break`, `return()`, an abort) ends the subscription, not the turn.
 */
export class Reply implements AsyncIterableIterator<Event, undefined> {
  readonly turn: TurnId;
  readonly session: string;
  readonly #source: Source;
  readonly #feed: Feed;
  #reader: "next" | "loop" | "text" | "bytes" | undefined;

  /** @internal */
  constructor(source: Source) {
    this.turn = source.turn;
    this.session = source.session;
    this.#source = source;
    this.#feed = new Feed(source);
  }

  next(): Promise<Step> {
    if (this.#reader === "text" || this.#reader === "bytes") return Promise.reject(taken());
    this.#reader ??= "next";
    return this.#feed.step();
  }

  /** Ends the subscription. */
  return(): Promise<Step> {
    this.#feed.end();
    return Promise.resolve(END);
  }

  [Symbol.asyncIterator](): this {
    this.#claim("loop");
    return this;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#feed.end();
  }

  /** Reads to the end and returns all text from here on. */
  async text(): Promise<string> {
    let text = "";
    await this.#finish((event) => {
      if (event.type === "text") text += event.text;
    });
    return text;
  }

  /** Reads to the end and returns how the turn ended. */
  result(): Promise<Finished> {
    return this.#finish(() => {});
  }

  /** Stops the turn, wherever it runs. The text so far is kept, and the events go on to the last one. */
  async cancel({ signal }: CallOptions = {}): Promise<void> {
    const { engine, owner } = this.#source;
    await hub().call(engine, { do: "cancel", owner, turn: this.turn }, signal);
  }

  /** The events as a web stream. Cancelling it ends the subscription. */
  toReadableStream(): ReadableStream<Event> {
    this.#claim("loop");
    return streamOf(async () => (await this.#feed.step()).value, () => this.#feed.end());
  }

  /** The bytes of a format, as a web stream: `sse`, unless told otherwise. */
  toByteStream(options: ByteOptions = {}): ReadableStream<Uint8Array> {
    return streamOf(this.#bytes(options), () => this.#feed.end());
  }

  /** A web `Response` with the headers of its format: `sse`, unless told otherwise. */
  toResponse({ headers, format = "sse", keepAliveMs, minIntervalMs, ...init }: ResponseInit & ByteOptions = {}): Response {
    const body = this.toByteStream({ format, keepAliveMs, minIntervalMs });
    const all = new Headers(headers);
    for (const [name, value] of Object.entries(HEADERS[format])) if (!all.has(name)) all.set(name, value);
    return new Response(body, { ...init, headers: all });
  }

  /** Writes to a response of Node, Express or Fastify (`reply.raw`), until the end or the client goes. */
  async pipeTo(response: ServerResponseLike, options: ByteOptions = {}): Promise<void> {
    await writeTo(response, HEADERS[options.format ?? "sse"], this.#bytes(options), () => this.#feed.end());
  }

  /** A web `Response` that the AI SDK's `useChat` reads, versions 5 to 7. */
  toUIMessageStreamResponse(init: ResponseInit & PaceOptions = {}): Response {
    return this.toResponse({ ...init, format: "ui_message_stream" });
  }

  /** The same into a response of Node, Express or Fastify. */
  pipeUIMessageStreamToResponse(response: ServerResponseLike, options: PaceOptions = {}): Promise<void> {
    return this.pipeTo(response, { ...options, format: "ui_message_stream" });
  }

  /** @internal The frames of a reply that was asked for by one. */
  async *frames(): AsyncGenerator<string, void> {
    this.#claim("bytes");
    const [next, decoder] = [this.#feed.bytes(), new TextDecoder()];
    try {
      for (let bytes = await next(); bytes; bytes = await next()) yield decoder.decode(bytes);
    } finally {
      this.#feed.end();
    }
  }

  #bytes(options: ByteOptions): () => Promise<Uint8Array | undefined> {
    this.#claim("bytes");
    return this.#feed.bytes(JSON.stringify(spelled(options)));
  }

  #claim(reader: "loop" | "text" | "bytes"): void {
    if (this.#reader !== undefined && (this.#reader !== "next" || reader === "bytes")) throw taken();
    this.#reader = reader;
  }

  async #finish(each: (event: Event) => void): Promise<Finished> {
    this.#claim("text");
    for (let step = await this.#feed.step(); !step.done; step = await this.#feed.step()) {
      if (step.value.type === "finished") return checked(step.value);
      each(step.value);
    }
    throw new InvalidInputError("this reply was read to its end, or left, before", { turn: this.turn });
  }
}

function checked(finished: Finished): Finished {
  const failure = native.failure(JSON.stringify(finished));
  if (failure === null) return finished;
  throw errorFrom(JSON.parse(failure) as ErrorInfo, (finished.error as { cause?: unknown } | undefined)?.cause);
}

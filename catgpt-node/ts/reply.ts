/** A live subscription to a turn. The turn does not depend on it. */
import type { Event, Finished, TurnId } from "./data.js";
import { InvalidInputError, errorFrom, type ErrorInfo } from "./errors.js";
import { END, Feed, taken, type Source, type Step } from "./feed.js";
import { hub } from "./hub.js";
import { native } from "./native.js";
import { spelled, type CallOptions } from "./options.js";
import { SSE_HEADERS, streamOf, writeTo, type ServerResponseLike, type SseOptions } from "./sse.js";

/**
 * A live subscription to a turn: events that end after `finished`, which always comes. Iterating does not fail with the
 * turn; `text()` and `result()` do. Leaving it (`break`, `return()`, an abort) ends the subscription, not the turn.
 */
export class Reply implements AsyncIterableIterator<Event, undefined> {
  readonly turn: TurnId;
  readonly session: string;
  readonly #source: Source;
  readonly #feed: Feed;
  #reader: "next" | "loop" | "text" | "sse" | undefined;

  /** @internal */
  constructor(source: Source) {
    this.turn = source.turn;
    this.session = source.session;
    this.#source = source;
    this.#feed = new Feed(source);
  }

  next(): Promise<Step> {
    if (this.#reader === "text" || this.#reader === "sse") return Promise.reject(taken());
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

  /** Server-sent events, `id: turn:offset`, with a comment after each 15 s of silence. */
  toSSEStream(options: SseOptions = {}): ReadableStream<Uint8Array> {
    return streamOf(this.#bytes(options), () => this.#feed.end());
  }

  /** A web `Response` of server-sent events. */
  toResponse({ headers, ...init }: ResponseInit & SseOptions = {}): Response {
    const { keepAliveMs, minIntervalMs, ...rest } = init;
    const all = new Headers(headers);
    for (const [name, value] of Object.entries(SSE_HEADERS)) if (!all.has(name)) all.set(name, value);
    return new Response(this.toSSEStream({ keepAliveMs, minIntervalMs }), { ...rest, headers: all });
  }

  /** Writes server-sent events to a response of Node, Express or Fastify (`reply.raw`), until the end or the client goes. */
  async pipeTo(response: ServerResponseLike, options: SseOptions = {}): Promise<void> {
    await writeTo(response, this.#bytes(options), () => this.#feed.end());
  }

  #bytes(options: SseOptions): () => Promise<Uint8Array | undefined> {
    this.#claim("sse");
    return this.#feed.bytes(JSON.stringify(spelled(options)));
  }

  #claim(reader: "loop" | "text" | "sse"): void {
    if (this.#reader !== undefined && (this.#reader !== "next" || reader === "sse")) throw taken();
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

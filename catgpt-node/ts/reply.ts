/** A live subscription to a turn. The turn does not depend on it. */
import { onAbortOf } from "./abort.js";
import { causeOfTurn } from "./causes.js";
import type { Event, Finished, TurnId } from "./data.js";
import { CatgptError, InvalidInputError, TruncatedError, crossing, errorFrom } from "./errors.js";
import { hub, type Arrived } from "./hub.js";
import type { NativeEngine } from "./native.js";
import { spelled, type CallOptions } from "./options.js";
import { STREAK, breathe } from "./pace.js";
import { SSE_HEADERS, streamOf, writeTo, type ServerResponseLike, type SseOptions } from "./sse.js";

/** Where a reply comes from. */
export interface Source extends Arrived {
  engine: NativeEngine;
  owner: string | null;
  signal: AbortSignal | undefined;
}

type Step = IteratorResult<Event, undefined>;
const END: Step = { done: true, value: undefined };

/**
 * A live subscription to a turn: events that end after `finished`, which always comes. Iterating does not fail with the
 * turn; `text()` and `result()` do. Leaving it (`break`, `return()`, an abort) ends the subscription, not the turn.
 */
export class Reply implements AsyncIterableIterator<Event, undefined> {
  readonly turn: TurnId;
  readonly session: string;
  readonly #source: Source;
  readonly #unwatch: () => void;
  #batch: Event[] = [];
  #at = 0;
  /** How many more ready events before others have their turn. */
  #streak = STREAK;
  #reader: "next" | "loop" | "text" | "sse" | undefined;
  #asking = false;
  #over = false;
  #abort: { reason: unknown } | undefined;

  /** @internal */
  constructor(source: Source) {
    this.turn = source.turn;
    this.session = source.session;
    this.#source = source;
    const { signal } = source;
    this.#unwatch = onAbortOf(this, signal, (reply) => reply.#end({ reason: signal?.reason }));
    if (signal?.aborted) this.#end({ reason: signal.reason });
  }

  next(): Promise<Step> {
    if (this.#reader === "text" || this.#reader === "sse") return Promise.reject(taken());
    this.#reader ??= "next";
    return this.#step();
  }

  /** Ends the subscription. */
  return(): Promise<Step> {
    this.#end();
    this.#batch = [];
    return Promise.resolve(END);
  }

  [Symbol.asyncIterator](): this {
    this.#claim("loop");
    return this;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#end();
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
    return streamOf(async () => (await this.#step()).value, () => this.#end());
  }

  /** Server-sent events, `id: turn:offset`, with a comment after each 15 s of silence. */
  toSSEStream(options: SseOptions = {}): ReadableStream<Uint8Array> {
    const next = this.#bytes(options);
    return streamOf(next, () => this.#end());
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
    await writeTo(response, this.#bytes(options), () => this.#end());
  }

  #claim(reader: "loop" | "text" | "sse"): void {
    if (this.#reader !== undefined && (this.#reader !== "next" || reader === "sse")) throw taken();
    this.#reader = reader;
  }

  async #finish(each: (event: Event) => void): Promise<Finished> {
    this.#claim("text");
    for (let step = await this.#step(); !step.done; step = await this.#step()) {
      if (step.value.type === "finished") return checked(step.value);
      each(step.value);
    }
    throw new InvalidInputError("this reply was read to its end, or left, before", { turn: this.turn });
  }

  #step(): Promise<Step> {
    const value = this.#batch[this.#at];
    if (value === undefined || --this.#streak < 0) return this.#more();
    this.#at++;
    return Promise.resolve({ value, done: false });
  }

  async #more(): Promise<Step> {
    return this.#alone(async () => {
      if (this.#streak < 0) this.#streak = (await breathe(), STREAK);
      while (this.#at >= this.#batch.length && !this.#over) this.#fill(this.#poll() ?? (await this.#park()));
      this.#rethrow();
      const value = this.#batch[this.#at++];
      return value === undefined ? END : { value, done: false };
    });
  }

  #park(): Promise<Event[] | null> {
    this.#streak = STREAK;
    return hub().park(this.#source.id);
  }

  #poll(): Event[] | null {
    const json = crossing(() => this.#source.stream.poll());
    return json === null ? null : (JSON.parse(json) as Event[]);
  }

  /** Takes a batch; an empty one is the end, and so is the last event. */
  #fill(events: Event[] | null): void {
    if (events === null || this.#over) return;
    const last = events.at(-1);
    if (last === undefined || last.type === "finished") this.#end();
    if (last?.type === "finished" && last.error) attach(last.error, causeOfTurn(this.turn));
    [this.#batch, this.#at] = [events, 0];
  }

  #bytes(options: SseOptions): () => Promise<Uint8Array | undefined> {
    this.#claim("sse");
    const { stream, id } = this.#source;
    crossing(() => stream.beginSse(JSON.stringify(spelled(options))));
    return async () => {
      let bytes: Uint8Array | null = null;
      while (!this.#over && (bytes = stream.pollSse()) === null) await hub().park(id);
      this.#rethrow();
      if (bytes?.length) return bytes;
      this.#end();
      return undefined;
    };
  }

  /** Two that wait for the next event would each get half of them. */
  async #alone<T>(step: () => Promise<T>): Promise<T> {
    if (this.#asking) throw taken();
    this.#asking = true;
    try {
      return await step();
    } finally {
      this.#asking = false;
    }
  }

  #rethrow(): void {
    const abort = this.#abort;
    this.#abort = undefined;
    if (abort) throw abort.reason;
  }

  #end(abort?: { reason: unknown }): void {
    if (this.#over) return;
    [this.#over, this.#abort, this.#batch] = [true, abort, []];
    this.#unwatch();
    this.#source.stream.close();
    hub().unpark(this.#source.id);
  }
}

function checked(finished: Finished): Finished {
  const { status, error } = finished;
  if (error) throw errorFrom(error, (error as { cause?: unknown }).cause);
  if (status === "failed" || status === "interrupted") {
    throw new TruncatedError("the turn ended before the answer was whole");
  }
  return finished;
}

/** What was thrown stands beside the error, and not in its JSON. */
function attach(error: object, cause: unknown): void {
  if (cause !== undefined) Object.defineProperty(error, "cause", { value: cause });
}

function taken(): CatgptError {
  return new InvalidInputError("this reply has a reader; attach to its turn for another");
}

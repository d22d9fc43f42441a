/** This event loop's place at the engine: who waits for what, and the one wake that brings it. */
import { onAbort } from "./abort.js";
import { InvalidInputError, crossing, errorFrom, type ErrorInfo } from "./errors.js";
import { causeOf } from "./causes.js";
import type { OnProgress, Progress } from "./options.js";
import { native, type NativeCall, type NativeEngine, type NativeHub, type NativeServed, type NativeStream } from "./native.js";

/** A call's answer: data, a turn to watch, or a response of the HTTP API. */
export type Answer = { data: unknown } | Arrived | Served;

/** A response, and the number under which there is news of its body. */
export interface Served {
  id: number;
  served: NativeServed;
}

/** A turn to watch. */
export interface Arrived {
  id: number;
  stream: NativeStream;
  turn: string;
  session: string;
}

/** Where the application's own code is asked. */
export interface Asked {
  answer(question: number, method: string, body: unknown, signal: AbortSignal): Promise<void>;
}

/** A bare number is a stream or a question that has news. */
type News =
  | number
  | { is: "reply"; id: number; stream: number; turn: string; session: string }
  | { is: "served"; id: number; served: number }
  | { is: "data"; id: number; data: unknown }
  | { is: "failed"; id: number; error: ErrorInfo; cause: number | null }
  | { is: "ask"; desk: number; id: number; method: string; body: unknown }
  | { is: "forget"; id: number }
  | ({ is: "log" } & LogRecord);

/** How much of the log is wanted, the least first. */
const LEVELS = ["error", "warn", "info", "debug"] as const;
export type LogLevel = (typeof LEVELS)[number];

/** A line of the core's log. No text of a message stands in it, no key and no owner. */
export interface LogRecord {
  level: LogLevel;
  /** Which part of the core speaks. */
  target: string;
  message: string;
  /** What stands beside it: `turn`, `status`, `error.type`. */
  fields: Record<string, string | number | boolean>;
}

interface Waiting {
  resolve(answer: Answer): void;
  reject(error: unknown): void;
}

class Hub {
  readonly native: NativeHub = new native.Hub(() => this.#drain());
  readonly desks = new Map<number, Asked>();
  readonly #calls = new Map<number, Waiting>();
  readonly #parked = new Map<number, () => void>();
  /** Streams that had news while nobody waited for them. */
  readonly #rung = new Set<number>();
  readonly #listeners = new Map<object, { level: LogLevel; tell: (record: LogRecord) => void }>();
  readonly #questions = new Map<number, AbortController>();
  /** The wake does not keep the process alive; this does, while somebody waits. */
  readonly #alive = setInterval(() => {}, 2 ** 30).unref();

  /** Makes a call. An abort leaves nothing, or a turn that runs. */
  async call(engine: NativeEngine, call: object, signal?: AbortSignal, onProgress?: OnProgress): Promise<Answer> {
    signal?.throwIfAborted();
    const watched = onProgress ? { ...call, watch: true } : call;
    const ticket = crossing(() => engine.call(this.native, JSON.stringify(watched)));
    if (!onProgress) return this.#answer(ticket, signal);
    const failed = new AbortController();
    const look = () => {
      this.park(ticket.watch, look);
      const progress = ticket.progress();
      try {
        if (progress) onProgress(JSON.parse(progress) as Progress);
      } catch (error) {
        failed.abort(error);
      }
    };
    this.park(ticket.watch, look);
    try {
      return await this.#answer(ticket, signal ? AbortSignal.any([signal, failed.signal]) : failed.signal);
    } finally {
      this.#take(this.#parked, ticket.watch);
      this.#rung.delete(ticket.watch);
    }
  }

  #answer(ticket: NativeCall, signal: AbortSignal | undefined): Promise<Answer> {
    return new Promise<Answer>((resolve, reject) => {
      const aborted = () => {
        ticket.abandon();
        this.#take(this.#calls, ticket.id);
        reject(signal?.reason);
      };
      const done = onAbort(signal, aborted);
      this.#keep(this.#calls, ticket.id, {
        resolve: (answer) => (done(), resolve(answer)),
        reject: (error) => (done(), reject(error)),
      });
    });
  }

  /** Waits for news of a stream or a question, once: look then. */
  park(id: number, look: () => void): void {
    this.#keep(this.#parked, id, look);
  }

  /** Ends a wait. */
  unpark(id: number): void {
    this.#take(this.#parked, id)?.();
  }

  /** Whether a stream had news since somebody waited for it. Asking, or being forgotten, takes the answer away. */
  rung(id: number): boolean {
    return this.#rung.delete(id);
  }

  /** Tells lines of the log from now on; gives what ends it. */
  listen(level: LogLevel, tell: (record: LogRecord) => void): () => void {
    if (!LEVELS.includes(level)) throw new InvalidInputError(`a level of the log is one of ${LEVELS.join(", ")}`);
    const key = {};
    this.#listeners.set(key, { level, tell });
    this.#tune();
    return () => void (this.#listeners.delete(key) && this.#tune());
  }

  #tune(): void {
    const wanted = [...this.#listeners.values()].map(({ level }) => LEVELS.indexOf(level));
    this.native.listen(wanted.length === 0 ? undefined : LEVELS[Math.max(...wanted)]);
  }

  #log({ level, target, message, fields }: LogRecord): void {
    const heard = [...this.#listeners.values()].filter((one) => LEVELS.indexOf(one.level) >= LEVELS.indexOf(level));
    for (const { tell } of heard) {
      try {
        tell({ level, target, message, fields });
      } catch (error) {
        // The process hears of it; what else has come must not be lost by it.
        queueMicrotask(() => {
          throw error;
        });
      }
    }
  }

  #drain(): void {
    for (const news of JSON.parse(this.native.drain()) as News[]) this.#hear(news);
  }

  #hear(news: News): void {
    if (typeof news === "number") return this.#parked.has(news) ? this.unpark(news) : void this.#rung.add(news);
    switch (news.is) {
      case "data":
        return this.#take(this.#calls, news.id)?.resolve({ data: news.data });
      case "failed":
        return this.#take(this.#calls, news.id)?.reject(errorFrom(news.error, causeOf(news.cause)));
      case "reply":
        return this.#arrived(news);
      case "served":
        return this.#served(news.id, news.served);
      case "ask":
        return void this.#ask(news.desk, news.id, news.method, news.body);
      case "forget":
        this.#questions.get(news.id)?.abort();
        return this.unpark(news.id);
      case "log":
        return this.#log(news);
    }
  }

  #arrived({ id: call, stream: id, turn, session }: Extract<News, { is: "reply" }>): void {
    const stream = this.native.take(id);
    const waiting = this.#take(this.#calls, call);
    if (waiting && stream) waiting.resolve({ id, stream, turn, session });
    else stream?.close();
  }

  #served(call: number, id: number): void {
    const served = this.native.takeServed(id);
    const waiting = this.#take(this.#calls, call);
    if (waiting && served) waiting.resolve({ id, served });
    else served?.close();
  }

  async #ask(desk: number, id: number, method: string, body: unknown): Promise<void> {
    const controller = new AbortController();
    this.#questions.set(id, controller);
    await this.desks.get(desk)?.answer(id, method, body, controller.signal);
    this.#questions.delete(id);
    this.#rung.delete(id);
  }

  #keep<T>(where: Map<number, T>, id: number, what: T): void {
    where.set(id, what);
    if (this.#calls.size + this.#parked.size === 1) this.#alive.ref();
  }

  #take<T>(where: Map<number, T>, id: number): T | undefined {
    const what = where.get(id);
    if (where.delete(id) && this.#calls.size + this.#parked.size === 0) this.#alive.unref();
    return what;
  }
}

let here: Hub | undefined;

/** One for each environment: the main thread has one, and each worker. */
export const hub = (): Hub => (here ??= new Hub());

/** A turn as it comes: read in batches, one waiter at a time, ended once. What `Reply` stands on. */
import { onAbortOf, onForgotten } from "./abort.js";
import { causeOfTurn } from "./causes.js";
import type { Event } from "./data.js";
import { CatgptError, InvalidInputError, crossing } from "./errors.js";
import { hub, type Arrived } from "./hub.js";
import type { NativeEngine } from "./native.js";
import { STREAK } from "./pace.js";

/** Where a reply comes from. */
export interface Source extends Arrived {
  engine: NativeEngine;
  owner: string | null;
  signal: AbortSignal | undefined;
}

export type Step = IteratorResult<Event, undefined>;
export const END: Step = { done: true, value: undefined };

interface Waiting {
  resolve(step: Step): void;
  reject(error: unknown): void;
}

export class Feed {
  readonly #source: Source;
  readonly #unwatch: () => void;
  #batch: Event[] = [];
  #at = 0;
  /** The news will tell of more: until then there is no need to look. */
  #drained = false;
  /** How many more ready events before others have their turn. */
  #streak = STREAK;
  #waiting: Waiting | undefined;
  #over = false;
  #failure: { reason: unknown } | undefined;

  constructor(source: Source) {
    const { id, signal } = source;
    this.#source = source;
    onForgotten(this, () => hub().rung(id));
    this.#unwatch = onAbortOf<Feed>(this, signal, (feed) => feed.end({ reason: signal?.reason }));
    if (signal?.aborted) this.end({ reason: signal.reason });
  }

  /** The next event. Written without `async`, since each promise in between costs as much as the event. */
  step(): Promise<Step> {
    const value = this.#batch[this.#at];
    if (value === undefined || --this.#streak < 0) return new Promise(this.#wait);
    this.#at++;
    return Promise.resolve({ value, done: false });
  }

  /** From here on it gives bytes; without an encoding it was begun to before. */
  bytes(encoding?: string): () => Promise<Uint8Array | undefined> {
    const { stream, id } = this.#source;
    if (encoding !== undefined) crossing(() => stream.beginBytes(encoding));
    return async () => {
      let bytes: Uint8Array | null = null;
      while (!this.#over && (bytes = stream.pollBytes()) === null) await new Promise<void>((resolve) => hub().park(id, resolve));
      if (bytes?.length) return bytes;
      this.end();
      const failure = this.#failed();
      if (failure) throw failure.reason;
      return undefined;
    };
  }

  /** Ends the subscription; who waits is told, and nothing that was not read is given any more. */
  end(failure?: { reason: unknown }): void {
    this.#batch = [];
    if (this.#over) return;
    this.#failure = failure;
    this.#close();
  }

  #close(): void {
    this.#over = true;
    this.#unwatch();
    this.#source.stream.close();
    hub().unpark(this.#source.id);
    hub().rung(this.#source.id);
  }

  readonly #wait = (resolve: Waiting["resolve"], reject: Waiting["reject"]): void => {
    // Two that wait for the next event would each get half of them.
    if (this.#waiting) return reject(taken());
    this.#waiting = { resolve, reject };
    if (this.#streak < 0) setImmediate(this.#answer);
    else this.#answer();
  };

  /** Answers who waits, with what has come or is there; else the news will do it. */
  readonly #answer = (): void => {
    try {
      while (this.#at >= this.#batch.length && !this.#over) if (!this.#fill()) return this.#park();
    } catch (reason) {
      this.end({ reason });
    }
    this.#settle();
  };

  #park(): void {
    this.#streak = STREAK;
    this.#drained = false;
    hub().park(this.#source.id, this.#answer);
  }

  #settle(): void {
    const waiting = this.#waiting;
    const failure = this.#failed();
    const value = this.#batch[this.#at++];
    this.#waiting = undefined;
    if (this.#streak < 0) this.#streak = STREAK;
    if (failure) waiting?.reject(failure.reason);
    else waiting?.resolve(value === undefined ? END : { value, done: false });
  }

  /** Takes a batch, if there is one; an empty one is the end, and so is the last event. */
  #fill(): boolean {
    const { id, stream } = this.#source;
    if (this.#drained && !hub().rung(id)) return false;
    const json = crossing(() => stream.poll());
    if (json === null) return false;
    const [drained, events] = JSON.parse(json) as [boolean, Event[]];
    this.#drained = drained;
    this.#batch = events;
    this.#at = 0;
    const last = events[events.length - 1];
    if (last?.type === "finished" && last.error) attach(last.error, causeOfTurn(this.#source.turn));
    if (last === undefined || last.type === "finished") this.#close();
    return true;
  }

  /** What the waiter is told instead of an event, once. */
  #failed(): { reason: unknown } | undefined {
    const failure = this.#failure;
    this.#failure = undefined;
    return failure;
  }
}

/** What was thrown stands beside the error, and not in its JSON. */
function attach(error: object, cause: unknown): void {
  if (cause !== undefined) Object.defineProperty(error, "cause", { value: cause });
}

export function taken(): CatgptError {
  return new InvalidInputError("this reply has a reader; attach to its turn for another");
}

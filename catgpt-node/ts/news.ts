/** The owner's feed: what happens to the owner's sessions, as it happens. */
import { onAbortOf } from "./abort.js";
import type { News } from "./data.js";
import { HEADERS, streamOf, writeTo, type ServerResponseLike } from "./encoded.js";
import { ClosedError, InvalidInputError } from "./errors.js";
import { native } from "./native.js";
import { spelled, type CallOptions } from "./options.js";
import type { Scope } from "./scope.js";

type Step = IteratorResult<News, undefined>;
const END: Step = { done: true, value: undefined };

/** How a feed becomes bytes; what is left out is as the engine has it. */
export interface FeedByteOptions {
  /** `sse`, unless told otherwise. */
  format?: "sse" | "ndjson" | undefined;
  /** Milliseconds of silence (15 000) before a sign of life; 0 for none. */
  keepAliveMs?: number | undefined;
}

/**
 * What happens to an owner's sessions, in any process. Leaving it (`break`, `return()`) ends it; an abort rejects with the
 * signal's reason, and closing the engine with `ClosedError`.
 */
export class Feed implements AsyncIterableIterator<News, undefined> {
  readonly #scope: Scope;
  readonly #gone = new AbortController();
  readonly #unwatch: () => void;
  #after: number | null | undefined;
  #news: News[] = [];
  #waiting = false;
  #failure: { reason: unknown } | undefined;

  /** @internal */
  constructor(scope: Scope, { after, signal }: CallOptions & { after?: number | null }) {
    this.#scope = scope;
    this.#after = after;
    this.#unwatch = onAbortOf<Feed>(this, signal, (feed) => feed.#end({ reason: signal?.reason }));
    if (signal?.aborted) this.#end({ reason: signal.reason });
  }

  /** Where a client was that comes back with this `Last-Event-ID`; `null` for what is not such an id. */
  static position(lastEventId: string | null | undefined): number | null {
    return native.newsPosition(lastEventId ?? "") ?? null;
  }

  /** The number of the last news that was given, or after which it began: where another feed goes on. */
  get after(): number | null {
    return this.#after ?? null;
  }

  async next(): Promise<Step> {
    while (this.#news.length === 0) {
      const page = await this.#look<{ after: number; news: News[] }>({});
      if (!page) return END;
      this.#news = page.news;
      if (page.news.length === 0) this.#after = page.after;
    }
    const value = this.#news.shift() as News;
    this.#after = value.n;
    return { done: false, value };
  }

  /** Ends it; who waits for the next is told so. */
  return(): Promise<Step> {
    this.#end();
    return Promise.resolve(END);
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#end();
  }

  /** A web `Response`: server-sent events with ids that lead back, unless told otherwise. */
  toResponse({ headers, format = "sse", keepAliveMs, ...init }: ResponseInit & FeedByteOptions = {}): Response {
    const all = new Headers(headers);
    for (const [name, value] of Object.entries(HEADERS[format])) if (!all.has(name)) all.set(name, value);
    const body = streamOf(this.#bytes({ format, keepAliveMs }), () => this.#end());
    return new Response(body, { ...init, headers: all });
  }

  /** Writes to a response of Node, Express or Fastify (`reply.raw`), until the engine closes or the client goes. */
  async pipeTo(response: ServerResponseLike, options: FeedByteOptions = {}): Promise<void> {
    await writeTo(response, HEADERS[options.format ?? "sse"], this.#bytes(options), () => this.#end());
  }

  /** The next bytes; none when the engine closes. */
  #bytes(options: FeedByteOptions): () => Promise<Uint8Array | undefined> {
    const encoding = spelled(options);
    return async () => {
      for (;;) {
        const page = await this.#look<{ after: number; text: string }>({ encoding }).catch((error: unknown) => {
          if (error instanceof ClosedError) return undefined;
          throw error;
        });
        if (!page) return undefined;
        this.#after = page.after;
        if (page.text) return Buffer.from(page.text);
      }
    };
  }

  /** One page; `undefined` when it is over. An error ends it. */
  async #look<T>(how: object): Promise<T | undefined> {
    if (this.#waiting) throw new InvalidInputError("this feed has a reader; open one more for another");
    if (this.#gone.signal.aborted) return this.#ended();
    this.#waiting = true;
    try {
      return await this.#scope.data<T>({ do: "news", after: this.#after, ...how }, this.#gone.signal);
    } catch (error) {
      if (this.#gone.signal.aborted) return this.#ended();
      this.#end();
      throw error;
    } finally {
      this.#waiting = false;
    }
  }

  /** What the waiter is told at the end: the abort's reason, once. */
  #ended(): undefined {
    const failure = this.#failure;
    this.#failure = undefined;
    if (failure) throw failure.reason;
    return undefined;
  }

  #end(failure?: { reason: unknown }): void {
    this.#failure = failure;
    this.#news = [];
    this.#unwatch();
    this.#gone.abort();
  }
}

/** The engine's HTTP API (docs/http.md), which every back end has: all of `Api` but how a person's words are sent. */

import { Backoff, onWake, pause } from "./backoff.ts";
import { isGone, offline } from "./failure.ts";
import { type Http, type Method, query } from "./http.ts";
import { events, SseParser } from "./sse.ts";
import type { Api, Ask, Capabilities, Chat, ChatEvent, ChatPage, Connection, History, Hit, LimitState, News, Spent, Watch } from "./types.ts";
import { Place, type Source, watch } from "./watch.ts";

const PAGE = 50;

export abstract class RestApi implements Api {
  constructor(
    readonly capabilities: Capabilities,
    protected readonly http: Http,
  ) {
    const { auth } = http;
    if (!auth) return;
    this.signIn = (name, password) => auth.signIn(name, password);
    this.register = (name, password) => auth.register(name, password);
    this.account = () => auth.account();
  }

  signIn?: (name: string, password: string) => Promise<void>;
  register?: (name: string, password: string) => Promise<void>;
  account?: () => Promise<{ name: string | null }>;

  abstract ask(ask: Ask, signal: AbortSignal): Watch;

  attach(_chat: string, turn: string, offset: number, signal: AbortSignal): Watch {
    return this.watch(this.follow, new Place(turn, offset), signal);
  }

  async list(after?: string): Promise<ChatPage> {
    const page = await this.#json<{ sessions: Chat[]; next?: string | null }>("GET", `/sessions${query({ limit: PAGE, after })}`);
    return { chats: page.sessions, next: page.next ?? null };
  }

  history(chat: string, head?: number): Promise<History> {
    return this.#json("GET", `${this.session(chat)}/messages${query({ last: PAGE, head })}`);
  }

  async stop(_chat: string, turn: string): Promise<void> {
    await this.#call("POST", `/turns/${encodeURIComponent(turn)}/cancel`);
  }

  async select(chat: string, seq: number): Promise<void> {
    await this.#call("POST", `${this.session(chat)}/select`, { seq });
  }

  async rename(chat: string, title: string): Promise<void> {
    await this.#call("PATCH", this.session(chat), { title });
  }

  async pin(chat: string, pinned: boolean): Promise<void> {
    await this.#call("PATCH", this.session(chat), { pinned });
  }

  async remove(chats: string[]): Promise<void> {
    const [only] = chats;
    if (only !== undefined && chats.length === 1) await this.#call("DELETE", this.session(only));
    else if (chats.length > 0) await this.#call("POST", "/sessions/delete", { sessions: chats });
  }

  async removeEmpty(): Promise<number> {
    return (await this.#json<{ deleted: number }>("DELETE", "/sessions/empty")).deleted;
  }

  async search(question: string, after?: string): Promise<{ hits: Hit[]; next: string | null }> {
    const found = await this.#json<{ hits: Hit[]; next?: string | null }>("GET", `/search${query({ q: question, after })}`);
    return { hits: found.hits, next: found.next ?? null };
  }

  usage(): Promise<{ usage: Spent[]; limits: LimitState[] }> {
    return this.#json("GET", `/usage${query({ by: "day,model" })}`);
  }

  async summarize(chat: string): Promise<string> {
    const path = `${this.capabilities.api}${this.session(chat)}/summary`;
    return (await this.http.json<{ text: string }>("POST", path, { body: {} })).text;
  }

  async export(chat: string | null, format: "markdown" | "jsonl"): Promise<Blob> {
    const of = chat === null ? "" : this.session(chat);
    const response = await this.http.ask("GET", `${this.capabilities.api}${of}/export${query({ format })}`);
    return response.blob().catch(() => Promise.reject(offline("the export was cut off")));
  }

  /**
   * While the page is hidden it lets go: a browser opens six connections to a server over HTTP/1.1, and six tabs that each
   * hold one would leave none for anything else.
   */
  async *feed(signal: AbortSignal): AsyncIterable<News> {
    const place = { after: "" };
    const backoff = new Backoff();
    while (!signal.aborted) {
      await visible(signal);
      const hidden = whileVisible(signal);
      try {
        for await (const news of this.#news(place, hidden.signal)) {
          backoff.reset();
          yield news;
        }
      } catch (error) {
        if (signal.aborted) return;
        if (!isGone(error) && !hidden.signal.aborted) throw error;
      } finally {
        hidden.release();
      }
      if (signal.aborted || hidden.signal.aborted) continue;
      this.http.link.down();
      await pause(backoff.next(), signal);
    }
  }

  onConnection(listener: (state: Connection) => void): () => void {
    return this.http.link.watch(listener);
  }

  /** The events of a turn from a place on, over one connection. */
  protected readonly follow: Source = (place, signal) => {
    const path = `${this.capabilities.api}/turns/${encodeURIComponent(place.turn ?? "")}${query({ offset: place.offset })}`;
    return this.events("GET", path, undefined, signal);
  };

  protected async *events(method: Method, path: string, body: unknown, signal: AbortSignal): AsyncGenerator<ChatEvent> {
    const headers = { accept: "text/event-stream" };
    const response = await this.http.open(method, path, { body, signal, headers });
    if (!response.body) throw offline("the answer has no body");
    for await (const { data } of events(response.body)) yield JSON.parse(data) as ChatEvent;
  }

  protected watch(source: Source, place: Place, signal: AbortSignal): Watch {
    return watch(source, place, this.http.link, signal);
  }

  protected session(chat: string): string {
    return `/sessions/${encodeURIComponent(chat)}`;
  }

  async *#news(place: { after: string }, signal: AbortSignal): AsyncGenerator<News> {
    const path = `${this.capabilities.api}/feed${query({ after: place.after || null })}`;
    const response = await this.http.open("GET", path, { signal, headers: { accept: "text/event-stream" } });
    if (!response.body) throw offline("the answer has no body");
    const parser = new SseParser();
    try {
      for await (const { data } of events(response.body, parser)) yield JSON.parse(data) as News;
    } finally {
      // Also the number that comes first, without news: who has heard nothing yet misses nothing either.
      place.after = parser.lastId || place.after;
    }
  }

  /** What may be repeated, all of it: doing it twice is doing it once. */
  async #call(method: Method, path: string, body?: unknown): Promise<void> {
    const response = await this.http.ask(method, this.capabilities.api + path, { body, repeatable: true });
    await response.body?.cancel();
  }

  #json<T>(method: Method, path: string): Promise<T> {
    return this.http.json(method, this.capabilities.api + path);
  }
}

function isHidden(): boolean {
  return globalThis.document?.visibilityState === "hidden";
}

/** A signal that goes off when the page is hidden for a while, or with the given one. */
function whileVisible(signal: AbortSignal): { signal: AbortSignal; release(): void } {
  const controller = new AbortController();
  let timer: ReturnType<typeof setTimeout> | undefined;
  const abort = () => controller.abort();
  const look = () => {
    clearTimeout(timer);
    if (isHidden()) timer = setTimeout(abort, 5_000);
  };
  signal.addEventListener("abort", abort);
  globalThis.document?.addEventListener("visibilitychange", look);
  look();
  const release = () => {
    clearTimeout(timer);
    signal.removeEventListener("abort", abort);
    globalThis.document?.removeEventListener("visibilitychange", look);
  };
  return { signal: controller.signal, release };
}

function visible(signal: AbortSignal): Promise<void> {
  if (!isHidden() || signal.aborted) return Promise.resolve();
  return new Promise((resolve) => {
    const done = () => {
      unsubscribe();
      signal.removeEventListener("abort", done);
      resolve();
    };
    const unsubscribe = onWake(() => isHidden() || done());
    signal.addEventListener("abort", done);
  });
}

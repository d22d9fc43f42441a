/** The shown chat's doings: asking, watching, stopping, reading back. It acts on the back end and tells the store. */
import type { Api, Ask, ChatEvent, Failure, Watch } from "../api/types";
import { textOf } from "./content";
import { asFailure } from "./failure";
import { rememberDraft } from "./prefs";
import { pump } from "./pump";
import { href } from "./route";
import { draftOf, type Banner, type Choice } from "./state";
import type { Store } from "./store";

/** An ask before it has its key. */
export type Wish = Ask extends infer A ? (A extends Ask ? Omit<A, "key"> : never) : never;

/** A turn that is being watched; `turn` is known from `started` on. */
interface Watched {
  ask: Ask | null;
  chat: string | null;
  turn: string | null;
  control: AbortController;
  /** Stop was pressed before there was a turn to stop. */
  unwanted: boolean;
}

export interface Screen {
  /** Runs what changes the store and draws it, so that its time can be taken. */
  paint(work: () => void): void;
  /** Shows another address without a step in the browser's history. */
  replace(hash: string): void;
  newKey(): string;
}

export class Turns {
  readonly #api: Api;
  readonly #store: Store;
  readonly #screen: Screen;
  #watched: Watched | null = null;
  /** The keys of what was asked without an answer: asked again, it is the same turn. */
  readonly #keys = new Map<string, string>();
  #reading: Promise<void> | null = null;

  constructor(api: Api, store: Store, screen: Screen) {
    this.#api = api;
    this.#store = store;
    this.#screen = screen;
  }

  get #shown() {
    return this.#store.get().conversation;
  }

  /** Shows a chat. What runs in the one before goes on there, unwatched. */
  async open(chat: string | null): Promise<void> {
    this.#leave();
    this.#store.dispatch({ type: "opened", chat });
    this.#store.dispatch({ type: "banner", banner: null });
    await this.reload();
  }

  /** A turn that has begun is let go; one that is still being sent is let go when it has begun. */
  #leave(): void {
    const watched = this.#watched;
    this.#watched = null;
    if (watched?.turn != null) watched.control.abort();
  }

  async send(text: string, choice: Choice = {}): Promise<void> {
    const chat = this.#shown.chat;
    if (!this.#idle()) return;
    this.#store.dispatch({ type: "drafted", chat: draftOf(chat), text: "" });
    await this.#ask({ type: "send", chat, text, ...choice });
  }

  /** What was refused, as it stands in the field by now: answered as it was to be. */
  async again(choice: Choice = {}): Promise<void> {
    const text = this.#store.get().drafts[draftOf(this.#shown.chat)]?.trim() ?? "";
    if (text !== "") await this.send(text, choice);
  }

  async edit(seq: number, text: string): Promise<void> {
    const chat = this.#shown.chat;
    if (chat !== null && this.#idle()) await this.#ask({ type: "edit", chat, seq, text });
  }

  async regenerate(seq: number): Promise<void> {
    const chat = this.#shown.chat;
    if (chat !== null && this.#idle()) await this.#ask({ type: "regenerate", chat, seq });
  }

  #idle = (): boolean => this.#shown.pending === null && this.#shown.live === null;

  async #ask(wish: Wish): Promise<void> {
    const what = JSON.stringify(wish);
    const key = this.#keys.get(what) ?? this.#screen.newKey();
    this.#keys.set(what, key);
    const ask = { ...wish, key } as Ask;
    this.#store.dispatch({ type: "banner", banner: null });
    this.#store.dispatch({ type: "asked", ask });
    const watched = this.#begin(ask, null);
    await this.#watch(watched, this.#api.ask(ask, watched.control.signal));
    if (watched.turn !== null) this.#keys.delete(what);
  }

  #begin(ask: Ask | null, turn: string | null): Watched {
    this.#leave();
    return (this.#watched = { ask, chat: this.#shown.chat, turn, control: new AbortController(), unwanted: false });
  }

  async #watch(watched: Watched, events: Watch): Promise<void> {
    const { signal } = watched.control;
    const frames = pump((batch) => this.#screen.paint(() => this.#take(watched, batch)));
    let ended = false;
    try {
      for await (const event of events) {
        if (signal.aborted) return;
        if (event.type === "started") this.#started(watched, event.turn, event.session);
        frames.push(event);
        ended = event.type === "finished";
        if (ended) break;
      }
      frames.flush();
      if (!ended && !signal.aborted) await this.reload();
    } catch (thrown) {
      frames.flush();
      if (!signal.aborted) this.#lost(watched, asFailure(thrown));
    } finally {
      if (this.#watched === watched) this.#watched = null;
    }
  }

  #started(watched: Watched, turn: string, chat: string): void {
    const first = watched.turn === null;
    watched.turn = turn;
    watched.chat = chat;
    if (!first) return;
    this.#store.dispatch({ type: "began", chat, turn, now: Date.now() });
    if (watched.ask?.type === "send") rememberDraft(draftOf(watched.ask.chat), "");
    if (watched.unwanted) void this.#stop(chat, turn);
    if (this.#watched !== watched) watched.control.abort();
    else if (watched.ask?.chat === null) this.#screen.replace(href({ page: "chat", chat }));
  }

  #take(watched: Watched, events: ChatEvent[]): void {
    if (this.#watched !== watched || watched.turn === null) return;
    const key = watched.ask === null ? {} : { key: watched.ask.key };
    this.#store.dispatch({ type: "events", turn: watched.turn, events, now: Date.now(), ...key });
    for (const event of events) this.#beside(event);
    if (this.#shown.stale) this.#again();
  }

  /** What an event means for the rest of the page. */
  #beside(event: ChatEvent): void {
    const { chat, messages } = this.#shown;
    if (chat === null) return;
    if (event.type === "title") this.#store.dispatch({ type: "changed", chat, change: { title: event.title } });
    if (event.type !== "finished") return;
    this.#store.dispatch({ type: "changed", chat, change: { running: null, updated_ms: Date.now() } });
    // What was in the way has ended: its banner would not be true any more.
    if (this.#store.get().banner?.failure.kind === "busy") this.#store.dispatch({ type: "banner", banner: null });
    const reply = messages.at(-1);
    if (reply === undefined) return;
    const announced = { seq: reply.seq, status: event.status, text: textOf(reply.content) };
    this.#store.dispatch({ type: "announced", announced });
  }

  /** What is held does not fit: read it from the store and follow from there. */
  #again(): void {
    this.#leave();
    void this.reload();
  }

  /** Before `started` nothing is known to be stored, so the words go back; after it, the answer goes on without us. */
  #lost(watched: Watched, failure: Failure): void {
    const shown = this.#watched === watched;
    if (watched.turn === null && watched.ask !== null) this.#refused(watched.ask, failure, shown);
    else if (shown) this.#store.dispatch({ type: "banner", banner: { failure, retry: "reload", at: Date.now() } });
  }

  #refused(ask: Ask, failure: Failure, shown: boolean): void {
    if (ask.type === "send") {
      const draft = this.#store.get().drafts[draftOf(ask.chat)] ?? "";
      const text = draft.trim() === "" ? ask.text : `${ask.text}\n${draft}`;
      this.#store.dispatch({ type: "drafted", chat: draftOf(ask.chat), text });
    }
    if (!shown) return;
    this.#store.dispatch({ type: "refused", key: ask.key });
    const retry: Pick<Banner, "retry" | "choice"> = ask.type === "send" ? { retry: "send", choice: choiceOf(ask) } : { retry: null };
    this.#store.dispatch({ type: "banner", banner: { failure, at: Date.now(), ...retry } });
    this.#watched = null;
    if (ask.chat !== null) void this.reload();
  }

  async stop(): Promise<void> {
    const { chat, live } = this.#shown;
    const watched = this.#watched;
    // What has begun may not be drawn yet, so the watch is asked first.
    if (watched?.turn != null && watched.chat !== null) await this.#stop(watched.chat, watched.turn);
    else if (live !== null && chat !== null) await this.#stop(chat, live.turn);
    else if (watched !== null) watched.unwanted = true;
  }

  async #stop(chat: string, turn: string): Promise<void> {
    await this.#try(() => this.#api.stop(chat, turn));
  }

  async select(seq: number): Promise<void> {
    const chat = this.#shown.chat;
    if (chat === null || !this.#idle()) return;
    await this.#try(() => this.#api.select(chat, seq));
    await this.reload();
  }

  /** Reads the newest page again, and watches what runs. Nothing is read while a message is on its way: it brings its own. */
  async reload(): Promise<void> {
    if (this.#shown.chat === null || this.#shown.pending !== null) return;
    try {
      await this.#read(this.#shown.chat);
      this.#store.dispatch({ type: "settled", retry: "reload" });
      this.#follow();
    } catch (thrown) {
      const failure = asFailure(thrown);
      const chat = this.#shown.chat;
      if (failure.kind === "not_found" && chat !== null) this.#store.dispatch({ type: "missing", chat });
      else this.#store.dispatch({ type: "banner", banner: { failure, retry: "reload", at: Date.now() } });
    }
  }

  /** A page that was overtaken by events while it was on its way is asked for again. */
  async #read(chat: string): Promise<void> {
    for (;;) {
      const before = this.#shown.messages;
      const history = await this.#api.history(chat);
      if (this.#shown.chat !== chat || this.#shown.pending !== null) return;
      if (this.#shown.messages === before) return this.#store.dispatch({ type: "newest", chat, history });
    }
  }

  #follow(): void {
    const { chat, live } = this.#shown;
    if (chat === null || live === null || this.#watched?.turn === live.turn) return;
    const watched = this.#begin(null, live.turn);
    void this.#watch(watched, this.#api.attach(chat, live.turn, live.offset, watched.control.signal));
  }

  /** Whether this turn is on the screen already, or was. */
  knows = (turn: string): boolean => this.#watched?.turn === turn || this.#shown.ended === turn || this.#shown.pending !== null;

  /** The page before the oldest message that is held. */
  older(): Promise<void> {
    this.#reading ??= this.#older().finally(() => (this.#reading = null));
    return this.#reading;
  }

  async #older(): Promise<void> {
    const { chat, more, messages } = this.#shown;
    const head = messages[0]?.parent;
    if (chat === null || !more || head == null) return;
    await this.#try(async () => {
      const history = await this.#api.history(chat, head);
      this.#store.dispatch({ type: "older", chat, history });
    });
  }

  async #try(work: () => Promise<void>): Promise<void> {
    try {
      await work();
    } catch (thrown) {
      this.#store.dispatch({ type: "banner", banner: { failure: asFailure(thrown), retry: null, at: Date.now() } });
    }
  }
}

const choiceOf = ({ image, model, persona }: Ask & { type: "send" }): Choice => ({
  ...(image && { image }),
  ...(model && { model }),
  ...(persona && { persona }),
});

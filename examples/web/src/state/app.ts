/** The page's doings beside the shown chat: the list, the news, the address, accounts. */
import type { Api, Chat, Connection, Failure, News } from "../api/types";
import { titleOf } from "./chats";
import { asFailure } from "./failure";
import { recallDrafts, rememberDraft } from "./prefs";
import { href, parse, type Route } from "./route";
import { draftOf, type Banner } from "./state";
import { Store } from "./store";
import { Turns, type Screen } from "./turns";

export class App {
  readonly api: Api;
  readonly store = new Store();
  readonly turns: Turns;
  readonly #screen: Screen;
  #feed = new AbortController();
  #toasts = 0;
  #listing: Promise<void> | null = null;
  #quiet: ReturnType<typeof setTimeout> | null = null;

  constructor(api: Api, screen: Screen) {
    this.api = api;
    this.#screen = screen;
    this.turns = new Turns(api, this.store, screen);
    for (const [chat, text] of Object.entries(recallDrafts())) this.store.dispatch({ type: "drafted", chat, text });
  }

  /** Begins to live: the address, the list, the news, the connection. Gives what ends it. */
  start(hash: string): () => void {
    const silent = this.api.onConnection((state) => this.#connection(state));
    void this.go(parse(hash));
    void this.list();
    void this.whoami();
    void this.#listen(this.#feed.signal);
    return () => {
      silent();
      this.#feed.abort();
    };
  }

  async go(route: Route): Promise<void> {
    this.store.dispatch({ type: "page", page: route.page });
    if (route.page === "usage") return;
    const { chat, phase } = this.store.get().conversation;
    if (route.chat !== chat || phase === "missing" || route.chat === null) await this.turns.open(route.chat);
  }

  #connection(connection: Connection): void {
    const before = this.store.get().connection;
    this.store.dispatch({ type: "connection", connection });
    if (connection !== "online" || before === "online" || !this.store.get().chats.loaded) return;
    void this.list();
    void this.turns.reload();
  }

  /** The first page of chats again. */
  list(): Promise<void> {
    return this.#page(undefined);
  }

  /** The next page, when the reader nears the end of the list. */
  more(): Promise<void> {
    const next = this.store.get().chats.next;
    return next === null ? Promise.resolve() : (this.#listing ??= this.#page(next).finally(() => (this.#listing = null)));
  }

  async #page(after: string | undefined): Promise<void> {
    try {
      const page = await this.api.list(after);
      this.store.dispatch({ type: "listed", page, first: after === undefined });
      this.store.dispatch({ type: "settled", retry: "list" });
    } catch (thrown) {
      this.fail(asFailure(thrown), "list");
    }
  }

  /** The news for as long as the page lives; the adapter comes back by itself, and if it gave up, so do we. */
  async #listen(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      try {
        for await (const news of this.api.feed(signal)) if (!signal.aborted) this.#news(news);
      } catch {
        // The connection's state tells the reader.
      }
      await new Promise((done) => setTimeout(done, 3_000));
    }
  }

  #news(news: News): void {
    const known = this.store.get().chats.items.find((chat) => chat.id === news.session);
    this.store.dispatch({ type: "news", news });
    if (news.session !== this.store.get().conversation.chat) return this.#elsewhere(news, news.info ?? known);
    if (news.kind === "deleted") this.store.dispatch({ type: "missing", chat: news.session });
    else if (news.turn === undefined ? news.kind === "updated" : !this.turns.knows(news.turn)) this.#soon();
  }

  #elsewhere(news: News, chat: Chat | undefined): void {
    if (news.kind !== "turn_ended") return;
    // The news of a new chat can come before the first event of its answer, which is what names it here.
    setTimeout(() => {
      if (news.session !== this.store.get().conversation.chat) this.toast(`Answer ready in “${titleOf(chat)}”`, news.session);
    }, 1_000);
  }

  /** Several news in a row are one reason to read again. */
  #soon(): void {
    clearTimeout(this.#quiet ?? undefined);
    this.#quiet = setTimeout(() => void this.turns.reload(), 150);
  }

  draft(text: string): void {
    const chat = draftOf(this.store.get().conversation.chat);
    this.store.dispatch({ type: "drafted", chat, text });
    rememberDraft(chat, text);
  }

  toast(text: string, chat: string | null = null): void {
    this.store.dispatch({ type: "toast", toast: { id: ++this.#toasts, text, chat } });
  }

  fail(failure: Failure, retry: Banner["retry"] = null): void {
    this.store.dispatch({ type: "banner", banner: { failure, retry, at: Date.now() } });
  }

  /** Runs what a person asked for; what goes wrong is shown. */
  async attempt<T>(work: () => Promise<T>): Promise<T | undefined> {
    try {
      return await work();
    } catch (thrown) {
      this.fail(asFailure(thrown));
      return undefined;
    }
  }

  /** What the banner's button does. */
  async again(banner: Banner): Promise<void> {
    this.store.dispatch({ type: "banner", banner: null });
    if (banner.retry === "send") await this.turns.again(banner.choice);
    if (banner.retry === "list") await this.list();
    if (banner.retry === "reload") await this.turns.reload();
  }

  /** Shows the change at once; if it is refused, what the server has stands again. */
  async #change(chat: string, change: Partial<Chat>, work: () => Promise<void>): Promise<void> {
    this.store.dispatch({ type: "changed", chat, change });
    const failed = await this.attempt(() => work().then(() => true));
    if (failed === undefined) await this.#page(undefined);
  }

  rename = (chat: string, title: string): Promise<void> => this.#change(chat, { title }, () => this.api.rename(chat, title));

  pin = (chat: string, pinned: boolean): Promise<void> => this.#change(chat, { pinned }, () => this.api.pin(chat, pinned));

  async remove(chats: string[]): Promise<void> {
    const done = await this.attempt(() => this.api.remove(chats).then(() => true));
    if (done === undefined) return;
    this.store.dispatch({ type: "removed", chats });
    for (const chat of chats) rememberDraft(chat, "");
    this.toast(chats.length === 1 ? "Chat deleted" : `${chats.length} chats deleted`);
    if (chats.includes(this.store.get().conversation.chat ?? "")) this.#home();
  }

  async removeEmpty(): Promise<void> {
    const count = await this.attempt(() => this.api.removeEmpty());
    if (count === undefined) return;
    this.toast(count === 0 ? "No empty chats" : count === 1 ? "1 empty chat deleted" : `${count} empty chats deleted`);
    await this.list();
  }

  #home(): void {
    this.#screen.replace(href({ page: "chat", chat: null }));
    void this.go({ page: "chat", chat: null });
  }

  /** Becomes an account: other chats, other news. */
  async signIn(name: string, password: string, isNew: boolean): Promise<void> {
    await (isNew ? this.api.register : this.api.signIn)?.call(this.api, name, password);
    this.#feed.abort();
    this.#feed = new AbortController();
    void this.#listen(this.#feed.signal);
    await Promise.all([this.whoami(), this.list()]);
    await this.turns.reload();
  }

  async whoami(): Promise<void> {
    const account = await this.api.account?.().catch(() => null);
    this.store.dispatch({ type: "account", account: account ?? null });
  }
}

/** A back end in memory, for looking at the page while it is developed: `npm run dev`, then `/?fake`. Not in the build. */
import { skip, weight } from "../state/content";
import { ANSWER, CITATIONS, dialogue, PICTURE, REASONING } from "./fake-samples";
import type { Api, Ask, Capabilities, Chat, ChatEvent, Failure, History, Message, News, Part, Watch } from "./types";

interface Room {
  info: Chat;
  messages: Message[];
  head: number | null;
}

const capabilities: Capabilities = {
  app: "fake",
  name: "CatGPT",
  skin: "cat",
  transport: "sse",
  api: "/api",
  auth: "guest",
  greeting: "Hello, human. What may I purr about?",
  features: [
    "edit", "regenerate", "branches", "rename", "pin", "delete", "delete-empty", "batch-delete", "search", "usage",
    "summary", "export", "images", "sounds", "accounts",
  ],
  models: ["offline", "gpt-4o-mini", "gpt-4o"],
  personas: ["cat", "pirate"],
};

const wait = (ms: number) => new Promise<void>((done) => setTimeout(done, ms));

export class Fake implements Api {
  readonly capabilities: Capabilities;
  readonly #rooms = new Map<string, Room>();
  readonly #stops = new Set<string>();
  readonly #listeners = new Set<(news: News) => void>();
  #n = 0;
  #turns = 0;
  #name: string | null = null;

  constructor(options: { skin?: "cat" | "plain"; pace?: number } = {}, private readonly now = Date.now()) {
    this.capabilities = { ...capabilities, ...(options.skin === "plain" ? { skin: "plain", name: "My Chat", greeting: "How can I help?" } : {}) };
    this.pace = options.pace ?? 12;
    this.#seed();
  }

  private readonly pace: number;

  #seed(): void {
    const titles = ["Why cats purr", "A plan for the garden", "Rust lifetimes, gently", "Dinner for six", "Words for snow", "Trip to Kyoto"];
    titles.forEach((title, index) => this.#room(`chat-${index}`, title, dialogue(index === 0 ? 4 : 6, this.now), index * 5_400_000, index === 2));
    this.#room("long", "A very long conversation", dialogue(2_000, this.now), 90_000_000, false);
    for (let index = 0; index < 60; index++) this.#room(`old-${index}`, `Notes of day ${60 - index}`, dialogue(2, this.now), 100_000_000 + index * 86_400_000, false);
    this.#showcase(this.#rooms.get("chat-0")!);
  }

  /** One chat shows every outcome. */
  #showcase(room: Room): void {
    const [first, answer, , last] = room.messages as [Message, Message, Message, Message];
    first.content = [{ type: "text", text: "Why do cats purr? Show me how it sounds, in Python." }];
    answer.content = [{ type: "reasoning", text: REASONING }, { type: "text", text: ANSWER }, ...CITATIONS];
    Object.assign(last, { status: "failed", content: [], error: { kind: "rate_limited", message: "slow down", retry_after_ms: 20_000 } });
    room.messages.push({ ...answer, seq: 4, content: [{ type: "text", text: "Another answer: with love." }] });
  }

  #room(id: string, title: string | null, messages: Message[], ago: number, pinned: boolean): Room {
    const at = this.now - ago;
    const info = { id, title, pinned, archived: false, messages: messages.length, running: null, created_ms: at, updated_ms: at };
    const room = { info, messages, head: messages.at(-1)?.seq ?? null };
    this.#rooms.set(id, room);
    return room;
  }

  #get(chat: string): Room {
    const room = this.#rooms.get(chat);
    if (room === undefined) throw { kind: "not_found", message: "no such session" } satisfies Failure;
    return room;
  }

  #tell(kind: News["kind"], room: Room, turn?: string): void {
    const info = kind === "deleted" ? null : { ...room.info };
    for (const listener of this.#listeners) listener({ n: this.#n + 1, kind, session: room.info.id, info, ...(turn === undefined ? {} : { turn }) });
    this.#n++;
  }

  async list(after?: string) {
    await wait(40);
    const all = [...this.#rooms.values()].map((room) => room.info);
    all.sort((a, b) => Number(b.pinned) - Number(a.pinned) || b.updated_ms - a.updated_ms);
    const from = after === undefined ? 0 : Number(after);
    return { chats: all.slice(from, from + 30), next: from + 30 < all.length ? String(from + 30) : null };
  }

  async history(chat: string, head?: number): Promise<History> {
    await wait(30);
    const room = this.#get(chat);
    const branch = this.#branch(room, head ?? room.head);
    const messages = branch.slice(-50).map((message) => ({ ...message, content: [...message.content] }));
    const siblings = Object.fromEntries(messages.map((message) => [message.seq, this.#siblings(room, message)] as const).filter(([, all]) => all.length > 1));
    return { messages, siblings, running: room.info.running, more: branch.length > 50 };
  }

  #branch(room: Room, head: number | null): Message[] {
    const bySeq = new Map(room.messages.map((message) => [message.seq, message]));
    const branch: Message[] = [];
    for (let at = head; at !== null; at = branch.at(-1)!.parent) branch.push(bySeq.get(at)!);
    return branch.reverse();
  }

  #siblings = (room: Room, message: Message): number[] =>
    room.messages.filter((other) => other.parent === message.parent && other.role === message.role).map((other) => other.seq);

  async *ask(ask: Ask, signal: AbortSignal): Watch {
    await wait(120);
    if (ask.type !== "regenerate" && ask.text.includes("limit")) throw { kind: "limited", message: "too fast", retry_after_ms: 9_000, limit: "turns" } satisfies Failure;
    if (ask.type !== "regenerate" && ask.text.includes("offline")) throw { kind: "offline", message: "no connection" } satisfies Failure;
    const room = ask.chat === null ? this.#room(`new-${++this.#turns}`, null, [], 0, false) : this.#get(ask.chat);
    if (ask.chat === null) this.#tell("created", room);
    const turn = `turn-${++this.#turns}`;
    const [user, reply] = this.#begin(room, ask, turn);
    void this.#write(room, reply, turn, ask);
    yield { type: "started", turn, session: room.info.id, user_seq: user, reply_seq: reply.seq, model: "offline", offset: 0 };
    yield* this.attach(room.info.id, turn, 0, signal);
  }

  #begin(room: Room, ask: Ask, turn: string): [number | null, Message] {
    const target = "seq" in ask ? room.messages.find((message) => message.seq === ask.seq)! : null;
    let parent = target === null ? room.head : target.parent;
    let user: number | null = null;
    const push = (role: Message["role"], content: Part[]): Message => {
      const message: Message = { seq: room.messages.length, parent, role, status: role === "user" ? "complete" : "running", content, created_ms: Date.now(), turn, model: "offline" };
      room.messages.push(message);
      parent = message.seq;
      return message;
    };
    if (ask.type !== "regenerate") user = push("user", [{ type: "text", text: ask.text }]).seq;
    const reply = push("assistant", []);
    room.head = reply.seq;
    Object.assign(room.info, { running: turn, updated_ms: Date.now(), messages: room.messages.length });
    this.#tell("turn_begun", room, turn);
    return [user, reply];
  }

  async #write(room: Room, reply: Message, turn: string, ask: Ask): Promise<void> {
    const words = ask.type !== "regenerate" && ask.text.includes("long") ? `${ANSWER}\n\n`.repeat(60) : ANSWER;
    const fast = ask.type !== "regenerate" && ask.text.includes("fast");
    const image = ask.type === "send" && ask.image === true;
    for (const [type, text] of image ? [] : ([["reasoning", REASONING], ["text", words]] as const)) {
      for (const piece of text.match(/\s*\S+/gu) ?? []) {
        if (this.#stops.has(turn)) return this.#end(room, reply, turn, "cancelled");
        const last = reply.content.at(-1);
        if (last?.type === type) last.text += piece;
        else reply.content.push({ type, text: piece });
        if (!fast || Math.random() < 0.1) await wait(this.pace);
      }
    }
    reply.content.push(...(image ? [PICTURE] : CITATIONS));
    if (room.info.title === null && ask.type === "send") room.info.title = ask.text.slice(0, 40);
    this.#end(room, reply, turn, ask.type !== "regenerate" && ask.text.includes("fail") ? "failed" : "complete");
  }

  #end(room: Room, reply: Message, turn: string, status: Message["status"]): void {
    Object.assign(reply, { status, usage: { input_tokens: 210, output_tokens: 388 }, cost: 0.0021 });
    if (status === "failed") reply.error = { kind: "unavailable", message: "the model is down" };
    Object.assign(room.info, { running: null, updated_ms: Date.now() });
    this.#tell("turn_ended", room, turn);
  }

  async *attach(chat: string, turn: string, offset: number, signal: AbortSignal): Watch {
    const reply = this.#get(chat).messages.find((message) => message.turn === turn && message.role === "assistant")!;
    for (let at = offset; !signal.aborted; await wait(this.pace)) {
      for (const event of eventsFrom(reply.content, at)) {
        at = event.offset;
        yield event;
      }
      if (reply.status === "running") continue;
      const { status, usage, cost, error } = reply;
      const stored = weight(reply.content);
      return yield { type: "finished", status, stored, offset: at, ...(usage && { usage }), ...(cost === undefined ? {} : { cost }), ...(error && { error }) };
    }
  }

  async stop(_chat: string, turn: string) {
    this.#stops.add(turn);
  }

  async select(chat: string, seq: number) {
    const room = this.#get(chat);
    room.head = seq;
    for (let child; (child = room.messages.findLast((message) => message.parent === room.head)); ) room.head = child.seq;
  }

  async rename(chat: string, title: string) {
    this.#get(chat).info.title = title;
    this.#tell("renamed", this.#get(chat));
  }

  async pin(chat: string, pinned: boolean) {
    this.#get(chat).info.pinned = pinned;
    this.#tell("updated", this.#get(chat));
  }

  async remove(chats: string[]) {
    for (const chat of chats) {
      this.#tell("deleted", this.#get(chat));
      this.#rooms.delete(chat);
    }
  }

  async removeEmpty() {
    return 0;
  }

  async search(question: string) {
    await wait(80);
    const found = (text: string) => text.toLowerCase().indexOf(question.toLowerCase());
    const hits = [...this.#rooms.values()].flatMap((room) =>
      room.messages.slice(0, 6).flatMap((message) => {
        const text = message.content.map((part) => ("text" in part ? part.text : "")).join("");
        const at = found(text);
        if (at < 0) return [];
        const end = at + question.length;
        const snippet = [{ text: text.slice(Math.max(0, at - 30), at), hit: false }, { text: text.slice(at, end), hit: true }, { text: text.slice(end, end + 60), hit: false }];
        return [{ session: room.info, seq: message.seq, at_ms: message.created_ms, snippet }];
      }),
    );
    return { hits: hits.slice(0, 12), next: null };
  }

  async usage() {
    const usage = Array.from({ length: 30 }, (_, day) =>
      ["gpt-4o-mini", "gpt-4o", "offline"].map((model, index) => {
        const calls = Math.round((8 + 6 * Math.sin(day / 2.5 + index)) / (index + 1));
        return { day_ms: this.now - (29 - day) * 86_400_000, model, calls, usage: { input_tokens: calls * 900, output_tokens: calls * 420 }, cost: (calls * 0.004) / (index + 1) };
      }),
    ).flat();
    const limits = [
      { name: "turns", unit: "turns", used: 42, max: 60, window_ms: 3_600_000, resets_ms: this.now + 1_200_000 },
      { name: "tokens", unit: "tokens", used: 190_000, max: 200_000, window_ms: 86_400_000, resets_ms: this.now + 30_000_000 },
    ];
    return { usage, limits };
  }

  async summarize() {
    await wait(900);
    return "They talked about **purring**: how the larynx makes it, and what moods it tells.";
  }

  async export(chat: string | null, format: "markdown" | "jsonl") {
    return new Blob([`${chat ?? "all"} as ${format}`]);
  }

  async *feed(signal: AbortSignal): AsyncIterable<News> {
    const waiting: News[] = [];
    let wake = () => {};
    const listener = (news: News) => (waiting.push(news), wake());
    this.#listeners.add(listener);
    signal.addEventListener("abort", () => wake());
    while (!signal.aborted) {
      for (let news; (news = waiting.shift()); ) yield news;
      await new Promise<void>((done) => (wake = done));
    }
    this.#listeners.delete(listener);
  }

  onConnection(listener: (state: "online" | "offline") => void) {
    const tell = () => listener(navigator.onLine ? "online" : "offline");
    tell();
    addEventListener("online", tell);
    addEventListener("offline", tell);
    return () => (removeEventListener("online", tell), removeEventListener("offline", tell));
  }

  async signIn(name: string, password: string) {
    if (password === "wrong") throw { kind: "unauthorized", message: "wrong name or password" } satisfies Failure;
    this.#name = name;
  }

  register = (name: string, password: string) => this.signIn(name, password);

  async account() {
    return { name: this.#name };
  }
}

/** The content after an offset as events; a text that begins before it is cut. */
function eventsFrom(content: Part[], offset: number): ChatEvent[] {
  const events: ChatEvent[] = [];
  let end = 0;
  for (const part of content) {
    const size = weight([part]);
    end += size;
    if (end <= offset) continue;
    if (part.type === "text" || part.type === "reasoning") {
      events.push({ type: part.type, text: skip(part.text, offset - (end - size)), offset: end });
    } else events.push({ type: "part", part, offset: end });
  }
  return events;
}

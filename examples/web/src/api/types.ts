/** What the page knows of a back end: plain data, and one interface for all ways to reach it. */

export type Status = "running" | "complete" | "cancelled" | "interrupted" | "failed" | "paused";

export interface Failure {
  /** The engine's stable kinds (`busy`, `limited`, `unauthorized`, …), and `offline` for a connection that is gone. */
  kind: string;
  message: string;
  retry_after_ms?: number;
  limit?: string;
  /** The turn that keeps a session busy. */
  turn?: string;
}

export interface Usage {
  input_tokens: number;
  output_tokens: number;
  cached_tokens?: number;
  reasoning_tokens?: number;
  estimated?: boolean;
}

export type Part =
  | { type: "text"; text: string }
  | { type: "reasoning"; text: string }
  | { type: "image"; url: string; alt?: string; media_type?: string }
  | { type: "citation"; url: string; title?: string }
  | { type: "tool_call"; id: string; name: string; arguments: unknown }
  | { type: "tool_result"; id: string; output: unknown; is_error?: boolean }
  /** What only the model's provider can read. */
  | { type: "provider"; provider: string; value: unknown };

export interface Message {
  seq: number;
  parent: number | null;
  role: "system" | "user" | "assistant" | "summary";
  status: Status;
  content: Part[];
  created_ms: number;
  turn?: string;
  model?: string;
  finish_reason?: string;
  usage?: Usage;
  cost?: number;
  error?: Failure;
}

/** A session, as the side bar shows it. */
export interface Chat {
  id: string;
  title: string | null;
  pinned: boolean;
  archived: boolean;
  messages: number;
  running: string | null;
  created_ms: number;
  updated_ms: number;
}

export interface ChatPage {
  chats: Chat[];
  next: string | null;
}

/** A page of the branch that is shown, oldest first. */
export interface History {
  messages: Message[];
  /** For each shown message that has siblings: all of them, itself too. Keys are its `seq`. */
  siblings: Record<string, number[]>;
  running: string | null;
  /** Whether there are older ones: ask again with `head` = the first one's `parent`. */
  more: boolean;
}

/** The engine's events. `offset` is the position after it in the reply's content. */
export type ChatEvent =
  | { type: "started"; turn: string; session: string; user_seq: number | null; reply_seq: number; model?: string; persona?: string; offset: number }
  | { type: "text"; text: string; offset: number }
  | { type: "reasoning"; text: string; offset: number }
  | { type: "part"; part: Part; offset: number }
  | { type: "tool_call"; id: string; name: string; arguments: unknown; offset: number }
  | { type: "tool_result"; id: string; output: unknown; offset: number }
  | { type: "retrying"; attempt: number; after_ms: number; error: Failure; offset: number }
  | { type: "title"; title: string; offset: number }
  | { type: "finished"; status: Status; finish_reason?: string | null; usage?: Usage | null; cost?: number; stored: number; error?: Failure; offset: number };

/** What a person asks for. `key` makes it repeatable: the same key is the same turn. */
export type Ask =
  | { type: "send"; chat: string | null; text: string; key: string; image?: boolean; model?: string; persona?: string }
  | { type: "edit"; chat: string; seq: number; text: string; key: string }
  | { type: "regenerate"; chat: string; seq: number; key: string };

/** A turn that is watched. It ends with `finished`, or throws a `Failure`; the adapter has by then tried to come back. */
export type Watch = AsyncIterable<ChatEvent>;

export interface Hit {
  session: Chat;
  seq: number | null;
  at_ms: number;
  snippet: { text: string; hit: boolean }[];
}

export interface Spent {
  day_ms?: number;
  model?: string;
  session?: string;
  purpose?: string;
  calls: number;
  usage: Usage;
  cost: number;
}

export interface LimitState {
  name: string;
  unit: string;
  used: number;
  max: number;
  window_ms: number;
  resets_ms: number;
}

/** News of the owner's sessions: what the side bar listens to. */
export interface News {
  n: number;
  kind: "created" | "titled" | "renamed" | "updated" | "deleted" | "turn_begun" | "turn_ended";
  session: string;
  turn?: string;
  info: Chat | null;
}

/** `GET /capabilities` of every application: what the page shows, and how it talks. */
export interface Capabilities {
  /** `catgpt`, `mychatgpt`, `codhechat`, `chat-redis`, `node-express`, `axum`. */
  app: string;
  /** What stands in the title bar. */
  name: string;
  skin: "cat" | "plain";
  transport: "sse" | "text" | "ws-request" | "ws-task";
  /** Where the engine's HTTP API (docs/http.md) is mounted, such as `/api/v1`. */
  api: string;
  /** `none`: a cookie or nothing; `guest`: `POST /auth/guest` gives a token, `POST /auth/login` an account's. */
  auth: "none" | "guest";
  greeting?: string;
  features: Feature[];
  models?: string[];
  personas?: string[];
}

export type Feature =
  | "edit" | "regenerate" | "branches" | "rename" | "pin" | "delete" | "delete-empty" | "batch-delete" | "search" | "usage"
  | "summary" | "export" | "images" | "sounds" | "accounts";

export type Connection = "online" | "connecting" | "offline";

/** One back end. Every call throws a `Failure`. */
export interface Api {
  readonly capabilities: Capabilities;
  list(after?: string): Promise<ChatPage>;
  history(chat: string, head?: number): Promise<History>;
  /** Begins a turn and watches it; `started` names the chat, also a new one. An abort ends the watching, not the turn. */
  ask(ask: Ask, signal: AbortSignal): Watch;
  /** Watches a turn from an offset on. */
  attach(chat: string, turn: string, offset: number, signal: AbortSignal): Watch;
  stop(chat: string, turn: string): Promise<void>;
  select(chat: string, seq: number): Promise<void>;
  rename(chat: string, title: string): Promise<void>;
  pin(chat: string, pinned: boolean): Promise<void>;
  remove(chats: string[]): Promise<void>;
  removeEmpty(): Promise<number>;
  search(question: string, after?: string): Promise<{ hits: Hit[]; next: string | null }>;
  usage(): Promise<{ usage: Spent[]; limits: LimitState[] }>;
  summarize(chat: string): Promise<string>;
  /** Of one chat, or of all; not by address, because a token has no place in one. */
  export(chat: string | null, format: "markdown" | "jsonl"): Promise<Blob>;
  /** The owner's news until the signal; it comes back by itself after a broken connection. */
  feed(signal: AbortSignal): AsyncIterable<News>;
  /** Where the connection stands, at once and at every change. Gives what unsubscribes. */
  onConnection(listener: (state: Connection) => void): () => void;
  /** With `auth: "guest"`: makes the guest's chats those of an account. */
  signIn?(name: string, password: string): Promise<void>;
  /** With `auth: "guest"`: the same with an account that is made for it. */
  register?(name: string, password: string): Promise<void>;
  /** With `auth: "guest"`: who this is. */
  account?(): Promise<{ name: string | null }>;
}

/** Plain data, as the library streams and stores it; the names are those of its JSON, the same in every language. */
import type { ErrorInfo } from "./errors.js";

/** A turn's id, unique in the store. */
export type TurnId = string;

/** Who speaks. */
export type Role = "system" | "user" | "assistant" | "summary";

/** How far a message, and so its turn, has come. All but `running` are final. */
export type Status = "running" | "complete" | "cancelled" | "interrupted" | "failed" | "paused";

/** Why the model stopped; another word is the provider's own. */
export type FinishReason = "stop" | "length" | "tool_calls" | "content_filter" | (string & {});

/** What a turn used, in tokens. */
export interface Usage {
  input_tokens: number;
  output_tokens: number;
  cached_tokens?: number;
  reasoning_tokens?: number;
  /** The provider sent no numbers; these are a guess. */
  estimated?: boolean;
}

/** A call that the model asks for. */
export interface ToolCall {
  id: string;
  name: string;
  arguments: unknown;
}

/** What a call gave. */
export interface ToolResult {
  id: string;
  output: unknown;
  is_error?: boolean;
}

/**
 * A picture, by reference. A model sees what is on the web (`https:`) and what travels in the message (`data:`, see
 * `Image`); a reference of your own (`ref:42`) is kept for you, and the model reads `[image: alt]`.
 */
export interface ImagePart {
  type: "image";
  url: string;
  media_type?: string;
  /** What it shows, for those who do not see it. */
  alt?: string;
  /** How closely the model looks; the provider decides if nothing is said. */
  detail?: "auto" | "low" | "high";
}

/** What is said: a text, or texts and pictures. */
export type Content = string | readonly (string | { type: "text"; text: string } | ImagePart)[];

/** One model of those that there are to choose from. */
export interface ModelInfo {
  /** Its name, as a send takes it. */
  id: string;
  /** When it was made, in seconds since 1970. */
  created?: number;
  owned_by?: string;
}

/**
 * What a model's provider wants back when the reply goes on after a tool: a signature of its reasoning, an encrypted
 * thought. Nobody else can read it: show nothing of it.
 */
export interface ProviderPart {
  type: "provider";
  /** Whose it is: `anthropic`, `openai`. */
  provider: string;
  value: unknown;
}

/** One piece of a message's content. */
export type Part =
  | { type: "text"; text: string }
  | { type: "reasoning"; text: string }
  | ({ type: "tool_call" } & ToolCall)
  | ({ type: "tool_result" } & ToolResult)
  | ImagePart
  | { type: "citation"; url: string; title?: string }
  | ProviderPart;

/** A finished message that was written elsewhere. What is left out is as the core has it. */
export interface NewMessage {
  role: Exclude<Role, "summary">;
  /** What it says; parts of kinds that nobody here knows are kept as they are. */
  content: Content | readonly (Part | { type: string })[];
  /** How it ended; left out: whole. */
  status?: Exclude<Status, "running">;
  /** The model that was asked. */
  model?: string;
  finish_reason?: FinishReason;
  /** What it used. The owner's ledger does not mention it. */
  usage?: Usage;
}

/** The turn is committed and runs. */
export interface Started {
  type: "started";
  /** The version of the events' JSON. */
  v: number;
  turn: TurnId;
  session: string;
  user_seq: number | null;
  reply_seq: number;
  persona: string;
  model: string;
  offset: number;
}

/** The end. Always last, always there, sent after its commit. */
export interface Finished {
  type: "finished";
  status: Exclude<Status, "running">;
  finish_reason: FinishReason | null;
  usage: Usage | null;
  /** What it cost, in millionths of the unit of the engine's prices, if they know its model. */
  cost?: number;
  /** The offset up to which the reply is stored. Who holds more cuts back to it. */
  stored: number;
  /** Tool calls that wait for a decision. */
  pending?: ToolCall[];
  error?: ErrorInfo;
  offset: number;
}

/** One thing that a reply yields. Every event carries the offset after it, which is where a new subscription goes on. */
export type Event =
  | Started
  | { type: "text"; text: string; offset: number }
  | { type: "reasoning"; text: string; offset: number }
  | ({ type: "tool_call"; offset: number } & ToolCall)
  | ({ type: "tool_result"; offset: number } & ToolResult)
  | { type: "part"; part: Part; offset: number }
  | { type: "retrying"; attempt: number; after_ms: number; error: ErrorInfo; offset: number }
  | { type: "title"; title: string; offset: number }
  | Finished;

/** A message as the AI SDK's `UIMessage`: it can be given to `useChat({ messages })`. */
export interface UiMessage {
  id: string;
  role: "system" | "user" | "assistant";
  metadata: {
    seq: number;
    status: Status;
    created_ms: number;
    turn?: TurnId;
    model?: string;
    finish_reason?: FinishReason;
    usage?: Usage;
    error?: ErrorInfo;
  };
  /** The AI SDK's types differ from version to version, so they are left to it. */
  parts: any[];
}

/** One node of a session's tree. */
export interface Message {
  seq: number;
  parent: number | null;
  turn?: TurnId;
  role: Role;
  status: Status;
  content: Part[];
  model?: string;
  finish_reason?: FinishReason;
  usage?: Usage;
  /** What it cost, in millionths of the unit of the prices, if they knew its model. */
  cost?: number;
  error?: ErrorInfo;
  created_ms: number;
}

/** The newest messages of a branch, and what a screen needs to know beside them. */
export interface MessagePage {
  /** Oldest first; a running reply with the text that is stored. */
  messages: Message[];
  /** For each of these messages that others stand beside, by its number: all of them, itself too. */
  siblings: Record<number, number[]>;
  /** The turn that runs in the session. */
  running: TurnId | null;
  /** Whether there are older ones: ask again with the first one's `parent` as `head`. */
  more: boolean;
}

/** What is known about a session besides its messages. */
export interface SessionInfo {
  id: string;
  title: string | null;
  /** Who gave the title: the beginning of the first prompt, a model, or a person. */
  titled_by?: "prompt" | "model" | "user";
  persona: string | null;
  /** The newest message of the active branch. */
  head: number | null;
  /** Grows with every change. */
  version: number;
  messages: number;
  running: TurnId | null;
  /** Whether it stands before the others in lists. */
  pinned: boolean;
  /** Whether it is put away. */
  archived: boolean;
  /** What the application keeps with it. */
  metadata?: Metadata;
  /** How long after its last change it is deleted, in milliseconds. */
  ttl_ms?: number;
  /** The summary that stands for the beginning. */
  summary?: number;
  created_ms: number;
  updated_ms: number;
}

/** What an application keeps with a session: at most 64 KiB of JSON. The engine never looks inside. */
export type Metadata = Record<string, unknown>;

/** Where a list of sessions goes on. */
export interface Cursor {
  pinned?: boolean;
  updated_ms: number;
  session: string;
}

/** What stands for the beginning of a conversation where a model is sent it. The messages themselves stay. */
export interface Summary {
  seq: number;
  /** The last message that it covers. */
  upto: number;
  text: string;
  /** The model that wrote it. */
  model: string | null;
  /** When it was made, in milliseconds since 1970. */
  created_ms: number;
  /** Whether it is the one that is used, on branches that have the message `upto`. */
  active: boolean;
}

/** One page of an owner's sessions, the pinned ones first, then the latest changed. */
export interface SessionPage {
  sessions: SessionInfo[];
  next: Cursor | null;
}

/** What happened to an owner's sessions. */
export interface Change {
  /** Its number in the owner's journal: 1, 2, 3… */
  n: number;
  session: string;
  turn?: TurnId;
  kind: "created" | "titled" | "updated" | "deleted" | "turn_begun" | "turn_ended" | "renamed" | (string & {});
  at_ms: number;
}

/** A change, and the session as it stood when the change was told. */
export interface News extends Change {
  /** `null` if it is gone. */
  info: SessionInfo | null;
}

/** A message without its words. */
export interface Node {
  seq: number;
  parent: number | null;
  role: Role;
  status: Status;
  created_ms: number;
}

/** A branch: the way from the first message to one that nothing follows. */
export interface Branch {
  /** Its newest message: what `select` takes. */
  head: number;
  /** The newest message that it shares with an older branch. */
  fork: number | null;
  /** How many messages it has. */
  messages: number;
  updated_ms: number;
  /** Whether it is the one that is shown. */
  active: boolean;
}

/** A message, or a session by its title, that has all the words. */
export interface SearchHit {
  session: SessionInfo;
  /** The message; `null`: the title. */
  seq: number | null;
  role: Role | null;
  /** When it was said; of a title, when the session was made. */
  at_ms: number;
  /** The part of it where the words are; `hit`: this piece is what was looked for. */
  snippet: { text: string; hit: boolean }[];
}

/** What a search found, the newest first. */
export interface SearchPage {
  hits: SearchHit[];
  /** Where to go on, if there is more. */
  next: string | null;
  /** Whether everything could be looked at. A large import takes a while to become findable: search again, or call `index`. */
  complete: boolean;
}

/** Sampling parameters; what is not set is the model's default. */
export interface Params {
  temperature?: number;
  top_p?: number;
  max_tokens?: number;
  stop?: string[];
  seed?: number;
}

/** What one look found. */
export interface Check {
  ok: boolean;
  latency_ms: number;
  error: ErrorInfo | null;
}

/** How an engine is, as a `/health` tells it. */
export interface Health {
  /** Whether to send it requests: the store answers, and the engine is not closing. */
  healthy: boolean;
  closing: boolean;
  /** How many turns run in this engine. */
  running: number;
  /** The version of the store's schema, if it has one. */
  schema: number | null;
  /** Whether what is stored can be read with a key alone. */
  encrypted: boolean;
  store: Check;
  live: Check | null;
}

/** One number of a metric, or for a histogram many. */
export type Point = { labels: Record<string, string> } & (
  | { value: number }
  | {
      count: number;
      sum: number;
      /** Upper bounds, and how many were not above each. */
      buckets: [bound: number, count: number][];
    }
);

/** A metric with its numbers: it says itself what it is. */
export interface Metric {
  name: string;
  kind: "counter" | "gauge" | "histogram";
  unit: string;
  help: string;
  points: Point[];
}

/** How conversations are written: everything as JSON Lines, or the active branch for people. */
export type ExportFormat = "jsonl" | "markdown";

/** How conversations are written where they come from. */
export type ImportFormat = ExportFormat | "chatgpt" | "chat_db";

/** What became of one conversation of an import. */
export type ImportEntry = {
  /** Its id here; `null` where the source does not tell which conversation it was. */
  session: string | null;
  title: string | null;
  /** Who owns it, where an import has several owners. */
  owner?: string;
  /** How many messages were written. */
  messages: number;
} & (
  | { outcome: "imported" | "unchanged" }
  | { outcome: "partly"; left_out: Record<string, number> }
  | { outcome: "refused"; error: ErrorInfo }
);

/** What became of the conversations of an import, one by one. */
export interface ImportReport {
  entries: ImportEntry[];
  /** How many are here now, whole. */
  imported: number;
  /** How many were here already. */
  unchanged: number;
  /** How many are here now, with something left out. */
  partly: number;
  /** How many are not here. */
  refused: number;
  /** How many messages were written. */
  messages: number;
}

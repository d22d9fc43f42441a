/** Model, memory and persona put together; hands out users. */
import type { Health, ImportReport, Metric, ModelInfo } from "./data.js";
import { Desk } from "./desk.js";
import { InvalidInputError, crossing } from "./errors.js";
import type { Hook } from "./hooks.js";
import { hub } from "./hub.js";
import { spelledLimits, type Limit, type Price } from "./limits.js";
import type { Memory } from "./memory.js";
import { Own, type Model, type Models } from "./models.js";
import { native, type NativeEngine } from "./native.js";
import { spelled, type CallOptions, type LongCallOptions } from "./options.js";
import type { Persona } from "./persona.js";
import { Scope } from "./scope.js";
import type { Tool } from "./tools.js";
import { User } from "./user.js";

/** An engine's parts; what is left out is as the engine has it. */
export interface EngineOptions {
  /**
   * A model's name (`gpt-4o-mini`, `anthropic:claude-sonnet-4-5`, `responses:gpt-5`, `offline` for the built-in cat), one with
   * settings of its own (`new Anthropic({ thinking: 4096 })`), or a model of yours; or several,
   * `{ image: new Images(), "*": "gpt-4o" }`, of which `send(…, { model })` chooses one by its name or the beginning of it
   * (`gpt-*`). Left out: `OPENAI_MODEL`.
   */
  model?: Model | Models | undefined;
  /**
   * The endpoint; left out: `OPENAI_BASE_URL` or `ANTHROPIC_BASE_URL`, else the provider's own. Of several models it is
   * OpenAI's.
   */
  baseUrl?: string | undefined;
  /** The key; left out: `OPENAI_API_KEY`, or `ANTHROPIC_API_KEY`. Of several models it is OpenAI's. */
  apiKey?: string | undefined;
  /** The store's URL (`memory:`, `sqlite:chat.db`, `postgres://…`), or a store of yours. */
  memory?: string | Memory | undefined;
  /** The URL of a Redis (`redis://…`), where other processes see replies grow. Left out: they look into the store. */
  live?: string | undefined;
  /** The application's own code at four places of each turn, asked in this order. */
  hooks?: readonly Hook[] | undefined;
  /** What the model may ask for; see `tool`. */
  tools?: readonly Tool[] | undefined;
  /** How often the model is asked at most in one turn: once, and once more after each round of tools. */
  maxSteps?: number | undefined;
  /** Who answers: a persona, or the name of a built-in one. */
  persona?: Persona | string | undefined;
  /** How many messages the model is sent. */
  windowMessages?: number | undefined;
  /** How many tokens the model is sent. */
  windowTokens?: number | undefined;
  /**
   * How much of that stays filled, in percent, when older turns are let go of. They go in chunks, so that most prompts
   * begin as the one before did, and the provider's cache serves them.
   */
  windowKeep?: number | undefined;
  /**
   * With `true`, or with what is to be otherwise, a model makes a title of each session's first message, beside the turn.
   * Left out: the beginning of the message is the title, which costs nothing.
   */
  titles?: TitleOptions | boolean | undefined;
  /**
   * With `true`, or with what is to be otherwise, a model sums up the beginning of conversations that grow out of the
   * window, beside the turns. Left out: what is too far back is not sent.
   */
  summaries?: SummaryOptions | boolean | undefined;
  /** How often the model is asked at most before anything was shown; 1 never retries. */
  attempts?: number | undefined;
  /** The first pause between two attempts, in milliseconds. */
  retryBaseMs?: number | undefined;
  /** How long a turn is believed alive after its last checkpoint, in milliseconds. */
  leaseMs?: number | undefined;
  /**
   * Keeps answers, and gives them to the same request again for nothing; left out: it does not. For demos and tests:
   * owners share it, and a conversation seldom asks the same thing twice.
   */
  cache?: CacheOptions | undefined;
  /** After how many milliseconds without a change new sessions are deleted. Left out: never. */
  sessionTtlMs?: number | undefined;
  /**
   * Encrypts what is stored, with these keys: the path of a file of keys, or a text of them. Left out: it is stored as it is.
   * There is no search then. With `refusePlaintext` nothing is read that is not encrypted.
   */
  encryption?: string | EncryptionOptions | undefined;
  /** Whether messages are made findable. Left out: yes. */
  search?: boolean | undefined;
  /**
   * What models cost, by name (`gpt-4o*` stands for all that begin so). None is built in. With it replies and the ledger
   * tell their cost.
   */
  prices?: Readonly<Record<string, Price>> | undefined;
  /** How much may be used. */
  limits?: readonly Limit[] | undefined;
  /** How many turns of one owner may run at once, in all processes. Left out: any number. */
  maxRunning?: number | undefined;
  /** Whether messages are told to the log, at the level `info`. Left out: no. */
  recordContent?: boolean | undefined;
}

/** How much is kept; what is left out is as the engine has it. */
export interface CacheOptions {
  /** The most bytes. */
  bytes?: number | undefined;
  /** How long an answer may be given again, in milliseconds. */
  ttlMs?: number | undefined;
}

/** With which keys what is stored is encrypted. */
export interface EncryptionOptions {
  /** The path of a file of keys, or a text of them. */
  keys: string;
  /** Whether records that are not encrypted are refused. Left out: they are read as they are. */
  refusePlaintext?: boolean | undefined;
}

/** How to adopt a database, beside which. */
export interface AdoptOptions extends LongCallOptions {
  /** Who gets the chats that nobody owns; left out: they are refused. */
  otherwise?: string | undefined;
  /** Only say what would become of each chat. */
  dryRun?: boolean | undefined;
}

/** How titles are made; what is left out is as the engine has it. */
export interface TitleOptions {
  /** A model's name at the engine's endpoint; take a small one. Left out: the engine's own. */
  model?: string | undefined;
  /** How long it may take. Then the beginning of the first message stays the title. */
  deadlineMs?: number | undefined;
  /** What the model is told. */
  prompt?: string | undefined;
  /** The longest title, in characters. */
  maxChars?: number | undefined;
}

/** How summaries are made; what is left out is as the engine has it. */
export interface SummaryOptions {
  /** A model's name at the engine's endpoint. Left out: the engine's own. */
  model?: string | undefined;
  /** When one is due: once what stands beyond the last one is more than so many percent of the window. */
  at?: number | undefined;
  /** How much stays beyond a new one, in percent of the window. */
  keep?: number | undefined;
  /** How long it may take. Then it is tried again after a later turn. */
  deadlineMs?: number | undefined;
  /** What the model is told. */
  prompt?: string | undefined;
  /** The most tokens of an answer. */
  maxTokens?: number | undefined;
}

/** Making one does no I/O; the first call opens the store. */
export class Engine implements AsyncDisposable {
  readonly #native: NativeEngine;
  readonly #desks: readonly Desk[];

  constructor({ model, memory, hooks = [], tools = [], cache, encryption, titles, summaries, ...rest }: EngineOptions = {}) {
    const models = new Own();
    const url = typeof memory === "string" ? memory : undefined;
    const inner = { cache: nested(cache), encryption: nested(encryption), titles: nested(titles), summaries: nested(summaries) };
    const config = { ...rest, ...inner, model: crossing(() => models.named(model)), memory: url };
    const desk = new Desk(undefined, url === undefined ? (memory as Memory | undefined) : undefined, hooks, tools);
    const text = JSON.stringify(spelledLimits(config));
    this.#native = crossing(() => new native.Engine(text, models.native, desk.native, desk.describe()));
    this.#desks = [desk, ...models.desks];
  }

  /** An owner of sessions: a user, a tenant, an anonymous id. */
  user(owner: string): User {
    if (typeof owner !== "string") throw new InvalidInputError("an owner is a string; `local()` is for single-user programs");
    return new User(new Scope(this.#native, owner));
  }

  /** The one owner of a single-user program. */
  local(): User {
    return new User(new Scope(this.#native, null));
  }

  /** Opens the store now, to hear at once if it cannot be used. */
  async open({ signal }: CallOptions = {}): Promise<void> {
    await hub().call(this.#native, { do: "open" }, signal);
  }

  /** Which models there are to choose from, by id: for a picker, whose choice goes into `send(…, { model })`. */
  async models({ signal }: CallOptions = {}): Promise<ModelInfo[]> {
    const answer = (await hub().call(this.#native, { do: "models" }, signal)) as { data: ModelInfo[] };
    return answer.data;
  }

  /**
   * Brings in the chats of another program's SQLite database (tables `chats` and `messages`), each for the owner that its
   * `user_id` names, and those without one for `otherwise`.
   */
  async adopt(path: string, { otherwise, dryRun, signal, onProgress }: AdoptOptions = {}): Promise<ImportReport> {
    const call = { do: "adopt", path, otherwise, dry_run: dryRun };
    const answer = (await hub().call(this.#native, call, signal, onProgress)) as { data: ImportReport };
    return answer.data;
  }

  /** Copies the SQLite store into a new file, while it is in use. */
  async backup(path: string, { signal, onProgress }: LongCallOptions = {}): Promise<void> {
    await hub().call(this.#native, { do: "backup", path }, signal, onProgress);
  }

  /** Ends turns that nobody drives any more; a long-lived engine does it by itself. */
  async sweep({ signal }: CallOptions = {}): Promise<void> {
    await hub().call(this.#native, { do: "sweep" }, signal);
  }

  /**
   * Puts the whole store under the newest key of `encryption`, and says how many records were written. `onProgress` hears how
   * many owners are done.
   */
  async reseal({ signal, onProgress }: LongCallOptions = {}): Promise<number> {
    const answer = (await hub().call(this.#native, { do: "reseal_all" }, signal, onProgress)) as { data: number };
    return answer.data;
  }

  /** How this engine is: looks at the store and the live log, within 3 s. It never rejects for what is wrong there: that is what it tells. */
  async health({ signal }: CallOptions = {}): Promise<Health> {
    return (await this.#data({ do: "health" }, signal)) as Health;
  }

  /** What this engine has counted since it was opened. */
  async metrics({ signal }: CallOptions = {}): Promise<Metric[]> {
    return (await this.#data({ do: "metrics" }, signal)) as Metric[];
  }

  /** The same as the text that Prometheus reads: what a `/metrics` answers with. */
  async prometheus({ signal }: CallOptions = {}): Promise<string> {
    return (await this.#data({ do: "prometheus" }, signal)) as string;
  }

  async #data(call: object, signal?: AbortSignal): Promise<unknown> {
    const answer = await hub().call(this.#native, call, signal);
    return "data" in answer ? answer.data : undefined;
  }

  /** Takes no new sends, waits for turns that run, ends the rest `interrupted` with their text, and closes the store. */
  async close({ deadlineMs, signal }: CallOptions & { deadlineMs?: number } = {}): Promise<void> {
    await hub().call(this.#native, { do: "close", deadline_ms: deadlineMs }, signal);
    for (const desk of this.#desks) desk.leave();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }
}

function nested(options: object | boolean | string | undefined): unknown {
  return typeof options === "object" ? spelled(options) : options;
}

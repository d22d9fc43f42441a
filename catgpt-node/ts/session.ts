/** One conversation of an owner: say something, watch it, read it, change it. */
import type { Branch, Content, ExportFormat, Message, MessagePage, Metadata, NewMessage, Node, Params, SessionInfo, Summary, TurnId, UiMessage } from "./data.js";
import type { PaceOptions } from "./encoded.js";
import { spelledLimits, type Limit, type LimitOptions } from "./limits.js";
import type { CallOptions } from "./options.js";
import type { Persona } from "./persona.js";
import type { Reply } from "./reply.js";
import type { Scope } from "./scope.js";
import type { Decision } from "./tools.js";

/** What leaving a reply does to its turn: nothing, or it is cancelled. */
export type OnDrop = "detach" | "cancel";

/** How to send, beside what; what is left out is as the engine has it. */
export interface SendOptions extends CallOptions {
  /** The same key with the same message is the same turn, whatever became of it. Remembered for 24 hours. */
  key?: string | undefined;
  /** What to do if another turn runs in the session. */
  busy?: "reject" | "queue" | "interrupt" | undefined;
  /** For `queue`: how long to wait. */
  queueMs?: number | undefined;
  /** Who answers, from this turn on: a persona, or the name of a built-in one. */
  persona?: Persona | string | undefined;
  /** Values for variables of the persona's prompt. */
  vars?: Record<string, string> | undefined;
  params?: Params | undefined;
  /** The model for this turn. */
  model?: string | undefined;
  /** The key for this turn. It is not stored. */
  credentials?: string | undefined;
  /** Only if the session is still at this version. */
  ifVersion?: number | undefined;
  onDrop?: OnDrop | undefined;
  /** The names of the engine's tools that the model may ask for. Left out: all. */
  tools?: readonly string[] | undefined;
  /** Values of the keys that limits count by: `{ ip: address }`. */
  limitKeys?: Readonly<Record<string, string>> | undefined;
  /** These limits instead of the engine's: the owner's plan. */
  limits?: readonly Limit[] | undefined;
  /** How many turns of the owner may run, this one counted, instead of what the engine says. */
  maxRunning?: number | undefined;
}

/** What a new session is given; all of it may be left out. */
export interface NewSession extends CallOptions {
  /** Left out: the beginning of the first message. */
  title?: string | undefined;
  /** Who answers; left out: the engine's. */
  persona?: Persona | string | undefined;
  metadata?: Metadata | undefined;
  /** How many milliseconds after its last change it is deleted; left out: as the engine has it. */
  ttlMs?: number | undefined;
}

/** Where added messages go, beside what. */
export interface AppendOptions extends CallOptions {
  /** After the message of this number, or before all as another beginning. */
  after?: number | "start" | undefined;
  /** Only if the session is still at this version; 0: only if it is not there. */
  ifVersion?: number | undefined;
  /** Kept with the session in the same step, in the place of what was kept. */
  metadata?: Metadata | undefined;
}

/** A conversation. Making the handle touches nothing; the first send makes the session. */
export class Session {
  readonly #scope: Scope;

  /** @internal */
  constructor(
    scope: Scope,
    readonly id: string,
  ) {
    this.#scope = scope;
  }

  /**
   * Says something: a text, or texts and pictures (`["What is this?", { type: "image", url }]`). Resolves once the message
   * is committed. A busy session rejects with `BusyError`.
   */
  send(content: Content, options: SendOptions = {}): Promise<Reply> {
    return this.#ask({ do: "send", content }, options);
  }

  /** Says something else instead of an earlier message of the user, as a new branch beside it. */
  edit(seq: number, content: Content, options: SendOptions = {}): Promise<Reply> {
    return this.#ask({ do: "edit", seq, content }, options);
  }

  /** Asks for another answer beside an earlier one; `undefined` for the newest. */
  regenerate(seq?: number, options: SendOptions = {}): Promise<Reply> {
    return this.#ask({ do: "regenerate", seq }, options);
  }

  /** Says something after a message of the tree, as a new branch if that has been answered before. */
  sendAfter(seq: number, content: Content, options: SendOptions = {}): Promise<Reply> {
    return this.#ask({ do: "send_after", seq, content }, options);
  }

  /** Goes on with a reply that was cut off, or with any other (`undefined`: the newest), as a new reply that follows it. */
  continueReply(seq?: number, options: SendOptions = {}): Promise<Reply> {
    return this.#ask({ do: "continue_reply", seq }, options);
  }

  /**
   * Decides about all calls that the newest reply waits with (`finished.pending`), and goes on as a new turn: from any
   * process, once.
   */
  decide(decisions: readonly Decision[], options: SendOptions = {}): Promise<Reply> {
    return this.#ask({ do: "decide", decisions }, options);
  }

  /** Watches a turn of this session from an offset on: one that runs, here or elsewhere, or one that has ended. */
  attach(turn: TurnId, offset?: number, options: CallOptions & { onDrop?: OnDrop } = {}): Promise<Reply> {
    return this.#scope.reply({ do: "attach", session: this.id, turn, offset, on_drop: options.onDrop }, options.signal);
  }

  /** Watches the turn that runs here, from its beginning; `null` if there is none. */
  resume(options: CallOptions & { onDrop?: OnDrop } = {}): Promise<Reply | null> {
    return this.#scope.resumed({ do: "resume", session: this.id, on_drop: options.onDrop }, options.signal);
  }

  /** What the AI SDK asks for to go on with a chat: all of the reply that is being written, or 204 if there is none. */
  async resumeUIMessageStream({ signal, ...init }: ResponseInit & PaceOptions & CallOptions = {}): Promise<Response> {
    const reply = await this.resume({ signal });
    return reply ? reply.toUIMessageStreamResponse(init) : new Response(null, { status: 204 });
  }

  /** The newest messages of the active branch as the AI SDK's `UIMessage`s, to begin a chat with. */
  uiMessages({ last, signal }: CallOptions & { last?: number } = {}): Promise<UiMessage[]> {
    return this.#look({ do: "ui_messages", last }, signal);
  }

  /** The newest messages of the active branch, oldest first. */
  history({ last, signal }: CallOptions & { last?: number } = {}): Promise<Message[]> {
    return this.#look({ do: "history", last }, signal);
  }

  /**
   * The newest messages of the branch that ends at `head`, or of the one that is shown, with their siblings: what a chat's
   * page shows. To go back, the first one's `parent` is the next `head`.
   */
  page({ head, last, signal }: CallOptions & { head?: number | null; last?: number } = {}): Promise<MessagePage> {
    return this.#look({ do: "page", head, last }, signal);
  }

  /** Messages of all branches after number `after`, by number. */
  tree({ after, limit, signal }: CallOptions & { after?: number; limit?: number } = {}): Promise<Message[]> {
    return this.#look({ do: "tree", after, limit }, signal);
  }

  /** This conversation, as text in pieces. */
  export(format?: ExportFormat, { signal }: CallOptions = {}): AsyncGenerator<string, void, undefined> {
    return this.#scope.pages(this.id, format, false, signal);
  }

  /** All messages without their words, by number. */
  outline({ signal }: CallOptions = {}): Promise<Node[]> {
    return this.#look({ do: "outline" }, signal);
  }

  /** Its branches, the oldest first. */
  branches({ signal }: CallOptions = {}): Promise<Branch[]> {
    return this.#look({ do: "branches" }, signal);
  }

  /**
   * Adds finished messages that were written elsewhere, all of them or none, and tells their numbers: after the newest of
   * the branch that is shown, or where `after` says, which is what is shown then. Makes the session if it is not there.
   * Without messages it only moves to that place.
   */
  append(messages: readonly NewMessage[], { after, ifVersion, metadata, signal }: AppendOptions = {}): Promise<number[]> {
    return this.#look({ do: "append", messages, after, if_version: ifVersion, metadata }, signal);
  }

  /** Makes it before anything is said, and tells what is there then. One that is there already is left as it is. */
  create({ signal, ttlMs, ...given }: NewSession = {}): Promise<SessionInfo> {
    return this.#look({ do: "create", ...given, ttl_ms: ttlMs }, signal);
  }

  info({ signal }: CallOptions = {}): Promise<SessionInfo> {
    return this.#look({ do: "info" }, signal);
  }

  async rename(title: string, { signal }: CallOptions = {}): Promise<void> {
    await this.#look({ do: "rename", title }, signal);
  }

  /** Lets it stand before the others in lists, or among them again. */
  async setPinned(pinned: boolean, { signal }: CallOptions = {}): Promise<void> {
    await this.#look({ do: "set_pinned", pinned }, signal);
  }

  /** Puts it away, or takes it out again: a list shows either those that are put away or those that are not. */
  async setArchived(archived: boolean, { signal }: CallOptions = {}): Promise<void> {
    await this.#look({ do: "set_archived", archived }, signal);
  }

  /** Keeps this with it, in the place of what was kept; `{}` takes it away. */
  async setMetadata(metadata: Metadata, { signal }: CallOptions = {}): Promise<void> {
    await this.#look({ do: "set_metadata", metadata }, signal);
  }

  /** Says how long after its last change it is deleted with all that was said; `null`: never. */
  async setTtl(ttlMs: number | null, { signal }: CallOptions = {}): Promise<void> {
    await this.#look({ do: "set_ttl", ttl_ms: ttlMs }, signal);
  }

  /**
   * Has a model make a title of the first message now. One that a person gave stays: then it rejects with `ConflictError`. It
   * counts as a turn, by the engine's limits or by these.
   */
  makeTitle({ signal, ...options }: LimitOptions = {}): Promise<string> {
    return this.#look({ do: "make_title", ...spelledLimits(options) }, signal);
  }

  /** All summaries that were ever made here. */
  summaries({ signal }: CallOptions = {}): Promise<Summary[]> {
    return this.#look({ do: "summaries" }, signal);
  }

  /**
   * Has the conversation summed up now, up to the end of the turn of message `upto` (else of the newest whole turn), and
   * uses that from the next turn on. It counts as a turn, by the engine's limits or by these.
   */
  summarize({ signal, ...options }: LimitOptions & { upto?: number } = {}): Promise<Summary> {
    return this.#look({ do: "summarize", ...spelledLimits(options) }, signal);
  }

  /** Uses a former summary again, or none, from the next turn on. */
  async setSummary(summary: number | null, { signal }: CallOptions = {}): Promise<void> {
    await this.#look({ do: "set_summary", summary }, signal);
  }

  /** Gives it another persona, from the next turn on. */
  async setPersona(persona: Persona | string, { signal }: CallOptions = {}): Promise<void> {
    await this.#look({ do: "set_persona", persona }, signal);
  }

  /** Shows the branch that ends at `head`; with `ifVersion` only if nothing has changed since. */
  async select(head: number, { ifVersion, signal }: CallOptions & { ifVersion?: number } = {}): Promise<void> {
    await this.#look({ do: "select", head, if_version: ifVersion }, signal);
  }

  /** Shows the branch through a message that has grown last, as a branch switcher does. */
  async selectThrough(seq: number, { signal }: CallOptions = {}): Promise<void> {
    await this.#look({ do: "select_through", seq }, signal);
  }

  /** Copies the active branch, or the one that ends at `upto`, into a new session: with this id, or a fresh one. */
  async fork(id?: string, { upto, signal }: CallOptions & { upto?: number } = {}): Promise<Session> {
    return new Session(this.#scope, await this.#look<string>({ do: "fork", into: id, upto }, signal));
  }

  /**
   * Deletes it with all that was said. A turn that runs in it ends; with `ifVersion` only if nothing has changed since, and no
   * turn runs.
   */
  async delete({ ifVersion, signal }: CallOptions & { ifVersion?: number } = {}): Promise<void> {
    await this.#look({ do: "delete", if_version: ifVersion }, signal);
  }

  #ask(call: object, { signal, ...options }: SendOptions): Promise<Reply> {
    return this.#scope.reply({ ...call, session: this.id, options: spelledLimits(options) }, signal);
  }

  #look<T>(call: object, signal: AbortSignal | undefined): Promise<T> {
    return this.#scope.data({ ...call, session: this.id }, signal);
  }
}

/** The owner's handle: all that belongs to one owner, and nothing else. */
import type { Change, Cursor, ExportFormat, ImportFormat, ImportReport, SearchPage, SessionPage, TurnId } from "./data.js";
import { handle, serve, type HttpOptions, type HttpResponseLike, type IncomingMessageLike } from "./http.js";
import { spelledLimits, type GroupBy, type LimitOptions, type LimitState, type Spent } from "./limits.js";
import { Feed } from "./news.js";
import { native } from "./native.js";
import { spelled, type CallOptions, type LongCallOptions } from "./options.js";
import type { Reply } from "./reply.js";
import type { Scope } from "./scope.js";
import { Session, type OnDrop, type SendOptions } from "./session.js";

/** How to answer a frame. */
export interface FrameOptions extends SendOptions {
  open?: number | undefined;
  /** Milliseconds of silence (15 000) before a frame that says nothing else; 0 for none. */
  keepAliveMs?: number | undefined;
  /** Milliseconds between two frames of a turn at least (20): what comes meanwhile goes in one. */
  minIntervalMs?: number | undefined;
}

/** Which part of an owner's ledger, and by what it is summed up; without `by` it is one sum. */
export interface UsageOptions extends CallOptions {
  by?: readonly GroupBy[] | undefined;
  /** For this session alone. */
  session?: string | undefined;
  /** From the day of this time on, in milliseconds since 1970. */
  fromMs?: number | undefined;
  /** Up to the day before the day of this time. */
  toMs?: number | undefined;
}

/** How to import, beside what. */
export interface ImportOptions extends LongCallOptions {
  /** Left out: it is told from what is there. */
  format?: ImportFormat | undefined;
  /** Only say what would become of each conversation. */
  dryRun?: boolean | undefined;
}

/** An owner. What others own is not found through it. */
export class User {
  readonly #scope: Scope;

  /** @internal */
  constructor(scope: Scope) {
    this.#scope = scope;
  }

  /** Who it is; `null` for the one owner of a single-user program. */
  get owner(): string | null {
    return this.#scope.owner;
  }

  /** The session of this id, there or not yet. Touches nothing. */
  session(id: string): Session {
    return new Session(this.#scope, id);
  }

  /** A session with a fresh id. Touches nothing. */
  newSession(): Session {
    return this.session(native.freshSession());
  }

  /**
   * A page of the sessions that are not put away, or of those that are: the pinned ones first, then the latest changed,
   * after a page before.
   */
  sessions({ signal, ...page }: CallOptions & { after?: Cursor | null; limit?: number; archived?: boolean } = {}): Promise<SessionPage> {
    return this.#scope.data({ do: "sessions", ...page }, signal);
  }

  /** Deletes those of these sessions that are there, and says how many. Turns that run in them end. */
  delete(ids: Iterable<string>, { signal }: CallOptions = {}): Promise<number> {
    return this.#scope.data({ do: "delete_many", sessions: [...ids] }, signal);
  }

  /** Deletes the sessions in which nothing was ever said, and says how many. */
  deleteEmpty({ signal }: CallOptions = {}): Promise<number> {
    return this.#scope.data({ do: "delete_empty" }, signal);
  }

  /**
   * Deletes all that the store has of this owner, and says how many sessions. `onProgress` hears how many are gone. If it
   * fails, call it again to go on.
   */
  erase({ signal, onProgress }: LongCallOptions = {}): Promise<number> {
    return this.#scope.data({ do: "erase" }, signal, onProgress);
  }

  /**
   * Takes over all that another owner has, as when a guest signs in, and says how many sessions came. Turns that run there
   * are waited for, 10 seconds or `waitMs`. That the two are one person is for you to know.
   */
  claim(guest: string, { waitMs, signal }: CallOptions & { waitMs?: number } = {}): Promise<number> {
    return this.#scope.data({ do: "claim", from: guest, wait_ms: waitMs }, signal);
  }

  /**
   * Messages and titles that have all words of the question, the newest first; its last word may be a beginning. Case,
   * accents and forms of letters make no difference.
   */
  search(question: string, { after, limit, signal }: CallOptions & { after?: string | null; limit?: number } = {}): Promise<SearchPage> {
    return this.#scope.data({ do: "search", question, after, limit }, signal);
  }

  /**
   * Makes all messages findable that are not yet: for after a large import, since searches and sweeps do it too.
   * `onProgress` hears how many so far.
   */
  async index({ signal, onProgress }: LongCallOptions = {}): Promise<void> {
    await this.#scope.data({ do: "index" }, signal, onProgress);
  }

  /**
   * Puts all that the store has of this owner under the newest key of the engine's `encryption`, while it is in use, and says
   * how many records were written. `onProgress` hears how many sessions are done. If it fails, call it again to go on.
   */
  reseal({ signal, onProgress }: LongCallOptions = {}): Promise<number> {
    return this.#scope.data({ do: "reseal" }, signal, onProgress);
  }

  /**
   * What happens to the sessions, in any process: `for await (const news of user.feed())`. What a list of sessions and a
   * second tab listen to. It goes on after number `after`, or begins now. The numbers are dense: a gap says that changes
   * older than 24 h were forgotten, and the sessions have to be listed again.
   */
  feed(options: CallOptions & { after?: number | null } = {}): Feed {
    return new Feed(this.#scope, options);
  }

  /** Watches a turn from an offset on: one that runs, here or elsewhere, or one that has ended. */
  attach(turn: TurnId, offset?: number, options: CallOptions & { onDrop?: OnDrop } = {}): Promise<Reply> {
    return this.#scope.reply({ do: "attach", turn, offset, on_drop: options.onDrop }, options.signal);
  }

  /**
   * Does what a request of the AI SDK (`useChat`) asks for; `body` is its body, as text or read as JSON. The chat's id is
   * the session's.
   */
  chat(body: string | object, { signal, ...options }: SendOptions = {}): Promise<Reply> {
    const text = typeof body === "string" ? body : JSON.stringify(body);
    return this.#scope.reply({ do: "chat", body: text, options: spelledLimits(options) }, signal);
  }

  /**
   * Does what a frame of a web socket asks for, and gives the frames of the answer. A frame that is refused is answered
   * too. `open` is how many answers the socket is given already, of which there is a limit.
   */
  frames(frame: string, { open, keepAliveMs, minIntervalMs, signal, ...options }: FrameOptions = {}): AsyncGenerator<string, void> {
    const encoding = spelled({ keepAliveMs, minIntervalMs });
    return this.#scope.frames({ do: "frame", frame, open, encoding, options: spelledLimits(options) }, signal);
  }

  /**
   * Answers a request of the HTTP API that comes with the engine: `export const GET = (request) => user.serve(request)`.
   * What goes wrong is in the response.
   */
  serve(request: Request, options: HttpOptions = {}): Promise<Response> {
    return serve(this.#scope, request, options);
  }

  /** The same for `node:http` and Express: `app.use("/api", (request, response) => user.handle(request, response))`. */
  handle(request: IncomingMessageLike, response: HttpResponseLike, options: HttpOptions = {}): Promise<void> {
    return handle(this.#scope, request, response, options);
  }

  /** Stops a turn, wherever it runs. The text so far is kept; a turn that has ended is left as it is. */
  async cancel(turn: TurnId, { signal }: CallOptions = {}): Promise<void> {
    await this.#scope.data({ do: "cancel", turn }, signal);
  }

  /** The turns that run, in any process, with their sessions. */
  turns({ signal }: CallOptions = {}): Promise<[session: string, turn: TurnId][]> {
    return this.#scope.data({ do: "turns" }, signal);
  }

  /** What the owner's turns have used, however they ended. */
  usage({ signal, ...options }: UsageOptions = {}): Promise<Spent[]> {
    return this.#scope.data({ do: "usage", ...spelled(options) }, signal);
  }

  /** How far the owner has come with the limits. Those that count by a key are left out, but for the keys given. */
  limits({ signal, ...options }: LimitOptions = {}): Promise<LimitState[]> {
    return this.#scope.data({ do: "limits", ...spelledLimits(options) }, signal);
  }

  /** Changes after a number, in order. They are kept for 24 hours. */
  changes({ after, limit, signal }: CallOptions & { after?: number; limit?: number } = {}): Promise<Change[]> {
    return this.#scope.data({ do: "changes", after, limit }, signal);
  }

  /**
   * Brings in conversations that were written elsewhere: those of a file or folder by its path, or of a file's content.
   * Importing the same again changes nothing.
   */
  import(source: string | Uint8Array, { format, dryRun, signal, onProgress }: ImportOptions = {}): Promise<ImportReport> {
    const given = typeof source === "string" ? { path: source } : { content: Buffer.from(source).toString("base64") };
    return this.#scope.data({ do: "import", source: { ...given, format, dry_run: dryRun } }, signal, onProgress);
  }

  /** All conversations, as text in pieces. `onProgress` hears how many sessions are written. */
  async *export(format?: ExportFormat, { signal, onProgress }: LongCallOptions = {}): AsyncGenerator<string, void, undefined> {
    const sessions: string[] = await this.#scope.data({ do: "export_list" }, signal);
    for (const [at, session] of sessions.entries()) {
      yield* this.#scope.pages(session, format, true, signal);
      onProgress?.({ done: at + 1, total: sessions.length });
    }
  }
}

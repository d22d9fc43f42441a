/**
 * The guest's token: made, kept, renewed before it ends and when it is refused.
 *
 * It is kept in `localStorage`, so that a reload and a second tab keep the guest, whose chats nobody else can reach. A
 * script in the page could take it from there; it could as well make calls with it. What helps against that is that no
 * script gets in: the page shows Markdown without HTML, and the token ends soon. It never stands in an address.
 */

import { offline, refusal, Refused } from "./failure.ts";

export interface Token {
  access_token: string;
  user_id: string;
  /** By this machine's clock. */
  ends_ms: number;
  lasts_ms: number;
}

/** Hears each new token, and whether it is another user's than the last one. */
type TokenListener = (token: Token, isOther: boolean) => void;

interface Answer {
  access_token: string;
  expires_in: number;
  user_id: string;
}

export type Store = Pick<Storage, "getItem" | "setItem" | "removeItem">;
type Fetch = typeof globalThis.fetch;

/** The longest that a timer may be set to; longer ones go off at once. */
const LONGEST_TIMER = 2 ** 31 - 1;

export class Auth {
  readonly #listeners = new Set<TokenListener>();
  #token: Token | null;
  #renewal: Promise<Token> | null = null;
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(
    private readonly base: string,
    private readonly slot: string,
    private readonly store: Store,
    private readonly fetch: Fetch = (input, init) => globalThis.fetch(input, init),
  ) {
    this.#token = stored(store, slot);
    if (this.#token) this.#schedule(this.#token);
  }

  /** A token that is good for a while: the kept one, a renewed one, or a new guest's. */
  async token(): Promise<string> {
    return (await this.#current()).access_token;
  }

  /** Whose token it is. */
  async user(): Promise<string> {
    return (await this.#current()).user_id;
  }

  /** After this token was refused: another one. */
  async renew(refused: string): Promise<string> {
    if (this.#token && this.#token.access_token !== refused) return this.token();
    return (await this.#once(() => this.#refresh())).access_token;
  }

  /** Gives what unsubscribes. */
  onToken(listener: TokenListener): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Signs in to an account, which gets the guest's chats. */
  async signIn(name: string, password: string): Promise<void> {
    await this.#become("/auth/login", { name, password });
  }

  /** The same with an account that is made for it. */
  async register(name: string, password: string): Promise<void> {
    await this.#become("/auth/register", { name, password });
  }

  /** The account's name; a guest has none. */
  async account(): Promise<{ name: string | null }> {
    const response = await this.#send("/auth/me", { headers: bearer(await this.token()) });
    const me = (await response.json()) as { name?: string | null };
    return { name: me.name ?? null };
  }

  async #become(path: string, who: object): Promise<void> {
    // Whose chats are to be claimed is told by the guest's token.
    await this.token();
    this.#keep(await this.#call(path, who));
  }

  async #current(): Promise<Token> {
    const token = this.#token;
    if (!token) return this.#once(() => this.#guest());
    const left = token.ends_ms - Date.now();
    if (left > margin(token)) return token;
    return this.#once(() => this.#refresh()).catch((error: unknown) => {
      if (left > 0) return token;
      throw error;
    });
  }

  /** One renewal at a time: all who need one wait for the same. */
  #once(renew: () => Promise<Answer>): Promise<Token> {
    this.#renewal ??= renew()
      .then((answer) => this.#keep(answer))
      .finally(() => (this.#renewal = null));
    return this.#renewal;
  }

  async #refresh(): Promise<Answer> {
    try {
      return await this.#call("/auth/refresh");
    } catch (error) {
      if (!(error instanceof Refused) || !["unauthorized", "refused"].includes(error.kind)) throw error;
      this.#token = null;
      this.store.removeItem(this.slot);
      return this.#guest();
    }
  }

  #guest(): Promise<Answer> {
    return this.#call("/auth/guest");
  }

  async #call(path: string, body?: object): Promise<Answer> {
    const headers: Record<string, string> = this.#token ? bearer(this.#token.access_token) : {};
    if (body) headers["content-type"] = "application/json";
    const response = await this.#send(path, { method: "POST", headers, ...(body && { body: JSON.stringify(body) }) });
    return (await response.json()) as Answer;
  }

  async #send(path: string, init: RequestInit): Promise<Response> {
    const response = await this.fetch(this.base + path, { ...init, cache: "no-store" }).catch(() => {
      throw offline();
    });
    if (!response.ok) throw await refusal(response);
    return response;
  }

  #keep(answer: Answer): Token {
    const lasts_ms = answer.expires_in * 1000;
    const { access_token, user_id } = answer;
    const token = { access_token, user_id, ends_ms: Date.now() + lasts_ms, lasts_ms };
    const isOther = this.#token?.user_id !== user_id;
    this.#token = token;
    this.store.setItem(this.slot, JSON.stringify(token));
    this.#schedule(token);
    for (const listener of this.#listeners) listener(token, isOther);
    return token;
  }

  #schedule(token: Token): void {
    clearTimeout(this.#timer);
    const ms = Math.min(Math.max(token.ends_ms - Date.now() - margin(token), 0), LONGEST_TIMER);
    // What fails now is tried again by whoever needs a token next.
    this.#timer = setTimeout(() => void this.#current().catch(() => {}), ms);
  }
}

/** How long before its end a token is renewed: a minute, or less of one that lasts only minutes. */
function margin(token: Token): number {
  return Math.min(60_000, token.lasts_ms * 0.3);
}

function bearer(token: string): Record<string, string> {
  return { authorization: `Bearer ${token}` };
}

function stored(store: Store, slot: string): Token | null {
  try {
    const token = JSON.parse(store.getItem(slot) ?? "null") as Token | null;
    return typeof token?.access_token === "string" && typeof token.ends_ms === "number" ? token : null;
  } catch {
    return null;
  }
}

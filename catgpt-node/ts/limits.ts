/** How much owners may use, what they have used, and what models cost: plain data. */
import type { Usage } from "./data.js";
import { crossing } from "./errors.js";
import { native } from "./native.js";
import { spelled, type CallOptions } from "./options.js";

/** What a million tokens of a model cost, in the unit that you choose. */
export interface Price {
  /** Of the prompt. */
  input: number;
  /** Of the answer; reasoning is part of it. */
  output: number;
  /** Of the part of the prompt that came from the provider's cache; as the rest of it if nothing is said. */
  cached?: number | undefined;
}

/** What is counted: turns, tokens, or cost in millionths of the unit of the prices. */
export type Unit = "turns" | "tokens" | "cost";

/** Whose use is counted together: each owner's, everyone's, or that of all sends with the same value of a key. */
export type Per = "owner" | "everyone" | { key: string };

/** So much may be used in a window of time. Windows begin at multiples of their length since 1970. */
export interface Limit {
  /** Its name, by which it is counted and refused; each limit has its own. */
  name: string;
  unit: Unit;
  max: number;
  windowMs: number;
  /** Left out: each owner's use by itself. */
  per?: Per | undefined;
}

export const Limit = {
  /**
   * So much of a thing in a time, as people write it: `Limit.rate("messages", "20/minute")`, `10 per hour`, `200000 tokens a
   * day`. Turns of each owner are counted if it says nothing else; the name is `messages a minute`.
   */
  rate: (thing: string, text: string): Limit => {
    const { name, unit, max, window_ms } = JSON.parse(crossing(() => native.rate(thing, text))) as RawLimit;
    return { name, unit, max, windowMs: window_ms };
  },
};

interface RawLimit {
  name: string;
  unit: Unit;
  max: number;
  window_ms: number;
}

/** A limit and how far it has come. */
export interface LimitState {
  name: string;
  per: Per;
  unit: Unit;
  /** What is used in this window, and reserved by turns that run. */
  used: number;
  max: number;
  window_ms: number;
  /** When the next window begins, in milliseconds since 1970. */
  resets_ms: number;
}

/** A limit that is reached; its name is `running` for the number of turns that run at once. */
export interface LimitInfo {
  name: string;
  unit: Unit | "running";
  max: number;
}

/** By what the ledger is summed up. Days are those of UTC. */
export type GroupBy = "day" | "session" | "model" | "purpose";

/** What was used, of one group of the ledger; what the groups do not tell apart is not there. */
export interface Spent {
  /** When the day began, in milliseconds since 1970. */
  day_ms?: number;
  session?: string;
  model?: string;
  purpose?: "turn" | "title" | "summary";
  /** How often a model was asked: turns, titles, summaries. */
  calls: number;
  usage: Usage;
  /** In millionths of the unit of the prices. */
  cost: number;
}

/** By which limits, instead of the engine's, and with which keys. */
export interface LimitOptions extends CallOptions {
  limits?: readonly Limit[] | undefined;
  limitKeys?: Readonly<Record<string, string>> | undefined;
}

/** Options with limits in them, as they cross. */
export function spelledLimits<T extends { limits?: readonly Limit[] | undefined }>(options: T): Record<string, unknown> {
  return spelled({ ...options, limits: options.limits?.map(spelled) });
}

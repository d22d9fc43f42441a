/** The contract for hooks: the application's own code at four places of a turn. */
import type { Message, Part, TurnId } from "./data.js";
import type { ModelRequest } from "./model.js";

/** Which turn a hook is asked about. */
export interface TurnAt {
  owner: string;
  session: string;
  turn: TurnId;
}

/** Something that the answer can lean on. What is longer than the window's tokens allow is left out: the best one first. */
export interface Source {
  /** What the model reads, numbered from 1, after the persona's system prompt. */
  text?: string;
  /** What the reader sees: shown before the text of the reply, and stored with it. */
  part?: Part;
}

/** What is to be sent; a key is not shown, but may be set. */
export type HookRequest = Pick<ModelRequest, "messages" | "params" | "model" | "tools">;

type Awaitable<T> = T | Promise<T>;

/**
 * Each method is asked only if it is there. Throwing refuses the turn: it ends as `failed` with that error, and is not
 * tried again. The signal is aborted when nobody waits any more.
 */
export interface Hook {
  /** Milliseconds that one answer may take. */
  timeoutMs?: number;
  /** Once a turn. The last message of the branch is the user's, or the reply that is to be gone on with. */
  beforePrompt?(at: TurnAt, branch: Message[], signal: AbortSignal): Awaitable<Source[] | null | undefined | void>;
  /** Each time the model is asked, so again for each retry: what to change; the rest stays. */
  beforeModel?(
    at: TurnAt,
    attempt: number,
    request: HookRequest,
    signal: AbortSignal,
  ): Awaitable<Partial<HookRequest & { credentials: string }> | null | undefined | void>;
  /**
   * With what was shown meanwhile, every half second or 4 KiB, and at the end: a turn is not complete before all of it has
   * passed.
   */
  onDeltas?(at: TurnAt, parts: Part[], signal: AbortSignal): Awaitable<void>;
  /** Once, after the end was committed. Nobody waits but `close`, and what is thrown here changes nothing. */
  afterTurn?(at: TurnAt, reply: Message, signal: AbortSignal): Awaitable<void>;
}

interface Question {
  hook: number;
  owner: string;
  session: string;
  turn: TurnId;
  branch: Message[];
  attempt: number;
  request: HookRequest;
  parts: Part[];
  reply: Message;
}

/** How each of the core's questions is put to a hook. */
const QUESTIONS: Record<string, (hook: Hook, at: TurnAt, body: Question, signal: AbortSignal) => unknown> = {
  before_prompt: (hook, at, { branch }, signal) => hook.beforePrompt?.(at, branch, signal),
  before_model: (hook, at, { attempt, request }, signal) => hook.beforeModel?.(at, attempt, request, signal),
  on_deltas: async (hook, at, { parts }, signal) => void (await hook.onDeltas?.(at, parts, signal)),
  after_turn: async (hook, at, { reply }, signal) => void (await hook.afterTurn?.(at, reply, signal)),
};

/** Whether this is asked of a hook. */
export const isHooks = (method: string): boolean => method in QUESTIONS;

/** Asks. */
export function askHook(hooks: readonly Hook[], method: string, body: unknown, signal: AbortSignal): unknown {
  const question = body as Question;
  const [hook, ask] = [hooks[question.hook], QUESTIONS[method]];
  const at = { owner: question.owner, session: question.session, turn: question.turn };
  return hook && ask?.(hook, at, question, signal);
}

/** What a hook wants to be asked, as the core reads it. */
export const asks = (hook: Hook): object => ({
  before_prompt: !!hook.beforePrompt,
  before_model: !!hook.beforeModel,
  on_deltas: !!hook.onDeltas,
  after_turn: !!hook.afterTurn,
  timeout_ms: hook.timeoutMs,
});

/** Where an engine asks the application's own model, memory, hooks and tools. */
import { keepCause } from "./causes.js";
import { CatgptError, ToolError, UnsupportedError } from "./errors.js";
import { askHook, asks, isHooks, type Hook } from "./hooks.js";
import { hub, type Asked } from "./hub.js";
import type { Memory } from "./memory.js";
import type { ChatModel, ModelAnswer, ModelEvent, ModelRequest } from "./model.js";
import { native, type NativeDesk } from "./native.js";
import { spelled } from "./options.js";
import { STREAK, breathe } from "./pace.js";
import { askTool, told, type Tool } from "./tools.js";

/** How the core's questions are called here. */
const METHODS: Record<string, keyof Memory> = { begin_turn: "beginTurn", finish_turn: "finishTurn" };

/** What fails by these is not the turn. */
const FAILS_ALONE = new Set(["after_turn", "tool"]);

type Method = (args: unknown, signal: AbortSignal) => unknown;

export class Desk implements Asked {
  readonly native: NativeDesk = new native.Desk(hub().native);

  constructor(
    readonly model: ChatModel | undefined,
    readonly memory: Memory | undefined,
    readonly hooks: readonly Hook[],
    readonly tools: readonly Tool[] = [],
  ) {
    if (model || memory || hooks.length > 0 || tools.length > 0) hub().desks.set(this.native.id, this);
  }

  /** What is asked here, as the native half reads it. */
  describe(): string {
    const { memory } = this;
    const { durable, shared, leaseMs, pollMs, timeoutMs } = memory ?? {};
    return JSON.stringify({
      memory: memory && spelled({ durable, shared, leaseMs, pollMs, timeoutMs }),
      hooks: this.hooks.map(asks),
      tools: this.tools.map(told),
    });
  }

  /** Nothing is asked any more. */
  leave(): void {
    hub().desks.delete(this.native.id);
    this.native.leave();
  }

  async answer(question: number, method: string, body: unknown, signal: AbortSignal): Promise<void> {
    try {
      await (method === "stream" ? this.#stream(question, body, signal) : this.#look(question, method, body, signal));
      this.native.end(question);
    } catch (error) {
      if (!signal.aborted) this.#fail(question, FAILS_ALONE.has(method) ? {} : body, error);
    }
  }

  async #look(question: number, method: string, body: unknown, signal: AbortSignal): Promise<void> {
    const answer = await this.#asked(method, body, signal);
    this.native.say(question, method === "tool" ? whole(answer ?? null) : JSON.stringify(answer ?? null));
  }

  #asked(method: string, body: unknown, signal: AbortSignal): unknown {
    if (method === "tool") return askTool(this.tools, body, signal);
    return isHooks(method) ? askHook(this.hooks, method, body, signal) : this.#remember(method, body, signal);
  }

  #remember(method: string, body: unknown, signal: AbortSignal): unknown {
    const name = METHODS[method] ?? (method as keyof Memory);
    const asked = this.memory?.[name] as Method | undefined;
    if (!asked && name !== "close") throw new UnsupportedError(`this memory has no method ${name}`);
    return asked?.call(this.memory, body, signal);
  }

  async #stream(question: number, body: unknown, signal: AbortSignal): Promise<void> {
    const answer = await this.model?.stream(body as ModelRequest, signal);
    let ready = STREAK;
    for await (const event of pieces(answer ?? [])) {
      const heard = this.native.say(question, whole(typeof event === "string" ? { text: event } : event));
      if (heard === "gone" || signal.aborted) return;
      if (heard === "wait") await new Promise<void>((resolve) => hub().park(question, resolve));
      if (--ready === 0) ready = (await breathe(), STREAK);
    }
  }

  #fail(question: number, body: unknown, error: unknown): void {
    keepCause(question, (body as { turn?: unknown }).turn, error);
    if (error instanceof CatgptError || error instanceof ToolError) this.native.fail(question, whole(error));
    else this.native.raised(question, nameOf(error));
  }
}

/** The class of an error, whatever it pretends to be: the question must be answered. */
function nameOf(error: unknown): string {
  const name: unknown = error instanceof Error ? error.constructor?.name : typeof error;
  return typeof name === "string" ? name : "Error";
}

/** As JSON that all can read: a text that was cut in the middle of an emoji ends with half of one. */
function whole(data: unknown): string {
  const json = JSON.stringify(data);
  // Only halves are written as such escapes. Others are taken along, so that what follows a written backslash is none.
  return json?.includes("\\ud") ? json.replace(/\\(?:(ud[89a-f]..)|.)/g, (escape, half) => (half ? "\ufffd" : escape)) : json;
}

function pieces(answer: ModelAnswer): AsyncIterable<ModelEvent> | Iterable<ModelEvent> {
  if (typeof answer === "string") return [answer];
  return Symbol.asyncIterator in answer || Symbol.iterator in answer ? answer : [answer];
}

/** The contract for models that are written in JavaScript. */
import type { FinishReason, Params, Part, Role, ToolCall, TurnId, Usage } from "./data.js";

/** What a model is told of a tool. */
export interface ToolSpec {
  name: string;
  description: string;
  /** A JSON Schema of an object: the arguments. */
  parameters: Record<string, unknown>;
}

/** What a model is asked: the messages in order, the system prompt first. */
export interface ModelRequest {
  messages: { role: Role; content: Part[] }[];
  params: Params;
  /** Which model, if not the default one. */
  model: string | null;
  /** The key for this call, if one was given. */
  credentials: string | null;
  /** The turn that asks. */
  turn: TurnId | null;
  /** What it may ask for, with a `tool_call` each. */
  tools: ToolSpec[];
}

/** What a model streams; a bare string is text. */
export type ModelEvent =
  | string
  | { text: string }
  | { reasoning: string }
  | { tool_call: ToolCall }
  /** A picture, a citation, or a part of your own. */
  | { part: Part | { type: string; [field: string]: unknown } }
  | { usage: Usage }
  | { finish: FinishReason };

/** Everything that counts as an answer. One that ends has finished; one that could not be given throws. */
export type ModelAnswer = ModelEvent | Iterable<ModelEvent> | AsyncIterable<ModelEvent>;

/** Answers. The signal is aborted when nobody waits any more: end the request then. */
export type ModelFunction = (request: ModelRequest, signal: AbortSignal) => ModelAnswer | Promise<ModelAnswer>;

/** A model with a name, which is kept with each reply. */
export interface ChatModel {
  name?: string;
  /** Milliseconds that it may be silent before the first piece. */
  firstMs?: number;
  /** Milliseconds that it may be silent between two pieces. */
  idleMs?: number;
  stream: ModelFunction;
}

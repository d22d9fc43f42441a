/** Which model an engine has: one, or several by name. */
import { Desk } from "./desk.js";
import type { ChatModel, ModelFunction } from "./model.js";
import { native, type NativeModels } from "./native.js";
import { spelled } from "./options.js";
import { Scripted } from "./testing.js";

/** How pictures are drawn; what is left out is as the engine has it. */
export interface ImagesOptions {
  /** Which model draws (`gpt-image-1`). */
  model?: string | undefined;
  /** How large, in the endpoint's words: `1024x1024`. */
  size?: string | undefined;
  /** How finely, and at what price, in the endpoint's words: `low`, `high`. */
  quality?: string | undefined;
  /** How many milliseconds it may take (300 000). */
  withinMs?: number | undefined;
}

/**
 * Draws what the newest message says, with OpenAI's images endpoint, and answers with the picture alone. It uses the
 * engine's `baseUrl` and `apiKey`.
 */
export class Images {
  constructor(readonly options: ImagesOptions = {}) {}
}

/** A model with a key and an address of its own; what is left out is as the environment has it. */
export interface OpenAiOptions {
  /** Its name; left out: `OPENAI_MODEL`, or `ANTHROPIC_MODEL`. */
  model?: string | undefined;
  /** The key; left out: `OPENAI_API_KEY`, or `ANTHROPIC_API_KEY`. */
  apiKey?: string | undefined;
  /** The address; left out: `OPENAI_BASE_URL` or `ANTHROPIC_BASE_URL`, else the provider's own. */
  baseUrl?: string | undefined;
}

/** The same, for a model that thinks. */
export interface ResponsesOptions extends OpenAiOptions {
  /** How much it thinks, in the provider's words: `minimal`, `low`, `high`. */
  effort?: string | undefined;
  /** What is told of its thoughts, in the provider's words: `auto`, `concise`, `detailed`. */
  summary?: string | undefined;
}

/** The same, for one of Anthropic's. */
export interface AnthropicOptions extends OpenAiOptions {
  /** The most tokens of an answer, thoughts included, where nobody says a number. */
  maxTokens?: number | undefined;
  /** How long it thinks before it speaks: so many tokens, at least 1024, or as long as it sees fit. */
  thinking?: number | "adaptive" | undefined;
  /** How much work goes into an answer, in the provider's words: `low`, `medium`, `high`. */
  effort?: string | undefined;
}

/** A model in Chat Completions. */
export class OpenAi {
  readonly protocol = "openai";
  constructor(readonly options: OpenAiOptions = {}) {}
}

/** A model in OpenAI's Responses. */
export class Responses {
  readonly protocol = "responses";
  constructor(readonly options: ResponsesOptions = {}) {}
}

/** A model in Anthropic's Messages. */
export class Anthropic {
  readonly protocol = "anthropic";
  constructor(readonly options: AnthropicOptions = {}) {}
}

/**
 * A model's name (`gpt-4o-mini`, `anthropic:claude-sonnet-4-5`, `responses:gpt-5`, `offline` for the built-in cat), one with
 * settings of its own, one that draws, or a model of yours.
 */
export type Model = string | Images | OpenAi | Responses | Anthropic | ChatModel | ModelFunction | Scripted;

/** Several, of which `send(…, { model })` chooses one by its name, or by the beginning of it (`gpt-*`). */
export type Models = Readonly<Record<string, Model>>;

/** The models of the application's own, in order, and where they are asked. */
export class Own {
  readonly native: NativeModels = new native.Models();
  readonly desks: Desk[] = [];
  #count = 0;

  /** As the config of an engine names it. */
  named(model: Model | Models | undefined): unknown {
    if (model === undefined || typeof model === "string") return model;
    if (model instanceof Images) return { images: spelled({ ...model.options }) };
    if (model instanceof OpenAi || model instanceof Responses || model instanceof Anthropic) {
      return { [model.protocol]: spelled({ ...model.options }) };
    }
    if (model instanceof Scripted) return this.#add(() => this.native.play(model.play));
    if (typeof model === "function") return this.#asked({ name: model.name || "model", stream: model });
    if (isModel(model)) return this.#asked(model);
    return { by_name: Object.entries(model).map(([name, each]) => [name, this.named(each)]) };
  }

  #asked(model: ChatModel): unknown {
    const desk = new Desk(model, undefined, []);
    this.desks.push(desk);
    const timeouts = { first_ms: model.firstMs, idle_ms: model.idleMs };
    return this.#add(() => this.native.desk(desk.native, model.name ?? "model", JSON.stringify(timeouts)));
  }

  #add(add: () => void): { own: number } {
    add();
    return { own: this.#count++ };
  }
}

function isModel(model: ChatModel | Models): model is ChatModel {
  return typeof model.stream === "function";
}

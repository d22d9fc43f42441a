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

/** A model's name at the endpoint, `offline` for the built-in cat, one that draws, or a model of yours. */
export type Model = string | Images | ChatModel | ModelFunction | Scripted;

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

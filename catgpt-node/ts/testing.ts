/** The scripted model, for tests: it says what it is told to, and stops where it is told to. */
import { crossing, type ErrorKind } from "./errors.js";
import type { Params, Role } from "./data.js";
import type { ModelEvent } from "./model.js";
import { native, type NativePlay } from "./native.js";

/** One step of a script. A script that ends without `finish` is an answer that was cut off. */
export type ScriptStep =
  | Exclude<ModelEvent, string>
  | { error: ErrorKind }
  /** Waits until `open` is called with this name. */
  | { gate: string }
  | { delay_ms: number }
  /** Never says anything again. */
  | { hang: true };

/** What the model was asked. */
export interface ScriptedRequest {
  messages: { role: Role; text: string; images?: string[] }[];
  params: Params;
  model: string | null;
}

/** Plays one script a call; the last one repeats. */
export class Scripted {
  /** @internal */
  readonly play: NativePlay;

  constructor(...scripts: ScriptStep[][]) {
    this.play = crossing(() => new native.Play(JSON.stringify(scripts)));
  }

  /** A model that says these pieces and has finished. */
  static reply(...pieces: string[]): Scripted {
    return new Scripted([...pieces.map((text) => ({ text })), { finish: "stop" }]);
  }

  /** Opens a gate. Says whether there is one of this name. */
  open(gate: string): boolean {
    return this.play.open(gate);
  }

  /** What it was asked, in order. */
  get requests(): ScriptedRequest[] {
    return JSON.parse(this.play.requests()) as ScriptedRequest[];
  }

  /** How many of its answers were dropped before their end: what a cancel does. */
  get dropped(): number {
    return this.play.dropped();
  }
}

/** Who answers: plain data, and where to get it. */
import { crossing } from "./errors.js";
import type { Params } from "./data.js";
import { native } from "./native.js";

/** Who answers. A session pins a copy of the one that it uses. */
export interface Persona {
  /** 1 to 64 of `a-z`, `0-9`, `_` and `-`. */
  name: string;
  /** Counts the editions of a persona, from 1. */
  version?: number;
  /** The system prompt: a template in which `{{ name }}` is a variable and `{{{{` writes `{{`. */
  system: string;
  /** What variables are where nobody says otherwise. */
  variables?: Record<string, string>;
  params?: Params;
  /** What it says before anybody else does. */
  greeting?: string;
  /** Exchanges that show how it answers. */
  examples?: { user: string; assistant: string }[];
}

const read = (persona: () => string): Persona => JSON.parse(crossing(persona)) as Persona;

export const Persona = {
  /** A helpful assistant that answers in a playful feline voice. */
  cat: (): Persona => read(() => native.builtinPersona("cat")),
  /** A helpful assistant without a voice of its own. */
  plain: (): Persona => read(() => native.builtinPersona("plain")),
  /** Reads a persona from a text: TOML between two `+++` lines, then the system prompt. */
  fromMarkdown: (text: string): Persona => read(() => native.readPersona(text)),
  /** Reads a persona from a file, as `fromMarkdown` does. */
  load: (path: string): Persona => read(() => native.loadPersona(path)),
};

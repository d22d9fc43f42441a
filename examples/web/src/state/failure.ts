/** What is thrown, as the one thing that the page shows. */
import type { Failure } from "../api/types";

export const isFailure = (thrown: unknown): thrown is Failure =>
  typeof thrown === "object" && thrown !== null && "kind" in thrown && typeof thrown.kind === "string";

export const asFailure = (thrown: unknown): Failure =>
  isFailure(thrown) ? thrown : { kind: "unexpected", message: thrown instanceof Error ? thrown.message : String(thrown) };

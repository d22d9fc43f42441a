/** Instead of the page, when the back end cannot be reached at all. */
import type { Failure } from "../api/types";
import { id } from "./testids";
import { wordsFor } from "./words";

export function Fatal({ failure, retry }: { failure: Failure; retry: () => void }) {
  const { title, advice } = wordsFor(failure.kind === "offline" ? { ...failure, kind: "unreachable" } : failure);
  return (
    <main className="fatal" {...id("fatal")} role="alert">
      <h1>{failure.kind === "offline" ? "The server does not answer" : title}</h1>
      <p>{failure.kind === "offline" ? "Is it running? Nothing is lost meanwhile." : advice}</p>
      <button type="button" className="primary" onClick={retry}>
        Try again
      </button>
    </main>
  );
}

/** Where the connection stands: what the adapters see, told to whoever shows it. */

import type { Connection } from "./types.ts";

export class Link {
  #state: Connection = "connecting";
  readonly #listeners = new Set<(state: Connection) => void>();

  constructor() {
    globalThis.addEventListener?.("offline", () => this.#set("offline"));
    globalThis.addEventListener?.("online", () => this.down());
  }

  /** Something came from the server. */
  up(): void {
    this.#set("online");
  }

  /** Something did not reach it, or broke. */
  down(): void {
    this.#set(globalThis.navigator?.onLine === false ? "offline" : "connecting");
  }

  /** Tells the state now and at every change. Gives what unsubscribes. */
  watch(listener: (state: Connection) => void): () => void {
    this.#listeners.add(listener);
    listener(this.#state);
    return () => this.#listeners.delete(listener);
  }

  #set(state: Connection): void {
    if (state === this.#state) return;
    this.#state = state;
    for (const listener of this.#listeners) listener(state);
  }
}

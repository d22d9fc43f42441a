/** Waiting between tries: exponential, with full jitter, cut short when the browser says that it is worth trying now. */

export class Backoff {
  #tries = 0;

  constructor(
    private readonly base = 300,
    private readonly cap = 5_000,
    private readonly random: () => number = Math.random,
  ) {}

  /** How long to wait now, in milliseconds. Full jitter: a thousand pages that lost one server come back spread out. */
  next(): number {
    const most = Math.min(this.cap, this.base * 2 ** this.#tries);
    this.#tries += 1;
    return this.random() * most;
  }

  /** It worked. */
  reset(): void {
    this.#tries = 0;
  }
}

/** Calls when the network is back or the page is looked at again, such as after a sleep. Gives what unsubscribes. */
export function onWake(listener: () => void): () => void {
  const seen = () => {
    if (document.visibilityState === "visible") listener();
  };
  globalThis.addEventListener?.("online", listener);
  globalThis.document?.addEventListener("visibilitychange", seen);
  return () => {
    globalThis.removeEventListener?.("online", listener);
    globalThis.document?.removeEventListener("visibilitychange", seen);
  };
}

/** Waits so long, or until the signal, or until it is worth trying again. */
export function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) return resolve();
    const done = () => {
      clearTimeout(timer);
      unsubscribe();
      signal.removeEventListener("abort", done);
      resolve();
    };
    const timer = setTimeout(done, ms);
    const unsubscribe = onWake(done);
    signal.addEventListener("abort", done);
  });
}

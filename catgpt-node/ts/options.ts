/** How options cross: only those that are given, so that the core's defaults hold, under the names of its JSON. */

/** The same fields in the core's spelling: `ifVersion` becomes `if_version`. */
export function spelled(options: object): Record<string, unknown> {
  const snake = (name: string) => name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
  return Object.fromEntries(Object.entries(options).map(([name, value]) => [snake(name), value]));
}

/** Every call takes a signal: an abort rejects it with the signal's reason. */
export interface CallOptions {
  signal?: AbortSignal | undefined;
}

/** How far long work has come: bytes of a source or of a store, sessions of an export. */
export interface Progress {
  done: number;
  /** Of how much, as far as that is known. */
  total: number | null;
}

/** Hears how far long work has come. If it throws, the call fails with that. */
export type OnProgress = (progress: Progress) => void;

/** Long work also tells how far it has come. */
export interface LongCallOptions extends CallOptions {
  onProgress?: OnProgress | undefined;
}

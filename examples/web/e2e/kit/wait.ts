/** Waiting for a condition, with an end: the only waiting that tests do. */

export const DEADLINE_MS = 30_000;

/** It will never be so: who waits is told at once. */
export class Hopeless extends Error {}

/** Asks until it is true; what it throws counts as no, and is told if it stays so. */
export async function eventually(what: string, holds: () => Promise<boolean> | boolean, deadlineMs = DEADLINE_MS): Promise<void> {
  const end = Date.now() + deadlineMs;
  let last: unknown = "it stayed false";
  while (Date.now() < end) {
    try {
      if (await holds()) return;
      last = "it stayed false";
    } catch (error) {
      if (error instanceof Hopeless) throw error;
      last = error;
    }
    await new Promise((resolve) => setTimeout(resolve, 40));
  }
  throw new Error(`not within ${deadlineMs} ms: ${what} (${String(last)})`);
}

/** The promise, or an error after so long. */
export async function within<T>(what: string, promise: Promise<T>, ms = DEADLINE_MS): Promise<T> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise<never>((_, reject) => (timer = setTimeout(() => reject(new Error(`not within ${ms} ms: ${what}`)), ms)));
  return Promise.race([promise, late]).finally(() => clearTimeout(timer));
}

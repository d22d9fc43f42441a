/** An id that nobody can guess. `crypto.randomUUID` is not there on a page served by plain HTTP to another machine. */

/** 128 random bits. */
export function fresh(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

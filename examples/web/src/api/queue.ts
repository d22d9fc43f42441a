/** A queue between callbacks and a loop: what is pushed is read in order, then its end or its error. */

export class Queue<T> implements AsyncIterable<T> {
  readonly #items: T[] = [];
  #end: { error?: unknown } | null = null;
  #wake: (() => void) | null = null;

  push(item: T): void {
    if (this.#end) return;
    this.#items.push(item);
    this.#wake?.();
  }

  /** Ends it, with an error or without; the first end counts. */
  close(error?: unknown): void {
    this.#end ??= error === undefined ? {} : { error };
    this.#wake?.();
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<T> {
    for (;;) {
      for (let item = this.#items.shift(); item !== undefined; item = this.#items.shift()) yield item;
      if (this.#end) {
        if ("error" in this.#end) throw this.#end.error;
        return;
      }
      await new Promise<void>((resolve) => (this.#wake = resolve));
      this.#wake = null;
    }
  }
}

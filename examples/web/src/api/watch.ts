/** Watching a turn to its end, over any number of connections: what came is never shown twice, and nothing is left out. */

import { Backoff, pause } from "./backoff.ts";
import { isGone } from "./failure.ts";
import type { Link } from "./link.ts";
import type { ChatEvent, Watch } from "./types.ts";

/** Where a watcher stands. Without a turn the question was not heard yet, as far as we know. */
export class Place {
  #started = false;

  constructor(
    public turn: string | null,
    public offset: number,
  ) {}

  /** What of this event is new: all, its end, or nothing. */
  take(event: ChatEvent): ChatEvent | null {
    if (event.type === "started") return this.#begin(event);
    if (event.type === "retrying" || event.type === "title" || event.type === "finished") return event;
    if (event.offset <= this.offset) return null;
    const fresh = event.type === "text" || event.type === "reasoning" ? cut(event, this.offset) : event;
    this.offset = event.offset;
    return fresh;
  }

  #begin(event: ChatEvent & { type: "started" }): ChatEvent | null {
    this.turn = event.turn;
    if (this.#started) return null;
    this.#started = true;
    return event;
  }
}

const encoder = new TextEncoder();
const decoder = new TextDecoder();

/** Offsets count the bytes of UTF-8: what stands before `offset` is known already. */
function cut<E extends ChatEvent & { text: string }>(event: E, offset: number): E {
  const bytes = encoder.encode(event.text);
  const known = offset - (event.offset - bytes.length);
  return known <= 0 ? event : { ...event, text: decoder.decode(bytes.subarray(known)) };
}

/** The events from a place on, over one connection. It ends or throws when that breaks. */
export type Source = (place: Place, signal: AbortSignal) => AsyncIterable<ChatEvent>;

/**
 * Opens the source again and again until `finished`. There is no limit of time: a laptop may sleep for a night, and the
 * answer is still there; the link tells meanwhile. What the server refuses is thrown. An abort ends it without an error.
 */
export async function* watch(source: Source, place: Place, link: Link, signal: AbortSignal, backoff = new Backoff()): Watch {
  while (!signal.aborted) {
    try {
      for await (const event of source(place, signal)) {
        if (signal.aborted) return;
        backoff.reset();
        link.up();
        const fresh = place.take(event);
        if (fresh) yield fresh;
        if (event.type === "finished") return;
      }
    } catch (error) {
      if (signal.aborted) return;
      if (!isGone(error)) throw error;
    }
    if (signal.aborted) return;
    link.down();
    await pause(backoff.next(), signal);
  }
}

/** Tries until it is heard, however long that takes; `null` after an abort. What the server refuses is thrown. */
export async function insist<T>(attempt: () => Promise<T>, link: Link, signal: AbortSignal, backoff = new Backoff()): Promise<T | null> {
  while (!signal.aborted) {
    try {
      return await attempt();
    } catch (error) {
      if (signal.aborted) return null;
      if (!isGone(error)) throw error;
    }
    link.down();
    await pause(backoff.next(), signal);
  }
  return null;
}

/** Events of a watched turn, handed on once a frame at most, and less often when a frame takes long to draw. */
import type { ChatEvent } from "../api/types";

/** Rest after drawing, in times of what it took: a third of the time at most goes into it, so that typing stays smooth. */
const REST = 2;

export interface Pump {
  push(event: ChatEvent): void;
  /** Hands on at once what waits: at the end, and before the page is left. */
  flush(): void;
}

/** When work is done, and when the browser has drawn it. */
export interface Clock {
  later(work: () => void, wait: number): () => void;
  drawn(work: () => void): void;
  now(): number;
}

const display: Clock = { later: nextFrame, drawn: (work) => void setTimeout(work), now: () => performance.now() };

export function pump(take: (events: ChatEvent[]) => void, clock: Clock = display): Pump {
  let waiting: ChatEvent[] = [];
  let cancel: (() => void) | null = null;
  let drawing = false;
  const schedule = (wait: number): void => {
    if (!drawing && waiting.length > 0) cancel ??= clock.later(flush, wait);
  };
  function flush(): void {
    cancel?.();
    cancel = null;
    if (waiting.length === 0) return;
    const events = waiting;
    waiting = [];
    const start = clock.now();
    take(events);
    drawing = true;
    clock.drawn(() => {
      drawing = false;
      schedule(REST * (clock.now() - start));
    });
  }
  return {
    push(event) {
      waiting.push(event);
      schedule(0);
    },
    flush,
  };
}

/** After `wait` milliseconds, in step with the display; a hidden tab has no frames, so a timer takes their place. */
function nextFrame(work: () => void, wait: number): () => void {
  let frame = 0;
  let timer = setTimeout(aim, Math.max(0, wait - 8));
  function aim(): void {
    frame = requestAnimationFrame(work);
    timer = setTimeout(work, 250);
  }
  if (wait <= 8) {
    clearTimeout(timer);
    aim();
  }
  return () => {
    clearTimeout(timer);
    cancelAnimationFrame(frame);
  };
}

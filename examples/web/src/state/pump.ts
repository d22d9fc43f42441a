/** Events of a watched turn, handed on once a frame at most, and less often when a frame takes long to draw. */
import type { ChatEvent } from "../api/types";

/** How much of the time may go into drawing: a third, so that typing stays smooth under a long answer. */
const REST = 2;

export interface Pump {
  push(event: ChatEvent): void;
  /** Hands on at once what waits: at the end, and before the page is left. */
  flush(): void;
}

export function pump(take: (events: ChatEvent[]) => void, later: (work: () => void, wait: number) => () => void = nextFrame): Pump {
  let waiting: ChatEvent[] = [];
  let cancel: (() => void) | null = null;
  let notBefore = 0;
  const flush = (): void => {
    cancel?.();
    cancel = null;
    if (waiting.length === 0) return;
    const events = waiting;
    waiting = [];
    const start = performance.now();
    take(events);
    const end = performance.now();
    notBefore = end + REST * (end - start);
  };
  return {
    push(event) {
      waiting.push(event);
      cancel ??= later(flush, notBefore - performance.now());
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

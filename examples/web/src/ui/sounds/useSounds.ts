/** When the cat is heard: it purrs while it writes and meows when it is done. Off until somebody turns it on. */
import { useEffect, useRef, useSyncExternalStore } from "react";
import { recall, remember } from "../../state/prefs";
import { useApp } from "../../state/store";
import { useCan } from "../context";
import { meow, purr } from "./sounds";

const listeners = new Set<() => void>();
let on = recall("sounds") === "on";

const subscribe = (changed: () => void) => {
  listeners.add(changed);
  return () => listeners.delete(changed);
};

export function setSounds(next: boolean): void {
  on = next;
  remember("sounds", next ? "on" : null);
  if (next) meow();
  for (const listener of listeners) listener();
}

export const useSoundsOn = (): boolean => useSyncExternalStore(subscribe, () => on);

export function useSounds(): void {
  const can = useCan("sounds");
  const wanted = useSoundsOn() && can;
  const turn = useApp((state) => state.conversation.live?.turn ?? null);
  const ended = useApp((state) => state.announced);
  const heard = useRef(ended);
  useEffect(() => (wanted && turn !== null ? purr() : undefined), [wanted, turn]);
  useEffect(() => {
    if (wanted && ended !== null && ended !== heard.current && ended.status === "complete") meow();
    heard.current = ended;
  }, [wanted, ended]);
}

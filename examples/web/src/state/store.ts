/** The store: a value, who listens, and React's hook to read a piece of it. */
import { createContext, useContext, useSyncExternalStore } from "react";
import { initial, reduce, type Action, type State } from "./state";

export class Store {
  #state: State = initial;
  readonly #listeners = new Set<() => void>();

  get = (): State => this.#state;

  dispatch = (action: Action): void => {
    const next = reduce(this.#state, action);
    if (next === this.#state) return;
    this.#state = next;
    for (const listener of this.#listeners) listener();
  };

  subscribe = (listener: () => void): (() => void) => {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  };
}

export const StoreContext = createContext<Store | null>(null);

/** A piece of the state; what it gives must be part of the state or plain, so that it is the same while nothing changed. */
export function useApp<T>(piece: (state: State) => T): T {
  const store = useContext(StoreContext);
  if (store === null) throw new Error("no store around this component");
  return useSyncExternalStore(store.subscribe, () => piece(store.get()));
}

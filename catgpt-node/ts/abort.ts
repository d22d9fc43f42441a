/** Aborts: one listener a signal however many wait, since Node warns of more than ten and walks all of them to add one. */
const watched = new WeakMap<AbortSignal, Set<() => void>>();

/** Calls `act` when the signal is aborted, until the function that this returns is called. */
export function onAbort(signal: AbortSignal | undefined, act: () => void): () => void {
  if (!signal) return () => {};
  const acts = watched.get(signal) ?? watch(signal);
  acts.add(act);
  return () => void acts.delete(act);
}

function watch(signal: AbortSignal): Set<() => void> {
  const acts = new Set<() => void>();
  watched.set(signal, acts);
  signal.addEventListener("abort", () => acts.forEach((act) => act()), { once: true });
  return acts;
}

const forgotten = new FinalizationRegistry<() => void>((act) => act());

/** Calls `act`, which must not hold the object, some time after nobody has it any more. */
export const onForgotten = (object: object, act: () => void): void => forgotten.register(object, act);

/** The same for an object that must not live on because the signal does. */
export function onAbortOf<T extends object>(object: T, signal: AbortSignal | undefined, act: (object: T) => void): () => void {
  if (!signal) return () => {};
  const weak = new WeakRef(object);
  const off = onAbort(signal, () => {
    const object = weak.deref();
    if (object) act(object);
  });
  onForgotten(object, off);
  return off;
}

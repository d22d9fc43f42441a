/** Fairness: who always finds something ready lets others have their turn now and then. */

/** How many ready items in a row before timers and sockets are served. */
export const STREAK = 64;

/** Lets everything else that is due run. */
export const breathe = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

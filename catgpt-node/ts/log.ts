/** The core's log, for whoever asks for it. */
import { hub, type LogLevel, type LogRecord } from "./hub.js";

export type { LogLevel, LogRecord };

/**
 * Calls `listener` with each line of the core's log of this level and above, in this environment (the main thread, or a
 * worker), and gives what ends it. Until then no line is made. It does not keep the process alive.
 *
 * `warn` is what an operator must see; `debug` has a line for each turn that ended as it should.
 */
export function onLog(level: LogLevel, listener: (record: LogRecord) => void): () => void {
  return hub().listen(level, listener);
}

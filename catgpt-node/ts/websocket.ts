/** A web socket on which any number of turns are sent and watched, for whatever server gave it. */
import { setTimeout as sleep } from "node:timers/promises";
import type { SendOptions } from "./session.js";
import type { User } from "./user.js";

/** As many bytes may wait in a socket before its turns do. */
const FULL = 1 << 20;

/** What is used of a `WebSocket`: of the package `ws`, of Deno, of Bun, of the browser's kind. */
export interface WebSocketLike {
  /** Bytes that were sent and are not gone yet. */
  readonly bufferedAmount?: number;
  send(text: string): unknown;
  close(code?: number, reason?: string): unknown;
  addEventListener(type: "message", listener: (event: { data: unknown }) => void): unknown;
  addEventListener(type: "close", listener: () => void): unknown;
}

/** How its turns are sent, and kept alive. */
export interface ServeOptions extends SendOptions {
  /** Milliseconds of silence (15 000) before a frame that says nothing else; 0 for none. */
  keepAliveMs?: number | undefined;
  /**
   * For frames of your own: answers one that came, while `open` are being answered already, with what `user.frames(…)` gives,
   * in words of your own.
   */
  frames?: ((frame: string, open: number) => AsyncIterable<string>) | undefined;
}

/**
 * Serves a socket that is open, until it is closed, in the frames that the core's `wire::ws` describes. The options hold for
 * every send. A client that goes away stops nothing.
 */
export function serveWebSocket(socket: WebSocketLike, user: User, given: ServeOptions = {}): Promise<void> {
  const { signal, frames, ...options } = given;
  const gone = new AbortController();
  const either = signal ? AbortSignal.any([signal, gone.signal]) : gone.signal;
  let open = 0;
  const answer = async (frame: string): Promise<void> => {
    const before = open++;
    for await (const text of frames?.(frame, before) ?? user.frames(frame, { ...options, open: before, signal: either })) {
      socket.send(text);
      // Nobody tells when a socket has drained. Meanwhile the turn's log keeps what comes, in one piece.
      while ((socket.bufferedAmount ?? 0) > FULL) await sleep(20, undefined, { signal: either });
    }
  };
  return new Promise((resolve) => {
    socket.addEventListener("close", () => {
      gone.abort();
      resolve();
    });
    socket.addEventListener("message", ({ data }) => {
      // The engine fails where it is closed or has lost its store: nothing more can be said here.
      const failed = () => either.aborted || socket.close(1011, "the engine failed");
      void answer(String(data)).catch(failed).finally(() => open--);
    });
  });
}

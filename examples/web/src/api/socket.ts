/**
 * One web socket that comes back: exponential backoff with full jitter, at once when the browser is online again, and a
 * watchdog for connections that are dead without having been closed. Frames are JSON objects.
 */

import { Backoff, onWake, pause } from "./backoff.ts";
import { offline } from "./failure.ts";
import type { Link } from "./link.ts";
import { Queue } from "./queue.ts";

export type Frame = Record<string, unknown>;

/** What of a `WebSocket` is used. */
export type Wire = Pick<WebSocket, "send" | "close"> & {
  onopen: unknown;
  onclose: unknown;
  onmessage: unknown;
};

export interface SocketOptions {
  link: Link;
  /** Asked before each connection: the token may be another one. A token stands in the protocols, never in the address. */
  address(): Promise<{ url: string; protocols: string[] }>;
  /** Hears why a connection ended: 4401 is a token that has run out. */
  onClose?(code: number): Promise<void> | void;
  ping: Frame;
  create?(url: string, protocols: string[]): Wire;
  backoff?: Backoff;
  /** The server fills silence every 15 s; after so long without a word the connection is dead. */
  silenceMs?: number;
  /** After waking up: how long an answer to a ping may take. */
  pongMs?: number;
}

/** The close code of our own for a dead connection. */
const DEAD = 4000;

export class Socket {
  readonly #stop = new AbortController();
  readonly #queues = new Set<Queue<Frame>>();
  readonly #waiting = new Set<() => void>();
  #wire: Wire | null = null;
  #opened = false;
  #drop: ((code: number) => void) | null = null;
  #watchdog: ReturnType<typeof setTimeout> | undefined;

  constructor(private readonly options: SocketOptions) {
    onWake(() => this.#check());
    void this.#run();
  }

  /** Sends if it can be sent now. */
  send(frame: Frame): boolean {
    if (!this.#opened || !this.#wire) return false;
    this.#wire.send(JSON.stringify(frame));
    return true;
  }

  /** Says something as soon as there is a connection, and gives all frames until that breaks (`offline`) or the signal. */
  async *exchange(first: Frame, signal: AbortSignal): AsyncGenerator<Frame> {
    await this.#ready(signal);
    if (signal.aborted) return;
    const queue = new Queue<Frame>();
    const end = () => queue.close();
    this.#queues.add(queue);
    signal.addEventListener("abort", end);
    try {
      if (!this.send(first)) throw offline();
      yield* queue;
    } finally {
      this.#queues.delete(queue);
      signal.removeEventListener("abort", end);
    }
  }

  /** Comes back with another address or token. */
  reconnect(): void {
    this.#drop?.(DEAD);
  }

  close(): void {
    this.#stop.abort();
    this.#drop?.(1000);
  }

  #ready(signal: AbortSignal): Promise<void> {
    if (this.#opened || signal.aborted) return Promise.resolve();
    return new Promise((resolve) => {
      const done = () => {
        this.#waiting.delete(done);
        signal.removeEventListener("abort", done);
        resolve();
      };
      this.#waiting.add(done);
      signal.addEventListener("abort", done);
    });
  }

  async #run(): Promise<void> {
    const { link, onClose } = this.options;
    const backoff = this.options.backoff ?? new Backoff();
    const { signal } = this.#stop;
    while (!signal.aborted) {
      const code = await this.#connect(backoff).catch(() => 1006);
      link.down();
      await Promise.resolve(onClose?.(code)).catch(() => {});
      if (!signal.aborted) await pause(backoff.next(), signal);
    }
  }

  /** One connection, from its beginning to its end. Gives the code of its end. */
  async #connect(backoff: Backoff): Promise<number> {
    const { url, protocols } = await this.options.address();
    if (this.#stop.signal.aborted) return 1000;
    const create = this.options.create ?? ((url, protocols) => new WebSocket(url, protocols));
    const wire = (this.#wire = create(url, protocols));
    const code = await new Promise<number>((resolve) => {
      this.#drop = (code) => {
        wire.close(code);
        // A dead connection says no goodbye: nobody waits for it.
        resolve(code);
      };
      this.#watch();
      wire.onopen = () => {
        backoff.reset();
        this.#open();
      };
      wire.onmessage = (message: MessageEvent) => this.#hear(message.data);
      wire.onclose = (event: CloseEvent) => resolve(event.code);
    });
    wire.onopen = wire.onmessage = wire.onclose = null;
    this.#lost();
    return code;
  }

  #open(): void {
    this.#opened = true;
    this.options.link.up();
    this.#watch();
    for (const resolve of [...this.#waiting]) resolve();
  }

  #hear(data: unknown): void {
    this.options.link.up();
    this.#watch();
    const frame = JSON.parse(String(data)) as Frame;
    for (const queue of this.#queues) queue.push(frame);
  }

  #lost(): void {
    clearTimeout(this.#watchdog);
    this.#wire = this.#drop = null;
    this.#opened = false;
    for (const queue of this.#queues) queue.close(offline("the connection broke"));
  }

  /** Gives the connection so long to say something. */
  #watch(ms = this.options.silenceMs ?? 40_000): void {
    clearTimeout(this.#watchdog);
    this.#watchdog = setTimeout(() => this.reconnect(), ms);
  }

  /** After a sleep an open connection may be a memory. */
  #check(): void {
    if (this.send(this.options.ping)) this.#watch(this.options.pongMs ?? 5_000);
  }
}

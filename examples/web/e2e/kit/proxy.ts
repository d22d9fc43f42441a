/** A proxy of bytes between the browser and its servers, for all that networks do to connections. */

import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Server, type Socket } from "node:net";

export interface ProxyOptions {
  /** Ends a connection over which nothing went for so long, as proxies do. */
  idleMs?: number;
}

export class Proxy {
  readonly #pairs = new Set<[Socket, Socket]>();
  #next = 0;
  #refuses = false;
  #holds = false;

  private constructor(
    private readonly server: Server,
    /** The ports behind it, in turn. */
    public targets: number[],
    private readonly options: ProxyOptions,
  ) {}

  static async start(targets: number[], options: ProxyOptions = {}): Promise<Proxy> {
    // A half-closed connection is passed on as one: its other half may still have an answer in it.
    const server = createServer({ allowHalfOpen: true });
    const proxy = new Proxy(server, targets, options);
    server.on("connection", (client) => proxy.#serve(client));
    await once(server.listen(0, "127.0.0.1"), "listening");
    return proxy;
  }

  get port(): number {
    return (this.server.address() as AddressInfo).port;
  }

  get url(): string {
    return `http://127.0.0.1:${this.port}`;
  }

  /** Cuts all connections; new ones are made. */
  cut(): void {
    for (const [client, server] of this.#pairs) {
      client.resetAndDestroy();
      server.resetAndDestroy();
    }
  }

  /** No network: cuts all, and lets no new ones in. */
  down(): void {
    this.#refuses = true;
    this.cut();
  }

  up(): void {
    this.#refuses = false;
  }

  /** A network that swallows everything and says nothing. */
  hold(): void {
    this.#holds = true;
    for (const pair of this.#pairs) for (const socket of pair) socket.pause();
  }

  release(): void {
    this.#holds = false;
    for (const pair of this.#pairs) for (const socket of pair) socket.resume();
  }

  async close(): Promise<void> {
    this.cut();
    await new Promise((resolve) => this.server.close(resolve));
  }

  #serve(client: Socket): void {
    if (this.#refuses) return void client.resetAndDestroy();
    const port = this.targets[this.#next++ % this.targets.length]!;
    const server = connect({ port, host: "127.0.0.1", allowHalfOpen: true });
    const pair: [Socket, Socket] = [client, server];
    this.#pairs.add(pair);
    this.#pipe(client, server, pair);
    this.#pipe(server, client, pair);
    if (this.#holds) for (const socket of pair) socket.pause();
  }

  #pipe(from: Socket, to: Socket, pair: [Socket, Socket]): void {
    const end = () => {
      this.#pairs.delete(pair);
      for (const socket of pair) socket.destroy();
    };
    from.on("data", (bytes) => to.write(bytes));
    from.on("end", () => to.end());
    from.on("error", end).on("close", end);
    const { idleMs } = this.options;
    // Of both sockets the one that is written to counts as well, so that any byte on either side keeps both.
    if (idleMs !== undefined) from.setTimeout(idleMs, end);
  }
}

/** One application as a process: started as `examples/apps.json` says, on a store and a port that outlive it. */

import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { createServer, type AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { binaries, entry, environment, EXAMPLES, type Name, python } from "./apps.ts";
import type { Model } from "./model.ts";
import { eventually, Hopeless } from "./wait.ts";

export interface AppOptions {
  env?: Record<string, string>;
  /** Of another replica, to share its store. */
  folder?: string;
}

export class App {
  #process: ChildProcess | null = null;
  /** All that it wrote, over all its lives. */
  log = "";

  private constructor(
    readonly name: Name,
    readonly model: Model,
    readonly folder: string,
    readonly port: number,
    private readonly options: AppOptions,
  ) {}

  static async start(name: Name, model: Model, options: AppOptions = {}): Promise<App> {
    const folder = options.folder ?? (await mkdtemp(join(tmpdir(), `catgpt-${name}-`)));
    const app = new App(name, model, folder, await freePort(), options);
    await app.start();
    return app;
  }

  get url(): string {
    return `http://127.0.0.1:${this.port}`;
  }

  /** Starts it, or starts it again, and waits until it answers. */
  async start(): Promise<void> {
    const { folder, run } = entry(this.name);
    const words: Record<string, string> = { python: python(), port: String(this.port), bin: binaries() };
    const [command = "", ...args] = run.map((word) => word.replace(/\{(\w+)\}/g, (all, word: string) => words[word] ?? all));
    const own = { PORT: String(this.port), ...environment(this.name, this.folder, this.model.url), ...this.options.env };
    const child = spawn(command, args, { cwd: join(EXAMPLES, folder), env: { PATH: process.env["PATH"], HOME: this.folder, ...own } });
    for (const stream of [child.stdout, child.stderr]) stream.on("data", (bytes) => (this.log += String(bytes)));
    child.on("error", (error) => (this.log += String(error)));
    this.#process = child;
    await eventually(`${this.name} answers`, async () => {
      if (child.exitCode !== null) throw new Hopeless(`${this.name} ended with ${child.exitCode}`);
      return (await fetch(`${this.url}/${this.name === "streamlit" ? "_stcore/health" : "capabilities"}`)).ok;
    }).catch((error: unknown) => {
      throw new Error(`${String(error)}\n${this.log}`);
    });
  }

  /** As the machine's out-of-memory killer does it. */
  async kill(): Promise<void> {
    await this.#end("SIGKILL");
  }

  async stop(): Promise<void> {
    await this.#end("SIGTERM", 15_000);
    if (this.options.folder === undefined) await rm(this.folder, { recursive: true, force: true });
  }

  async #end(signal: NodeJS.Signals, graceMs = 0): Promise<void> {
    const child = this.#process;
    this.#process = null;
    if (!child || child.exitCode !== null || child.signalCode !== null) return;
    const exited = once(child, "exit");
    child.kill(signal);
    const timer = graceMs > 0 ? setTimeout(() => child.kill("SIGKILL"), graceMs) : undefined;
    await exited;
    clearTimeout(timer);
  }
}

export async function freePort(): Promise<number> {
  const server = createServer();
  await once(server.listen(0, "127.0.0.1"), "listening");
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}

/** Finds the native half, and says what to do where it is missing. */
import { createRequire } from "node:module";

/** A wake and what it tells; see `catgpt-node/src/hub.rs`. */
export interface NativeHub {
  drain(): string;
  take(stream: number): NativeStream | null;
  takeServed(served: number): NativeServed | null;
  listen(level?: string): void;
}
export interface NativeStream {
  poll(): string | null;
  beginBytes(encoding: string): void;
  pollBytes(): Uint8Array | null;
  close(): void;
}
export interface NativeServed {
  readonly head: string;
  pollBytes(): Uint8Array | null;
  close(): void;
}
export interface NativeCall {
  readonly id: number;
  readonly watch: number;
  progress(): string | null;
  abandon(): void;
}
export interface NativeEngine {
  call(hub: NativeHub, call: string): NativeCall;
}
export type Heard = "taken" | "wait" | "gone";
export interface NativeDesk {
  readonly id: number;
  say(question: number, json: string): Heard;
  end(question: number): Heard;
  fail(question: number, error: string): Heard;
  raised(question: number, name: string): Heard;
  leave(): void;
}
export interface NativePlay {
  open(gate: string): boolean;
  requests(): string;
  dropped(): number;
}
export interface NativeModels {
  desk(desk: NativeDesk, name: string, timeouts: string): void;
  play(play: NativePlay): void;
}
export interface Native {
  Hub: new (wake: () => void) => NativeHub;
  Engine: new (config: string, models: NativeModels, desk: NativeDesk, own: string) => NativeEngine;
  Desk: new (hub: NativeHub) => NativeDesk;
  Models: new () => NativeModels;
  Play: new (scripts: string) => NativePlay;
  kinds(): string;
  failure(finished: string): string | null;
  headers(): string;
  newsPosition(eventId: string): number | null;
  maxBody(): number;
  freshSession(): string;
  rate(thing: string, text: string): string;
  guest(name: string, cookies: string, secure: boolean): string;
  addressKey(told: string): string;
  builtinPersona(name: string): string;
  readPersona(markdown: string): string;
  loadPersona(path: string): string;
  readImage(bytes: Uint8Array): string;
  loadImage(path: string): string;
}

const require = createRequire(import.meta.url);

export const native = load();

function load(): Native {
  const { version } = require("../package.json") as { version: string };
  const own = process.env["CATGPT_NATIVE_PATH"];
  const names = platforms();
  const places = own ? [own] : names.flatMap((name) => [`../catgpt.${name}.node`, `catgpt-node-${name}`]);
  const failures: unknown[] = [];
  for (const place of places) {
    try {
      return require(place) as Native;
    } catch (error) {
      failures.push(error);
    }
  }
  throw new Error(advice(names, version, own), { cause: new AggregateError(failures, "each place that was tried") });
}

/** As napi names them. Whichever C library this is: npm installs the package that fits, and the other one is not there. */
function platforms(): string[] {
  const name = `${process.platform}-${process.arch}`;
  if (process.platform === "linux") return [`${name}-gnu`, `${name}-musl`];
  return [process.platform === "win32" ? `${name}-msvc` : name];
}

function advice(names: string[], version: string, own: string | undefined): string {
  if (own) return `catgpt-node: CATGPT_NATIVE_PATH names ${own}, which cannot be loaded; the cause says why`;
  const libc = process.platform === "linux" ? (glibc() ? "glibc" : "musl or unknown libc") : "system libc";
  const name = (process.platform === "linux" && !glibc() ? names[1] : names[0]) ?? "";
  return [
    `catgpt-node ${version} has no native module for ${process.platform} ${process.arch} (${libc}) here.`,
    `Install its package: npm install catgpt-node-${name}@${version}`,
    "If package-lock.json was written on another platform, npm may have left it out (npm/cli#4828):",
    "delete node_modules and package-lock.json, and run npm install again.",
    "A native module that you built yourself is named by the variable CATGPT_NATIVE_PATH.",
  ].join("\n");
}

function glibc(): boolean {
  const report = process.report?.getReport() as { header?: { glibcVersionRuntime?: string } } | undefined;
  return report?.header?.glibcVersionRuntime !== undefined;
}

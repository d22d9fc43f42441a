/** What the runner of the scenarios stands on: their files, how their JSON is compared, calls by name. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";

export const folder = new URL("../../../spec/scenarios/", import.meta.url);
export const read = (name) => JSON.parse(readFileSync(new URL(`${name}.json`, folder), "utf8"));
export const says = (name, verb) => read(name).steps.some((step) => step.do === verb);

export function same(names, want, got) {
  if (want === "*") return got !== null && got !== undefined;
  if (typeof want === "string" && want.startsWith("$")) return (names[want] ??= got) === got;
  if (want === null || typeof want !== "object") return want === (got ?? null);
  if (!got || typeof got !== "object" || (Array.isArray(want) && want.length !== got.length)) return false;
  return Object.entries(want).every(([key, one]) => same(names, one, got[key]));
}

const camel = (name) => name.replace(/_./g, ([, letter]) => letter.toUpperCase());

/** What a method gives, by its name in Rust, with what it takes in order and by name. */
export function made(on, call, given = [], options = {}) {
  return on[camel(call)](...given, Object.fromEntries(Object.entries(options).map(([name, value]) => [camel(name), value])));
}

/** Plays what comes before a crash in a process that then kills itself. */
export function killed(...args) {
  const { stdout, stderr, signal } = spawnSync(process.execPath, [process.argv[1], ...args], { encoding: "utf8" });
  assert.equal(signal, "SIGKILL", stderr);
  return JSON.parse(stdout);
}

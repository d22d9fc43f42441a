/** What the tests share. */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { after } from "node:test";
import { Engine } from "catgpt-node";
import { Scripted } from "catgpt-node/testing";

/** Nothing here talks to anybody's paid model. */
for (const name of ["OPENAI_API_KEY", "OPENAI_BASE_URL", "OPENAI_MODEL"]) delete process.env[name];

/** A model that says `Hello `, waits at the gate `g`, says `world` and has finished. */
export const GATED = [{ text: "Hello " }, { gate: "g" }, { text: "world" }, { finish: "stop" }];

/** An engine on a scripted model, and a session of it. */
export function scripted(...scripts) {
  const model = new Scripted(...scripts);
  const engine = new Engine({ model, memory: "memory:", retryBaseMs: 0 });
  return { model, engine, session: engine.user("alice").session("chat") };
}

/** Polls until it holds, within 20 s. */
export async function until(holds, what) {
  for (let left = 4000; left > 0; left--) {
    if (await holds()) return;
    await sleep(5);
  }
  assert.fail(`never came: ${what ?? holds}`);
}

/** The text and the status of the newest message. */
export async function newest(session) {
  const message = (await session.history()).at(-1);
  return [message.content.map((part) => part.text).join(""), message.status];
}

/** Waits until the newest message is as expected. */
export async function settles(session, text, status) {
  const want = JSON.stringify([text, status]);
  await until(async () => JSON.stringify(await newest(session)) === want, `a newest message ${want}`);
}

/** A folder that is gone after the tests. */
export function folder() {
  const path = mkdtempSync(join(tmpdir(), "catgpt-"));
  after(() => rmSync(path, { recursive: true, force: true }));
  return path;
}

/** Runs a program to its end, within two minutes. */
export function run(program, args, { input = "", ...options } = {}) {
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, { timeout: 120_000, killSignal: "SIGKILL", ...options });
    let [stdout, stderr] = ["", ""];
    child.stdout.setEncoding("utf8").on("data", (text) => (stdout += text));
    child.stderr.setEncoding("utf8").on("data", (text) => (stderr += text));
    child.on("error", reject).on("close", (code, signal) => resolve({ code, signal, stdout, stderr }));
    child.stdin.on("error", () => {}).end(input);
  });
}

/** Runs JavaScript as a module of this package. */
export const runModule = (source, ...flags) =>
  run(process.execPath, [...flags, "--input-type=module", "--eval", source], { cwd: new URL("../..", import.meta.url) });

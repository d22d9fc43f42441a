/** What the engine does to a process: it never keeps one alive for nothing, and never holds one that wants to go. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { Worker } from "node:worker_threads";
import { folder, runModule, scripted, settles } from "./kit/kit.js";

const PROGRAM = `
  import { Engine } from "catgpt-node";
  import { Scripted } from "catgpt-node/testing";
  const say = (model, memory) => new Engine({ model, memory }).user("alice").session("chat").send("Hi");
`;

test("a process ends by itself when nobody waits, though a turn runs", async () => {
  const { code, stdout, stderr } = await runModule(`${PROGRAM}
    const reply = await say(new Scripted([{ text: "x" }, { hang: true }]));
    await reply.next();
    console.log("done");
  `);
  assert.deepEqual([code, stdout], [0, "done\n"], stderr);
});

test("a process lives as long as somebody waits, and then ends", async () => {
  const { code, stdout, stderr } = await runModule(`${PROGRAM}
    const pieces = Array.from({ length: 20 }, () => [{ delay_ms: 10 }, { text: "x" }]).flat();
    console.log(await (await say(new Scripted([...pieces, { finish: "stop" }]))).text());
  `);
  assert.deepEqual([code, stdout], [0, `${"x".repeat(20)}\n`], stderr);
});

test("loading the package begins nothing", async () => {
  const { code, stdout, stderr } = await runModule(`
    import { readFileSync, readdirSync } from "node:fs";
    import { Engine } from "catgpt-node";
    const tasks = () => (process.platform === "linux" ? readdirSync("/proc/self/task") : []);
    const ours = () => tasks().some((task) => readFileSync(\`/proc/self/task/\${task}/comm\`, "utf8").startsWith("catgpt"));
    const session = new Engine({ model: "offline" }).user("alice").session("chat");
    const before = ours();
    await (await session.send("Hi")).text();
    console.log(before, ours() || process.platform !== "linux");
  `);
  assert.deepEqual([code, stdout], [0, "false true\n"], stderr);
});

test("process.exit() with running replies is clean, again and again", { timeout: 120_000 }, async () => {
  for (let n = 0; n < 10; n++) {
    const { code, signal, stderr } = await runModule(`${PROGRAM}
      const endless = Array.from({ length: 5000 }, () => [{ delay_ms: 1 }, { text: "x" }]).flat();
      for (let n = 0; n < 20; n++) say(new Scripted(endless)).then(async (reply) => { for await (const _ of reply); });
      setTimeout(() => process.exit(3), 50);
    `);
    assert.deepEqual([code, signal, stderr], [3, null, ""]);
  }
});

test("a worker has a loop of its own, and may be ended in the middle of a reply", async () => {
  const { session, model } = scripted([{ text: "a" }, { gate: "g" }, { text: "b" }, { finish: "stop" }]);
  const main = await session.send("Hi");
  const source = `${PROGRAM}
    import { parentPort } from "node:worker_threads";
    const own = async function* (request, signal) { yield "from a worker"; await new Promise(() => {}); };
    const reply = await say(process.argv.includes("own") ? own : new Scripted([{ text: "x" }, { hang: true }]));
    for await (const event of reply) if (event.type === "text") parentPort.postMessage(event.text);
  `;
  const path = join(folder(), "worker.mjs");
  const dist = (file) => JSON.stringify(new URL(`../dist/${file}.js`, import.meta.url));
  const code = source.replaceAll('"catgpt-node/testing"', dist("testing")).replaceAll('"catgpt-node"', dist("index"));
  writeFileSync(path, code);
  const workers = ["scripted", "own", "scripted"].map((argv) => new Worker(path, { argv: [argv] }));
  const heard = await Promise.all(workers.map(async (worker) => (await once(worker, "message"))[0]));
  assert.deepEqual(heard, ["x", "from a worker", "x"]);
  await Promise.all(workers.map((worker) => worker.terminate()));
  model.open("g");
  assert.equal(await main.text(), "ab");
  await settles(session, "ab", "complete");
});

test("close() waits for what runs and ends the rest with its text", async () => {
  const { engine, session, model } = scripted([{ text: "Hello " }, { hang: true }]);
  const reply = await session.send("Hi");
  await reply.next();
  await engine.close({ deadlineMs: 0 });
  const { status, stored } = await lastOf(reply);
  assert.deepEqual([status, stored, model.dropped], ["interrupted", 6, 1]);
});

async function lastOf(reply) {
  let last;
  for await (const event of reply) last = event;
  return last;
}

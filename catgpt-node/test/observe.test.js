/** What an operator sees: health, metrics, the log; and what he does not. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { Engine, InvalidInputError, onLog } from "catgpt-node";
import { Scripted } from "catgpt-node/testing";
import { folder, runModule, scripted, until } from "./kit/kit.js";

const MARK = "xyzzy";

test("an engine is well, or says what is wrong", async () => {
  const { engine, session } = scripted([{ gate: "g" }, { finish: "stop" }]);
  await session.send("Hi");
  const health = await engine.health();
  assert.deepEqual([health.healthy, health.closing, health.running, health.store.ok, health.live], [true, false, 1, true, null]);
  await engine.close({ deadlineMs: 0 });
  assert.equal((await engine.health()).healthy, false);

  const broken = new Engine({ model: "offline", memory: `sqlite:${folder()}` });
  const { healthy, store } = await broken.health();
  assert.deepEqual([healthy, store.ok, store.error.kind], [false, false, "store"]);
});

test("what happened is counted, as data and as text", async () => {
  const { engine, session } = scripted([{ text: "Meow" }, { usage: { input_tokens: 3, output_tokens: 2 } }, { finish: "stop" }]);
  await (await session.send("Hi")).text();
  const metrics = await engine.metrics();
  const points = (name) => metrics.find((metric) => metric.name === name).points;
  assert.deepEqual(points("catgpt.turns"), [{ labels: { status: "complete" }, value: 1 }]);
  assert.equal(points("gen_ai.client.operation.duration")[0].count, 1);
  assert.match(await engine.prometheus(), /^catgpt_turns_total\{status="complete"\} 1$/m);
});

test("the log has a line for each turn, for whoever listens, and nothing that was said", async () => {
  const [all, warnings] = [[], []];
  const silent = [onLog("debug", (record) => all.push(record)), onLog("warn", (record) => warnings.push(record))];
  const { engine, session } = scripted([{ text: MARK }, { error: "unavailable" }], [{ text: MARK }, { finish: "stop" }]);
  const first = await session.send(`Say ${MARK}`, { credentials: `sk-${MARK}` });
  await assert.rejects(first.text());
  const second = await session.send(`Say ${MARK}`);
  await second.text();
  await until(() => all.length === 2, "two lines");
  assert.deepEqual(all.map(({ level, fields }) => [level, fields.status, fields.turn]), [
    ["warn", "failed", first.turn],
    ["debug", "complete", second.turn],
  ]);
  assert.deepEqual(warnings, all.slice(0, 1));
  for (const end of silent) end();
  await (await session.send(`Say ${MARK}`)).text();
  await engine.health();
  assert.equal(all.length, 2);
  assert.ok(!JSON.stringify([all, await engine.metrics()]).includes(MARK));
  assert.throws(() => onLog("loud", () => {}), InvalidInputError);
});

test("a listener that throws is told to the process, and nothing else is lost", async () => {
  const { code, stdout, stderr } = await runModule(`
    import { Engine, onLog } from "catgpt-node";
    const heard = [];
    process.on("uncaughtException", (error) => heard.push(error.message));
    onLog("debug", () => { throw new Error("the listener's own"); });
    const session = new Engine({ model: "offline" }).user("alice").session("chat");
    for (let n = 0; n < 20; n++) await (await session.send("Hi")).result();
    while (heard.length < 20) await new Promise(setImmediate);
    console.log(new Set(heard));
  `);
  assert.deepEqual([code, stdout], [0, "Set(1) { \"the listener's own\" }\n"], stderr);
});

test("messages are told to who asks for them", async () => {
  const lines = [];
  const end = onLog("info", (record) => lines.push(record));
  const engine = new Engine({ model: new Scripted([{ text: "Meow" }, { finish: "stop" }]), recordContent: true });
  await (await engine.local().session("s").send("Hi")).text();
  await until(() => lines.length === 2, "two lines");
  assert.match(lines[0].fields["gen_ai.input.messages"], /"content":"Hi"/);
  assert.match(lines[1].fields["gen_ai.output.messages"], /"content":"Meow"/);
  end();
});

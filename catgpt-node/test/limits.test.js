/** Limits, prices and the ledger, as JavaScript has them. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { Engine, InvalidInputError, Limit, LimitedError } from "catgpt-node";
import { Scripted } from "catgpt-node/testing";

/** So long that no test sees two windows. */
const AGE = 100 * 365 * 86_400_000;
const hundred = () => new Scripted([{ text: "ok" }, { usage: { input_tokens: 90, output_tokens: 10 } }, { finish: "stop" }]);

test("a refusal says what and when", async () => {
  const limits = [{ name: "quota", unit: "tokens", max: 100, windowMs: AGE }];
  const engine = new Engine({ model: hundred(), prices: { "scripted*": { input: 1, output: 10 } }, limits });
  const user = engine.user("alice");
  assert.equal((await (await user.session("a").send("Hi")).result()).cost, 190);
  const error = await user.session("a").send("Hi").catch((error) => error);
  assert.ok(error instanceof LimitedError && error.status === 429 && error.retryAfterMs <= AGE);
  assert.deepEqual(error.limit, { name: "quota", unit: "tokens", max: 100 });
  assert.deepEqual(JSON.parse(JSON.stringify(error)).limit, error.limit);
  const [{ resets_ms, ...state }] = await user.limits();
  assert.deepEqual(state, { name: "quota", per: "owner", unit: "tokens", used: 100, max: 100, window_ms: AGE });
  assert.ok(resets_ms > Date.now());

  const plan = { limits: [{ name: "plus", unit: "turns", max: 9, windowMs: AGE, per: { key: "team" } }], maxRunning: 1 };
  await (await user.session("b").send("Hi", { ...plan, limitKeys: { team: "red" } })).result();
  assert.equal((await user.limits({ limits: plan.limits, limitKeys: { team: "red" } }))[0].used, 1);
  await assert.rejects(user.session("b").send("Hi", plan), InvalidInputError);
  const lines = await user.usage({ by: ["session", "purpose"] });
  assert.deepEqual(lines.map(({ session, purpose, calls, cost }) => [session, purpose, calls, cost]), [["a", "turn", 1, 190], ["b", "turn", 1, 190]]);
  assert.equal((await user.usage({ session: "b" }))[0].usage.input_tokens, 90);
  assert.equal((await user.usage({ toMs: 0 }))[0].calls, 0);
});

test("what a model makes when asked counts as a turn", async () => {
  const limits = [
    { name: "turns", unit: "turns", max: 2, windowMs: AGE },
    { name: "tokens", unit: "tokens", max: 100_000, windowMs: AGE },
  ];
  const user = new Engine({ model: hundred(), limits }).user("alice");
  const session = user.session("a");
  await (await session.send("Hi")).result();
  assert.equal(await session.makeTitle(), "ok");
  assert.deepEqual((await user.limits()).map(({ used }) => used), [2, 200]);
  await assert.rejects(session.makeTitle(), LimitedError);
  await assert.rejects(session.summarize(), LimitedError);
  const plan = { limits: [{ ...Limit.rate("plan", "1/day"), per: { key: "ip" } }] };
  await assert.rejects(session.summarize(plan), InvalidInputError);
  assert.equal((await session.summarize({ ...plan, limitKeys: { ip: "192.0.2.1" } })).text, "ok");
  await assert.rejects(session.makeTitle({ ...plan, limitKeys: { ip: "192.0.2.1" } }), LimitedError);
});

test("a rate is read as people write it", () => {
  const { good, bad } = JSON.parse(readFileSync(new URL("../../spec/rates.json", import.meta.url), "utf8"));
  for (const [text, name, unit, max, windowMs] of good) assert.deepEqual(Limit.rate("x", text), { name, unit, max, windowMs }, text);
  for (const text of bad) {
    assert.throws(() => Limit.rate("x", text), (error) => error instanceof InvalidInputError && error.message.includes("20/minute"), text);
  }
});

test("limits that cannot be kept are refused at once", () => {
  const twice = { name: "a", unit: "turns", max: 1, windowMs: 60_000 };
  assert.throws(() => new Engine({ model: hundred(), limits: [twice, twice] }), /same name/);
  assert.throws(() => new Engine({ model: hundred(), prices: { a: { input: -1, output: 1 } } }), InvalidInputError);
});

test("the README's program runs as it stands", async () => {
  const readme = readFileSync(new URL("../README.md", import.meta.url), "utf8");
  const [, code] = /## What it may cost\n\n```js\n([^]*?)```/.exec(readme);
  const AsyncFunction = (async () => {}).constructor;
  const told = [];
  const offline = class extends Engine {
    constructor(options) {
      super({ ...options, model: hundred(), prices: { ...options.prices, "*": { input: 1, output: 10 } } });
    }
  };
  await new AsyncFunction("Engine", "Limit", "req", "console", code)(offline, Limit, { ip: "192.0.2.1" }, { log: (...what) => told.push(what) });
  assert.deepEqual(told, [[190], ["scripted", 190], ["daily spend", 190, 500_000]]);
});

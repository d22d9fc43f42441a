/** Tools that are written in JavaScript, in turns. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { test } from "node:test";
import { ConflictError, Engine, InvalidInputError, ToolError, pendingOf, tool } from "catgpt-node";
import { Scripted } from "catgpt-node/testing";
import { folder, until } from "./kit/kit.js";

/** A step of a model that asks for tools. */
const wants = (...calls) => [
  ...calls.map(([id, name, args]) => ({ tool_call: { id, name, arguments: args } })),
  { finish: "tool_calls" },
];
const DONE = [{ text: "done" }, { finish: "stop" }];
const CITY = { type: "object", properties: { city: { type: "string" } }, required: ["city"] };

function able(tools, ...steps) {
  const model = new Scripted(...steps);
  const engine = new Engine({ model, tools, retryBaseMs: 0 });
  return { model, engine, session: engine.user("alice").session("chat") };
}

const all = async (reply) => {
  const events = [];
  for await (const event of reply) events.push(event);
  return events;
};

/** What the tools of a turn gave. */
const results = async (reply) =>
  (await all(reply)).filter(({ type }) => type === "tool_result").map(({ output, is_error }) => [output, !!is_error]);

/** A tool that never answers, and the signal that it was given. */
function hanging(options = {}) {
  const seen = {};
  const hang = tool({ name: "hang", ...options }, (args, { signal }) => {
    seen.signal = signal;
    return new Promise(() => {});
  });
  return [hang, seen];
}

test("a call runs, and its result goes back to the model", async () => {
  const weather = tool({ name: "weather", description: "Tells it.", parameters: CITY }, async ({ city }, at) => ({
    city,
    for: [at.owner, at.session, typeof at.turn, at.id, at.key.length, at.signal.aborted],
  }));
  const { model, session } = able([weather], wants(["1", "weather", { city: "Kyoto" }]), DONE);
  const events = await all(await session.send("Hi"));
  const output = { city: "Kyoto", for: ["alice", "chat", "string", "1", 36, false] };
  assert.deepEqual(events.slice(1, 3), [
    { type: "tool_call", id: "1", name: "weather", arguments: { city: "Kyoto" }, offset: 1 },
    { type: "tool_result", id: "1", output, offset: 2 },
  ]);
  const reply = (await session.history()).at(-1);
  assert.deepEqual(reply.content.map(({ type }) => type), ["tool_call", "tool_result", "text"]);
  assert.deepEqual([reply.status, model.requests.length], ["complete", 2]);
});

test("a tool fails with its words, or with its type alone", async () => {
  const known = tool({ name: "known" }, () => { throw new ToolError("there is no such city"); });
  const other = tool({ name: "other" }, async () => { throw new RangeError("hunter2"); });
  const odd = tool({ name: "odd" }, () => 1n);
  const bare = tool({ name: "bare" }, () => { throw Object.assign(new Error(), { constructor: undefined }); });
  const calls = wants(["1", "known", {}], ["2", "other", {}], ["3", "odd", {}], ["4", "bare", {}]);
  const { session } = able([known, other, odd, bare], calls, DONE);
  assert.deepEqual(await results(await session.send("Hi")), [
    ["there is no such city", true],
    ["the application's own code failed with RangeError", true],
    ["the application's own code failed with TypeError", true],
    ["the application's own code failed with Error", true],
  ]);
});

test("a text that was cut in the middle of a character is told all the same", async () => {
  const cut = "so good \u{1F63A}".slice(0, 9);
  const says = tool({ name: "says" }, () => ({ said: [cut] }));
  const fails = tool({ name: "fails" }, () => { throw new ToolError(cut); });
  const { session } = able([says, fails], wants(["1", "says", {}], ["2", "fails", {}]), DONE);
  assert.deepEqual(await results(await session.send("Hi")), [
    [{ said: ["so good \ufffd"] }, false],
    ["so good \ufffd", true],
  ]);
});

test("a tool that gives nothing gives null", async () => {
  const { session } = able([tool({ name: "mute" }, () => {})], wants(["1", "mute", null]), DONE);
  assert.deepEqual(await results(await session.send("Hi")), [[null, false]]);
});

test("a tool that is too slow is told to stop, and the turn goes on", async () => {
  const [hang, seen] = hanging({ timeoutMs: 20 });
  const { session } = able([hang], wants(["1", "hang", {}]), DONE);
  const [[said, failed]] = await results(await session.send("Hi"));
  assert.ok(failed && said.includes("in time"), said);
  await until(() => seen.signal.aborted);
});

test("a stopped turn aborts its tool, and the session is usable", async () => {
  const [hang, seen] = hanging();
  const { session } = able([hang], wants(["1", "hang", {}]), DONE);
  const reply = await session.send("Hi");
  await until(() => seen.signal);
  await reply.cancel();
  assert.equal((await reply.result()).status, "cancelled");
  await until(() => seen.signal.aborted);
  assert.equal(await (await session.send("Still there?")).text(), "done");
});

test("tools run beside each other only if they say so", async () => {
  const running = { now: 0, most: 0 };
  const meeting = (name, parallel, until) =>
    tool({ name, parallel }, async () => {
      running.most = Math.max(running.most, ++running.now);
      await until();
      running.now--;
      return "met";
    });
  for (const parallel of [true, false]) {
    running.most = 0;
    const met = () => (parallel ? until(() => running.most === 2) : new Promise(setImmediate));
    const { session } = able([meeting("a", parallel, met), meeting("b", parallel, met)], wants(["1", "a", {}], ["2", "b", {}]), DONE);
    assert.deepEqual(await results(await session.send("Hi")), [["met", false], ["met", false]]);
    assert.equal(running.most, parallel ? 2 : 1);
  }
});

test("a send says which tools there are, and an engine how many steps", async () => {
  const asked = [];
  const model = ({ tools }) => {
    asked.push(tools.map(({ name }) => name));
    return [{ tool_call: { id: String(asked.length), name: "a", arguments: {} } }, { finish: "tool_calls" }];
  };
  const engine = new Engine({ model, tools: ["a", "b"].map((name) => tool({ name }, () => name)), maxSteps: 2 });
  const session = engine.user("alice").session("chat");
  assert.deepEqual(await results(await session.send("Hi")), [["a", false]]);
  assert.equal((await results(await session.send("Hi", { tools: ["b"] })))[0][1], true);
  assert.deepEqual(asked, [["a", "b"], ["a", "b"], ["b"], ["b"]]);
  await assert.rejects(session.send("Hi", { tools: ["c"] }), InvalidInputError);
});

test("an approval comes from another engine on the same store", async () => {
  const paid = [];
  const pay = tool({ name: "pay", approval: true }, ({ amount }) => (paid.push(amount), "paid"));
  const memory = `sqlite:${join(folder(), "chat.db")}`;
  const opened = (...steps) => new Engine({ model: new Scripted(...steps), tools: [pay], memory });
  const first = opened(wants(["1", "pay", { amount: 3 }], ["2", "pay", { amount: 900 }]));
  const { status, pending } = await (await first.user("alice").session("chat").send("Pay all")).result();
  await first.close();
  assert.deepEqual([status, pending.map(({ id }) => id), paid], ["paused", ["1", "2"], []]);

  const second = opened(DONE);
  const session = second.user("alice").session("chat");
  assert.deepEqual(pendingOf((await session.history()).at(-1)), pending);
  await assert.rejects(session.decide([{ id: "1", approve: true }]), InvalidInputError);
  const decided = await session.decide([{ id: "1", approve: true }, { id: "2", deny: "too much" }]);
  const told = await results(decided);
  assert.deepEqual(new Map(told), new Map([["paid", false], ["the call was denied: too much", true]]));
  assert.deepEqual(paid, [3]);
  assert.deepEqual(pendingOf((await session.history()).at(-1)), []);
  await assert.rejects(session.decide([{ id: "1", approve: true }, { id: "2", approve: true }]), ConflictError);
  await second.close();
});

test("of two decisions at once one is too late", async () => {
  let count = 0;
  const once = tool({ name: "once", approval: true }, () => ++count);
  const memory = `sqlite:${join(folder(), "chat.db")}`;
  const engines = [1, 2].map(() => new Engine({ model: new Scripted(wants(["1", "once", {}]), DONE), tools: [once], memory }));
  const sessions = engines.map((engine) => engine.user("alice").session("chat"));
  await (await sessions[0].send("Hi")).result();
  const decide = async (session) => (await session.decide([{ id: "1", approve: true }])).result();
  const outcomes = await Promise.allSettled(sessions.map(decide));
  const refused = outcomes.filter(({ status }) => status === "rejected");
  assert.deepEqual([refused.length, count], [1, 1]);
  assert.ok(["conflict", "busy"].includes(refused[0].reason.code), refused[0].reason);
  for (const engine of engines) await engine.close();
});

test("a tool of the client's waits for its output", async () => {
  const { session } = able([tool({ name: "place", description: "Where the user is." })], wants(["1", "place", {}], ["2", "place", {}]), DONE);
  const { status, pending } = await (await session.send("Where am I?")).result();
  assert.deepEqual([status, pending.length], ["paused", 2]);
  const decided = await session.decide([{ id: "1", output: { lat: 35 } }, { id: "2", error: "not allowed" }]);
  assert.deepEqual(await results(decided), [[{ lat: 35 }, false], ["not allowed", true]]);
});

/** What zod and the like are, as far as a tool looks at them. */
const standard = (jsonSchema) => ({
  "~standard": {
    version: 1,
    vendor: "test",
    validate: (value) =>
      typeof value?.city === "string"
        ? { value: { city: value.city.toUpperCase() } }
        : { issues: [{ message: "expected a text", path: ["city", { key: 0 }] }, { message: "and more" }] },
    jsonSchema,
  },
});

test("a schema that checks is asked, and what does not fit is told to the model", async () => {
  const weather = tool({ name: "weather", parameters: standard({ input: () => CITY }) }, ({ city }) => city);
  const steps = [wants(["1", "weather", { city: "Rome" }], ["2", "weather", { city: 5 }]), DONE];
  const { session } = able([weather], ...steps);
  assert.deepEqual(await results(await session.send("Hi")), [
    ["ROME", false],
    ["the arguments do not fit: city.0: expected a text; and more", true],
  ]);
});

test("tools that a model could not be told of are refused at once", () => {
  const bad = [[tool({ name: "no spaces" })], [tool({ name: "a" }), tool({ name: "a" })], [tool({ name: "a", parameters: standard() })]];
  for (const tools of bad) assert.throws(() => new Engine({ model: new Scripted(DONE), tools }), InvalidInputError);
});

/** Models and memories that are written in JavaScript. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { CatgptError, Engine, RateLimitedError, StoreError, TimeoutError, UnauthorizedError, UnexpectedError } from "catgpt-node";
import { Scripted } from "catgpt-node/testing";
import { MapMemory } from "./kit/map-memory.js";
import { newest, settles, until } from "./kit/kit.js";

/** An engine with a model of one's own, and a session of it. */
function own(model, options = {}) {
  const engine = new Engine({ model, retryBaseMs: 0, ...options });
  return { engine, session: engine.user("alice").session("chat") };
}

test("a generator streams, is told everything, and has finished when it returns", async () => {
  const asked = [];
  const { session } = own({
    name: "mine",
    async *stream(request, signal) {
      asked.push([request, signal.aborted]);
      yield { reasoning: "Hm" };
      yield "Me";
      yield { text: "ow" };
      yield { usage: { input_tokens: 3, output_tokens: 2 } };
    },
  });
  const reply = await session.send("Hi", { params: { top_p: 0.5 }, model: "large", credentials: "key" });
  const events = [];
  for await (const event of reply) events.push(event);
  assert.deepEqual([events[0].model, events.at(-1).finish_reason, events.at(-1).usage.input_tokens], ["large", "stop", 3]);
  const [[request, aborted]] = asked;
  assert.deepEqual([request.turn, request.params, request.model, request.credentials], [reply.turn, { top_p: 0.5 }, "large", "key"]);
  assert.deepEqual(request.messages.at(-1), { role: "user", content: [{ type: "text", text: "Hi" }] });
  assert.equal(aborted, false);
  assert.deepEqual(await newest(session), ["HmMeow", "complete"]);
});

test("an answer may be a string, an event, a list, or a promise of them", async () => {
  for (const answer of ["Meow", { text: "Meow" }, ["Me", { text: "ow" }], Promise.resolve("Meow"), new Set(["Me", "ow"])]) {
    const { session } = own(() => answer);
    assert.equal(await (await session.send("Hi")).text(), "Meow");
  }
});

test("half a character of a model's is shown as such", async () => {
  const half = "🐈".slice(0, 1);
  const { session } = own(() => [half, "🐈", `\\ud83d \n${half}`, `\\${half}`]);
  assert.equal(await (await session.send("Hi")).text(), "\ufffd🐈\\ud83d \n\ufffd\\\ufffd");
});

test("what a model throws fails the turn without its words, and is the cause", async () => {
  const thrown = new TypeError("hunter2");
  const { session } = own(async function* () {
    yield "Me";
    throw thrown;
  });
  const reply = await session.send("Hi");
  await assert.rejects(reply.text(), (error) => {
    assert.ok(error instanceof UnexpectedError && error.cause === thrown);
    return !JSON.stringify(error).includes("hunter2") && error.message.includes("TypeError");
  });
  for await (const event of await session.attach(reply.turn)) {
    if (event.type === "finished") assert.equal(event.error.cause, thrown);
  }
  assert.deepEqual(await newest(session), ["Me", "failed"]);
});

test("a typed error of a model is that error: one that is worth it is tried again", async () => {
  let calls = 0;
  const { session } = own(() => {
    if (++calls < 3) throw new RateLimitedError("slow down", { retryAfterMs: 1 });
    return "Meow";
  });
  const types = [];
  for await (const event of await session.send("Hi")) types.push(event.type === "retrying" ? event.error.kind : event.type);
  assert.deepEqual(types, ["started", "rate_limited", "rate_limited", "text", "finished"]);
  const cause = new Error("401");
  const refused = own(() => Promise.reject(new UnauthorizedError("no", { cause })));
  await assert.rejects((await refused.session.send("Hi")).text(), (error) => error.code === "unauthorized" && error.cause.cause === cause);
});

test("what is no model event fails the turn", async () => {
  for (const answer of [[{ colour: 1 }], 7, [null]]) {
    const { session } = own(() => answer);
    await assert.rejects((await session.send("Hi")).text(), CatgptError);
    assert.deepEqual(await newest(session), ["", "failed"]);
  }
});

test("a cancelled turn aborts the signal and ends the generator", async () => {
  let [reason, ended] = [];
  const { session } = own(async function* (_, signal) {
    try {
      yield "Hello ";
      await new Promise((resolve) => signal.addEventListener("abort", resolve));
      reason = signal.reason;
      yield "nobody hears this";
    } finally {
      ended = true;
    }
  });
  const reply = await session.send("Hi");
  await reply.next();
  await until(async () => (await newest(session))[0] === "Hello ", "the text");
  await reply.cancel();
  assert.equal((await reply.result()).status, "cancelled");
  await until(() => ended, "the end of the generator");
  assert.equal(reason.name, "AbortError");
  assert.deepEqual(await newest(session), ["Hello ", "cancelled"]);
});

test("a model that says a hundred thousand pieces at once is taken at the engine's pace, and timers run", async () => {
  let turns = 0;
  const tick = () => ((turns += 1), (ticking = setImmediate(tick)));
  let ticking = setImmediate(tick);
  const { session } = own(function* () {
    for (let n = 0; n < 100_000; n++) yield "x";
  });
  assert.equal((await (await session.send("Hi")).text()).length, 100_000);
  clearImmediate(ticking);
  assert.ok(turns > 1_000, `${turns} turns of the loop`);
});

test("a model that is silent for too long is a timeout, and its signal is aborted", async () => {
  const signals = [];
  const silent = (_, signal) => (signals.push(signal), new Promise(() => {}));
  const { session } = own({ stream: silent, firstMs: 20 }, { attempts: 1 });
  await assert.rejects((await session.send("Hi")).text(), TimeoutError);
  await until(() => signals.every((signal) => signal.aborted), "the abort");
});

test("a model may use the engine: another session of it", async () => {
  const { engine, session } = own(async function* ({ messages }) {
    const said = messages.at(-1).content[0].text;
    if (said !== "ask") return yield said.toUpperCase();
    yield (await engine.user("alice").session("other").send("deep")).text();
  });
  assert.equal(await (await session.send("ask")).text(), "DEEP");
});

test("a turn outlives the reply and the engine's handle", async () => {
  let go;
  const opened = new Promise((resolve) => (go = resolve));
  let session;
  {
    const mine = own(async function* () {
      yield "Hello ";
      await opened;
      yield "world";
    }, { memory: new MapMemory() });
    session = mine.session;
    await (await session.send("Hi")).return();
  }
  for (let n = 0; n < 5; n++) global.gc(), await new Promise(setImmediate);
  go();
  await settles(session, "Hello world", "complete");
});

/** A memory whose method does something else. */
function broken(method, instead, options = {}) {
  const memory = Object.assign(new MapMemory(), options);
  memory[method] = instead;
  return own(Scripted.reply("Meow"), { memory });
}

test("what a memory throws fails the call, and is the cause", async () => {
  const thrown = new RangeError("hunter2");
  const { session } = broken("beginTurn", () => Promise.reject(thrown));
  await assert.rejects(session.send("Hi"), (error) => error instanceof UnexpectedError && error.cause === thrown && !error.message.includes("hunter2"));
  const typed = new StoreError("gone", { retryable: false });
  await assert.rejects(broken("beginTurn", () => { throw typed; }).session.send("Hi"), (error) => error instanceof StoreError && error.cause === typed);
});

test("a memory that fails at the end of a turn does not leave its readers waiting", async () => {
  const thrown = new StoreError("disk", { retryable: false });
  const { session } = broken("finishTurn", () => Promise.reject(thrown));
  await assert.rejects((await session.send("Hi")).text(), (error) => error.code === "store" && error.cause === thrown);
});

test("a memory that is too slow, or answers something else, is an error", async () => {
  let signal;
  const slow = broken("read", (_, given) => ((signal = given), new Promise(() => {})), { timeoutMs: 20 });
  await assert.rejects(slow.session.history(), StoreError);
  await until(() => signal.aborted, "the abort");
  await assert.rejects(broken("read", () => ({ rows: 7 })).session.history(), { code: "invalid_input" });
  await assert.rejects(broken("read", undefined).session.history(), { code: "unsupported" });
});

test("a memory is closed with its engine, and asked nothing after that", async () => {
  const memory = new MapMemory();
  let closed = 0;
  memory.close = () => void closed++;
  const { engine, session } = own(Scripted.reply("Meow"), { memory });
  await (await session.send("Hi")).text();
  await engine[Symbol.asyncDispose]();
  assert.equal(closed, 1);
  await assert.rejects(session.send("Hi"), { code: "closed" });
});

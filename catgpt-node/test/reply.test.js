/** A reply as its readers use it: leaving it never ends the turn, unless they ask for that. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { Engine, InvalidInputError, TruncatedError, UnavailableError } from "catgpt-node";
import { Scripted } from "catgpt-node/testing";
import { GATED, newest, scripted, settles, until } from "./kit/kit.js";

/** Reads until the first text. */
async function first(reply) {
  for (;;) {
    const { value } = await reply.next();
    if (value.type === "text") return value.text;
  }
}

test("events come typed, numbered and with one end", async () => {
  const { session } = scripted([{ reasoning: "Hm" }, { text: "Hé" }, { usage: { input_tokens: 1, output_tokens: 2 } }, { finish: "stop" }]);
  const reply = await session.send("Hi");
  const events = await collect(reply);
  assert.deepEqual(events.map((event) => [event.type, event.offset]), [["started", 0], ["reasoning", 2], ["text", 5], ["finished", 5]]);
  assert.equal(events[0].turn, reply.turn);
  assert.equal(events[0].session, "chat");
  assert.deepEqual(events[3].usage, { input_tokens: 1, output_tokens: 2 });
});

async function collect(reply) {
  const events = [];
  for await (const event of reply) events.push(event);
  return events;
}

const leave = {
  break: async (reply) => {
    for await (const event of reply) if (event.type === "text") break;
  },
  throw: async (reply) => {
    const thrown = new Error("mine");
    const reading = async () => {
      for await (const event of reply) if (event.type === "text") throw thrown;
    };
    await assert.rejects(reading, thrown);
  },
  "return()": async (reply) => {
    await first(reply);
    const parked = reply.next();
    await reply.return();
    assert.deepEqual(await parked, { done: true, value: undefined });
  },
  asyncDispose: async (reply) => {
    await first(reply);
    await reply[Symbol.asyncDispose]();
  },
};
for (const [how, left] of Object.entries(leave)) {
  test(`${how} ends the subscription and not the turn`, async () => {
    const { session, model } = scripted(GATED);
    const reply = await session.send("Hi");
    await left(reply);
    assert.deepEqual(await reply.next(), { done: true, value: undefined });
    assert.equal((await session.info()).running, reply.turn);
    model.open("g");
    await settles(session, "Hello world", "complete");
    const again = await session.attach(reply.turn, 6);
    assert.equal(await again.text(), "world");
  });

  test(`${how} with onDrop "cancel" ends the turn and its request`, async () => {
    const { session, model } = scripted([{ text: "Hello " }, { hang: true }]);
    await left(await session.send("Hi", { onDrop: "cancel" }));
    await settles(session, "Hello ", "cancelled");
    assert.equal(model.dropped, 1);
  });
}

test("leaving a reply that has ended already forgets what was not read", async () => {
  const { session } = scripted([{ text: "a" }, { finish: "stop" }]);
  const reply = await session.send("Hi");
  await settles(session, "a", "complete");
  assert.equal((await reply.next()).value.type, "started");
  await reply.return();
  assert.ok((await reply.next()).done);
});

test("an abort rejects who reads with the signal's reason, and detaches", async () => {
  const { session, model } = scripted(GATED);
  const abort = new AbortController();
  const reply = await session.send("Hi", { signal: abort.signal });
  await first(reply);
  const parked = reply.next();
  abort.abort(new Error("enough"));
  await assert.rejects(parked, new Error("enough"));
  assert.ok((await reply.next()).done);
  model.open("g");
  await settles(session, "Hello world", "complete");
});

test("an abort between two reads rejects the next one", async () => {
  const { session } = scripted(GATED);
  const abort = new AbortController();
  const reply = await session.send("Hi", { signal: abort.signal });
  abort.abort();
  await assert.rejects(reply.text(), { name: "AbortError" });
});

test("a call that was aborted before it was made is not made", async () => {
  const { session, model, engine } = scripted(GATED);
  const signal = AbortSignal.abort(new Error("enough"));
  await assert.rejects(session.send("Hi", { signal }), new Error("enough"));
  await assert.rejects(session.history({ signal }), new Error("enough"));
  await assert.rejects(engine.open({ signal }), new Error("enough"));
  assert.deepEqual([model.requests, await session.info().catch((e) => e.code)], [[], "not_found"]);
});

test("an abort while a send waits for its turn leaves nothing", async () => {
  const { session, model } = scripted(GATED);
  await session.send("One");
  const abort = new AbortController();
  const waiting = session.send("Two", { busy: "queue", signal: abort.signal });
  setImmediate(() => abort.abort());
  await assert.rejects(waiting, { name: "AbortError" });
  model.open("g");
  await settles(session, "Hello world", "complete");
  assert.equal((await session.history()).length, 2);
});

test("a reply has one reader: each second one is told so", async () => {
  const { session, model } = scripted(GATED);
  const reply = await session.send("Hi");
  const text = reply.text();
  for (const second of [() => reply.text(), () => reply.result(), () => reply.next()]) await assert.rejects(second(), InvalidInputError);
  for (const second of [() => reply[Symbol.asyncIterator](), () => reply.toByteStream(), () => reply.toResponse(), () => reply.toReadableStream()]) {
    assert.throws(second, InvalidInputError);
  }
  model.open("g");
  assert.equal(await text, "Hello world");
  await assert.rejects(reply.text(), InvalidInputError);
});

test("two that wait at once for the next event get an error, not half of the events", async () => {
  const { session, model } = scripted(GATED);
  const reply = await session.send("Hi");
  await first(reply);
  const parked = reply.next();
  await assert.rejects(reply.next(), { code: "invalid_input" });
  model.open("g");
  assert.equal((await parked).value.text, "world");
});

test("iterating does not fail with the turn; text() and result() do", async () => {
  const { session } = scripted([{ text: "Hal" }, { error: "unavailable" }]);
  const last = (await collect(await session.send("Hi"))).at(-1);
  assert.equal(last.error.kind, "unavailable");
  for (const read of ["text", "result"]) {
    const reply = await session.send("Hi");
    await assert.rejects(reply[read](), (error) => error instanceof UnavailableError && error.retryable);
  }
});

test("an answer that was cut off is an error", async () => {
  const { session } = scripted([{ text: "Hal" }]);
  await assert.rejects((await session.send("Hi")).text(), TruncatedError);
});

test("cancel() stops the turn, keeps the text and goes on to the end", async () => {
  const { session, model } = scripted([{ text: "Hello " }, { hang: true }]);
  const reply = await session.send("Hi");
  await first(reply);
  await reply.cancel();
  assert.equal((await reply.result()).status, "cancelled");
  await until(() => model.dropped === 1);
  assert.deepEqual(await newest(session), ["Hello ", "cancelled"]);
});

test("who lags gets what was missed in few pieces, and all of it", async () => {
  const pieces = Array.from({ length: 5_000 }, (_, n) => ({ text: `${n} ` }));
  const { session } = scripted([...pieces, { finish: "stop" }]);
  const reply = await session.send("Hi");
  await settles(session, pieces.map((piece) => piece.text).join(""), "complete");
  const events = await collect(reply);
  assert.ok(events.length < 300, `${events.length} events`);
  assert.equal(events.map((event) => event.text ?? "").join(""), pieces.map((piece) => piece.text).join(""));
});

test("a reader who always finds something lets timers run", async () => {
  const calls = Array.from({ length: 600 }, (_, n) => ({ tool_call: { id: `${n}`, name: "t", arguments: {} } }));
  const { session } = scripted([...calls, { finish: "stop" }]);
  const reply = await session.send("Hi");
  await until(async () => (await session.info()).running === null);
  let turns = 0;
  const tick = () => ((turns += 1), (ticking = setImmediate(tick)));
  let ticking = setImmediate(tick);
  const events = await collect(reply);
  clearImmediate(ticking);
  assert.equal(events.length, 602);
  assert.ok(turns >= 8, `${turns} turns of the loop`);
});

test("a readable stream of events ends, and ends the subscription when it is cancelled", async () => {
  const { session, model } = scripted(GATED);
  const reader = (await session.send("Hi")).toReadableStream().getReader();
  assert.equal((await reader.read()).value.type, "started");
  await reader.cancel();
  model.open("g");
  await settles(session, "Hello world", "complete");
  const types = [];
  for await (const event of (await session.regenerate()).toReadableStream()) types.push(event.type);
  assert.deepEqual([types[0], types.at(-1)], ["started", "finished"]);
});

test("abandoned replies cost nothing: memory is flat", { timeout: 120_000 }, async () => {
  const { session } = scripted([{ text: "x" }, { hang: true }]);
  const { turn } = await session.send("Hi");
  const signal = new AbortController().signal;
  const abandon = async (times) => {
    for (let n = 1; n <= times; n++) {
      await (await session.attach(turn, 0, { signal })).next();
      if (n % 500 === 0) global.gc(), await new Promise(setImmediate);
    }
    return process.memoryUsage().rss;
  };
  const before = await abandon(2_000);
  const grown = (await abandon(10_000)) - before;
  assert.ok(grown < 8 << 20, `${grown >> 20} MiB`);
});

test("sessions, branches and journals are read as data", async () => {
  const engine = new Engine({ model: Scripted.reply("Yes."), persona: { name: "tutor", system: "You teach {{ what }}." } });
  const user = engine.user("alice");
  const session = user.newSession();
  await (await session.send("Hi", { vars: { what: "maths" }, key: "k", params: { temperature: 0.5 } })).text();
  await (await session.edit(1, "Hello", { vars: { what: "art" } })).text();
  await session.rename("Lessons");
  await session.select(2);
  assert.deepEqual((await session.history()).map((message) => message.seq), [1, 2]);
  assert.deepEqual((await session.tree({ after: 2 })).map((message) => message.seq), [3, 4]);
  const info = await session.info();
  assert.deepEqual([info.title, info.persona, info.head, info.messages], ["Lessons", "tutor", 2, 4]);
  assert.deepEqual((await user.sessions({ limit: 1 })).sessions, [info]);
  assert.deepEqual(await user.turns(), []);
  await session.setPersona("cat");
  assert.equal((await session.info()).persona, "cat");
  await session.delete();
  const kinds = (await user.changes()).map((change) => change.kind);
  assert.deepEqual([kinds[0], kinds.at(-1)], ["created", "deleted"]);
  await engine.sweep();
  await engine.close();
  await assert.rejects(user.session("new").send("Hi", { persona: "cat" }), { code: "closed" });
});

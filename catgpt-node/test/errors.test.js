/** Errors: the classes are the core's kinds, and say nothing that they must not. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { CatgptError, ERRORS, Engine, InvalidInputError, NotFoundError, Persona, errorFrom } from "catgpt-node";
import { native } from "../dist/native.js";
import { scripted } from "./kit/kit.js";

test("there is a class for each kind of the core, and none besides", () => {
  const kinds = JSON.parse(native.kinds());
  assert.deepEqual(kinds.map(([kind]) => kind).sort(), Object.keys(ERRORS).sort());
  for (const [kind, retryable, status] of kinds) {
    const error = new ERRORS[kind]("sentence");
    assert.ok(error instanceof CatgptError && error instanceof Error);
    assert.deepEqual([error.code, error.retryable, error.status], [kind, retryable, status]);
    assert.equal(error.name, ERRORS[kind].name);
  }
});

test("an error survives the trip through data", () => {
  const info = { kind: "rate_limited", message: "slow down", retryable: false, retry_after_ms: 20, turn: "t" };
  const error = errorFrom(info, "cause");
  assert.deepEqual([JSON.parse(JSON.stringify(error)), error.cause, error.retryAfterMs], [info, "cause", 20]);
  assert.equal(errorFrom({ kind: "of tomorrow", message: "?", retryable: true }).code, "unexpected");
});

test("what cannot be used is refused by name, and no value is quoted", async () => {
  const { session, engine } = scripted([]);
  const bad = [
    () => session.send("hunter2", { colour: 1 }),
    () => session.send({ hunter2: 1 }),
    () => session.send(),
    () => session.history({ last: "hunter2" }),
    () => engine.user("").session("s").send("hunter2"),
    () => engine.user("bob").session("\n").send("hunter2"),
    () => session.attach("hunter2"),
  ];
  for (const call of bad) {
    await assert.rejects(async () => call(), (error) => error instanceof InvalidInputError && !error.message.includes("hunter2"));
  }
  for (const owner of [undefined, null, 7, {}]) assert.throws(() => engine.user(owner), InvalidInputError);
  for (const options of [{ colour: 1 }, { memory: "mysql:x" }, { persona: "dog" }, { persona: { name: "A B", system: "x" } }]) {
    assert.throws(() => new Engine({ model: "offline", ...options }), CatgptError, JSON.stringify(options));
  }
});

test("an engine that was closed takes no sends, also if nobody had used it", async () => {
  const { engine, session } = scripted([{ text: "a" }, { finish: "stop" }]);
  await engine.close();
  await assert.rejects(session.send("Hi"), { code: "closed" });
  await engine.close();
});

test("without a key and an endpoint there is an error and no other model", () => {
  assert.throws(() => new Engine({ model: "gpt-4o-mini" }), { code: "unauthorized" });
});

test("what is foreign is not found", async () => {
  const { session, engine } = scripted([{ text: "a" }, { finish: "stop" }]);
  const { turn } = await session.send("Hi");
  const bob = engine.user("bob");
  for (const call of [() => bob.attach(turn), () => bob.cancel(turn), () => bob.session("chat").history()]) {
    await assert.rejects(call, NotFoundError);
  }
  await assert.rejects(session.attach("01890000-0000-7000-8000-000000000000"), NotFoundError);
});

test("personas are read, and their errors name the field", () => {
  assert.equal(Persona.cat().name, "cat");
  assert.equal(Persona.plain().name, "plain");
  const pirate = Persona.fromMarkdown('+++\nname = "pirate"\n[params]\ntemperature = 0.5\n+++\nYou sail.\n');
  assert.deepEqual(pirate, { name: "pirate", version: 1, system: "You sail.", params: { temperature: 0.5 } });
  assert.throws(() => Persona.fromMarkdown("no front matter"), { code: "invalid_input" });
  assert.throws(() => Persona.load("no-such-file.md"), { code: "not_found" });
});

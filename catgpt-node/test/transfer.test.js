/** Conversations in and out, and copies of a store. */
import assert from "node:assert/strict";
import { existsSync, writeFileSync } from "node:fs";
import { after, test } from "node:test";
import { InvalidInputError, NotFoundError, Engine, UnsupportedError } from "catgpt-node";
import { Scripted } from "catgpt-node/testing";
import { folder } from "./kit/kit.js";

const opened = [];
after(() => Promise.all(opened.map((engine) => engine.close())));

function open(memory) {
  opened.push(new Engine({ model: new Scripted([{ text: "Hello" }, { finish: "stop" }]), memory }));
  return opened.at(-1);
}

async function all(pieces) {
  let text = "";
  for await (const piece of pieces) text += piece;
  return text;
}

test("conversations go out and in, and tell how far they are", async () => {
  const here = folder();
  const engine = open(`sqlite:${here}/a.db`);
  const [alice, bob] = [engine.user("alice"), engine.user("bob")];
  await (await alice.session("trip").send("Hi")).text();
  const heard = [];
  const text = await all(alice.export("jsonl", { onProgress: (far) => heard.push(far) }));
  assert.deepEqual(heard, [{ done: 1, total: 1 }]);
  assert.equal(text, await all(alice.session("trip").export()));
  const dry = await bob.import(Buffer.from(text), { dryRun: true, onProgress: (far) => heard.push(far) });
  assert.deepEqual([dry.imported, dry.messages, heard.at(-1)], [1, 2, { done: text.length, total: text.length }]);
  assert.deepEqual((await bob.sessions()).sessions, []);
  writeFileSync(`${here}/trip.jsonl`, text);
  assert.equal((await bob.import(`${here}/trip.jsonl`)).entries[0].outcome, "imported");
  assert.equal((await bob.import(`${here}/trip.jsonl`, { format: "jsonl" })).unchanged, 1);
  assert.equal((await bob.import(Buffer.from("# Milk\n"))).entries[0].error.kind, "invalid_input");
  await assert.rejects(all(engine.user("eve").session("trip").export()), NotFoundError);
  await assert.rejects(bob.import(`${here}/none.json`), NotFoundError);
});

test("hearing that throws ends the import, and so does an abort", async () => {
  const engine = open("memory:");
  const said = Buffer.from("## User\nHi\n");
  const wrong = new Error("wrong");
  await assert.rejects(engine.local().import(said, { onProgress: () => { throw wrong; } }), wrong);
  await assert.rejects(engine.local().import(said, { signal: AbortSignal.abort(wrong) }), wrong);
  assert.equal((await engine.local().import(Buffer.from("## User\nHo\n"))).imported, 1);
});

test("a store is copied while it is in use, and overwrites nothing", async () => {
  const here = folder();
  const engine = open(`sqlite:${here}/a.db`);
  await (await engine.user("alice").session("trip").send("Hi")).text();
  const heard = [];
  await engine.backup(`${here}/copy.db`, { onProgress: (far) => heard.push(far) });
  assert.equal(heard.at(-1).done, heard.at(-1).total);
  await assert.rejects(engine.backup(`${here}/copy.db`), InvalidInputError);
  const copy = open(`sqlite:${here}/copy.db`);
  assert.equal((await copy.user("alice").session("trip").history()).length, 2);
  const none = open("memory:");
  await assert.rejects(none.backup(`${here}/other.db`), UnsupportedError);
  assert.ok(!existsSync(`${here}/other.db`));
  await assert.rejects(engine.adopt(`${here}/none.db`), NotFoundError);
});

/** Pictures in messages and replies, the list of models, and the cache. */
import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { test } from "node:test";
import { Engine, Image, InvalidInputError } from "catgpt-node";
import { Scripted } from "catgpt-node/testing";
import { folder } from "./kit/kit.js";

const PNG = Uint8Array.from([...Buffer.from("\x89PNG\r\n\x1a\n", "latin1"), 0, 0]);
const CAT = { type: "image", url: "https://example.org/cat.png", alt: "a cat", detail: "low" };

test("a message holds text and pictures", async () => {
  const path = `${folder()}/cat.png`;
  writeFileSync(path, PNG);
  const here = Image.load(path, { alt: "here" });
  assert.deepEqual(here, Image.fromBytes(PNG, { alt: "here" }));
  assert.deepEqual([here.type, here.media_type], ["image", "image/png"]);
  const model = Scripted.reply("A cat.");
  const engine = new Engine({ model });
  const session = engine.local().session("chat");
  await (await session.send(["What is ", "this?", CAT, { type: "image", url: "ref:1" }, here])).text();
  const asked = { role: "user", text: "What is this?\n[image]\n", images: [CAT.url, here.url] };
  assert.deepEqual(model.requests[0].messages[1], asked);
  assert.deepEqual((await session.history())[0].content[1], CAT);
  await (await session.edit(1, [here])).text();
  assert.deepEqual((await session.history())[0].content, [here]);
  await engine.close();
});

test("what is no picture is refused", async () => {
  assert.throws(() => Image.fromBytes(Buffer.from("<svg/>")), InvalidInputError);
  assert.throws(() => Image.load("nowhere.png"), InvalidInputError);
  const engine = new Engine({ model: "offline" });
  const session = engine.local().session("chat");
  for (const wrong of [[{ type: "image", url: "cat.png" }], [], ["look", { type: "hologram" }], ["look", 3], 3]) {
    await assert.rejects(session.send(wrong), InvalidInputError);
  }
  await engine.close();
});

test("a model of one's own shows pictures", async () => {
  const engine = new Engine({
    model: function* () {
      yield "Here: ";
      yield { part: { type: "image", url: "ref:drawing", alt: "a cat" } };
      yield { part: { type: "chart", points: [1, 2] } };
    },
  });
  const shown = [];
  for await (const event of await engine.local().session("chat").send("Draw a cat")) {
    if (event.type === "part") shown.push([event.part.type, event.offset]);
  }
  assert.deepEqual(shown, [["image", 7], ["chart", 8]]);
  await engine.close();
});

test("models are listed, and a kept answer costs nothing", async () => {
  const says = (text) => [{ text }, { finish: "stop" }];
  const model = new Scripted(says("One."), says("Two."));
  const engine = new Engine({ model, cache: { bytes: 10_000, ttlMs: 60_000 } });
  assert.deepEqual(await engine.models(), [{ id: "scripted" }]);
  const said = async (reply) => (await reply).text();
  for (const chat of ["a", "b"]) assert.equal(await said(engine.local().session(chat).send(["Hi", CAT])), "One.");
  assert.equal(await said(engine.local().session("b").regenerate()), "Two.");
  assert.equal(model.requests.length, 2);
  await engine.close();
});

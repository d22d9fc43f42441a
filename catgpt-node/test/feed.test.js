/** The owner's feed: heard, left, ended, over HTTP; and long calls that tell how far they are. */
import assert from "node:assert/strict";
import { createServer } from "node:http";
import { test } from "node:test";
import { ClosedError, Engine, Feed, InvalidInputError, NotFoundError, StoreError, UnsupportedError } from "catgpt-node";
import { Scripted } from "catgpt-node/testing";
import { scripted, until } from "./kit/kit.js";
import { MapMemory } from "./kit/map-memory.js";

const take = async (feed, count) => {
  const taken = [];
  while (taken.length < count) taken.push((await feed.next()).value);
  return taken;
};

test("a feed begins now and hears what comes", async () => {
  const { engine } = scripted([{ text: "Hello" }, { finish: "stop" }]);
  const alice = engine.user("alice");
  await alice.session("old").create();
  const feed = alice.feed();
  const next = feed.next();
  await until(() => feed.after === 1, "where the feed begins");
  await alice.session("new").create({ title: "New", metadata: { a: [1] }, ttlMs: 60_000 });
  const { value: news } = await next;
  assert.deepEqual([news.session, news.kind, news.n, news.info.title], ["new", "created", 2, "New"]);
  assert.deepEqual([news.info.metadata, news.info.ttl_ms, feed.after], [{ a: [1] }, 60_000, 2]);
  await assert.rejects(Promise.all([feed.next(), feed.next()]), InvalidInputError);
  await engine.close();
});

test("leaving a feed ends it, and an abort tells why", async () => {
  const { engine, session } = scripted([{ text: "Hello" }, { finish: "stop" }]);
  const alice = engine.user("alice");
  await (await session.send("Hi")).text();
  const kinds = [];
  for await (const { kind } of alice.feed({ after: 0 })) if (kinds.push(kind) === 3) break;
  assert.deepEqual(kinds, ["created", "turn_begun", "turn_ended"]);
  const left = alice.feed({ after: 3 });
  const waiting = left.next();
  await left.return();
  assert.deepEqual([(await waiting).done, (await left.next()).done], [true, true]);
  const [stop, why] = [new AbortController(), new Error("enough")];
  const aborted = alice.feed({ after: 3, signal: stop.signal });
  const rejected = assert.rejects(aborted.next(), why);
  stop.abort(why);
  await rejected;
  assert.ok((await aborted.next()).done);
  await assert.rejects(alice.feed({ signal: AbortSignal.abort(why) }).next(), why);
  await engine.close();
});

test("closing the engine ends its feeds", async () => {
  const { engine } = scripted([{ text: "Hello" }, { finish: "stop" }]);
  const feed = engine.user("alice").feed();
  const rejected = assert.rejects(feed.next(), ClosedError);
  await until(() => feed.after === 0, "where the feed begins");
  await engine.close();
  await rejected;
  assert.ok((await feed.next()).done);
});

test("a response goes on where a client was, and shows signs of life", async () => {
  const { engine } = scripted([{ text: "Hello" }, { finish: "stop" }]);
  const alice = engine.user("alice");
  await alice.session("a").create();
  const server = createServer((request, response) => {
    const feed = alice.feed({ after: Feed.position(request.headers["last-event-id"]) });
    void feed.pipeTo(response, { keepAliveMs: 20 });
  });
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  const url = `http://127.0.0.1:${server.address().port}`;
  const read = async (headers, enough, meanwhile = async () => {}) => {
    const stop = new AbortController();
    const { body } = await fetch(url, { headers, signal: stop.signal });
    let text = "";
    for await (const bytes of body) {
      if (text === "") await meanwhile();
      text += Buffer.from(bytes).toString();
      if (text.includes(enough)) break;
    }
    stop.abort();
    return text;
  };
  const first = await read({}, '"session":"b"', () => alice.session("b").create());
  assert.match(first, /^id: 1\n\n/);
  assert.match(first, /id: 2\ndata: \{.*"kind":"created".*\}\n\n/);
  assert.match(await read({ "last-event-id": "1" }, ": keep-alive"), /^id: 2\ndata: /);
  const web = alice.feed({ after: 0 }).toResponse({ format: "ndjson" });
  assert.match(web.headers.get("content-type"), /ndjson/);
  const reader = web.body.getReader();
  assert.equal(JSON.parse(Buffer.from((await reader.read()).value).toString().split("\n")[0]).n, 1);
  await reader.cancel();
  server.close();
  await engine.close();
});

test("long calls tell how far they are; an ear that throws fails them", async () => {
  const { engine } = scripted([{ text: "Hello" }, { finish: "stop" }]);
  const alice = engine.user("alice");
  for (const id of ["a", "b"]) await alice.session(id).create();
  const heard = [];
  assert.equal(await alice.erase({ onProgress: (progress) => heard.push(progress) }), 2);
  assert.deepEqual(heard.at(-1), { done: 2, total: null });
  await alice.session("c").create();
  const wrong = new Error("wrong");
  await assert.rejects(alice.erase({ onProgress: () => { throw wrong; } }), wrong);
  await assert.rejects(alice.session("c").info(), NotFoundError);
  const own = new Engine({ model: Scripted.reply("Hi"), memory: new MapMemory() });
  await own.local().session("s").create();
  await assert.rejects(own.local().session("s").setPinned(true), UnsupportedError);
  await engine.close();
});

/** Does what it is asked, and the first answer to each thing is lost. */
class Forgetful extends MapMemory {
  lost = new Set();
  #lose(name, answer) {
    if (this.lost.has(name)) return answer;
    this.lost.add(name);
    throw new StoreError("the answer was lost");
  }
  beginTurn(begin) {
    return this.#lose(`begin ${begin.turn}`, super.beginTurn(begin));
  }
  finishTurn(finish) {
    return this.#lose(`finish ${finish.turn}`, super.finishTurn(finish));
  }
  apply(call) {
    return this.#lose(`apply ${call.op_id}`, super.apply(call));
  }
}

test("what is repeated after a lost answer is done once", async () => {
  const memory = new Forgetful();
  const engine = new Engine({ model: Scripted.reply("Hello"), memory, retryBaseMs: 0 });
  const alice = engine.user("alice");
  const session = alice.session("chat");
  await session.create();
  await session.rename("Title");
  await session.setPersona("cat");
  for (const _ of [1, 2]) assert.equal(await (await session.send("Hi", { key: "k" })).text(), "Hello");
  await session.select(2);
  assert.equal((await session.history()).length, 2);
  await session.delete();
  const told = ["created", "renamed", "updated", "turn_begun", "turn_ended", "updated", "deleted"];
  assert.deepEqual((await alice.changes()).map(({ kind }) => kind), told);
  assert.ok(memory.lost.size >= told.length);
  await engine.close();
});

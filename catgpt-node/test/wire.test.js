/** What goes over the wire: `spec/wire` byte by byte, and many turns on one web socket. */
import assert from "node:assert/strict";
import { readFileSync, readdirSync } from "node:fs";
import { test } from "node:test";
import { Engine, serveWebSocket } from "catgpt-node";
import { Scripted } from "catgpt-node/testing";
import { GATED, scripted, settles, until } from "./kit/kit.js";

const spec = new URL("../../spec/wire/", import.meta.url);
const FORMATS = ["sse", "ui_message_stream", "ndjson", "ws", "text"];

/** All writes of a reply; frames of a web socket one a line. */
async function bytes(reply, format) {
  const [decoder, end] = [new TextDecoder(), format === "ws" ? "\n" : ""];
  let all = "";
  for await (const write of reply.toByteStream({ format })) all += decoder.decode(write) + end;
  return all;
}

const folders = readdirSync(spec, { withFileTypes: true }).filter((entry) => entry.isDirectory());
test("there are turns to compare", () => assert.ok(folders.length > 0));
for (const { name } of folders) {
  test(`${name} is the same bytes in every language`, { timeout: 60_000 }, async () => {
    const turn = JSON.parse(readFileSync(new URL(`${name}/turn.json`, spec), "utf8"));
    const engine = new Engine({ model: new Scripted(turn.model), memory: "memory:", retryBaseMs: 0 });
    const session = engine.user("alice").session("chat");
    const reply = await session.send(turn.send);
    for await (const event of reply) assert.ok(event.type);
    for (const format of FORMATS) {
      const got = (await bytes(await session.attach(reply.turn, 0), format)).replaceAll(reply.turn, "$turn");
      assert.equal(got, readFileSync(new URL(`${name}/${format}.txt`, spec), "utf8"), format);
    }
  });
}

test("a response has the headers of its format", async () => {
  const { session } = scripted([{ text: "Hello" }, { finish: "stop" }]);
  const { turn } = await session.send("Hi");
  const types = {
    sse: "text/event-stream; charset=utf-8",
    ui_message_stream: "text/event-stream",
    ndjson: "application/x-ndjson; charset=utf-8",
    text: "text/plain; charset=utf-8",
  };
  for (const [format, type] of Object.entries(types)) {
    const { headers } = (await session.attach(turn)).toResponse({ format });
    assert.deepEqual([headers.get("content-type"), headers.get("cache-control")], [type, "no-store, no-transform"]);
    assert.equal(headers.get("x-vercel-ai-ui-message-stream"), format === "ui_message_stream" ? "v1" : null);
  }
  const reply = await session.attach(turn);
  assert.throws(() => reply.toResponse({ format: "xml" }), { code: "invalid_input" });
});

test("what is no request of the AI SDK is refused before anything is done", async () => {
  const { engine, session } = scripted(GATED);
  for (const body of ["", "{}", { id: "chat", messages: [] }]) {
    await assert.rejects(engine.user("alice").chat(body), { code: "invalid_input" });
  }
  await assert.rejects(session.history(), { code: "not_found" });
  assert.equal(await session.resume(), null);
});

/** A socket whose client is this test. */
class Socket extends EventTarget {
  frames = [];
  closed = undefined;
  bufferedAmount = 0;
  send(text) {
    this.frames.push(JSON.parse(text));
  }
  close(code) {
    this.closed = code;
    this.dispatchEvent(new Event("close"));
  }
  /** The client says something. */
  says(frame) {
    const data = typeof frame === "string" ? frame : JSON.stringify(frame);
    this.dispatchEvent(Object.assign(new Event("message"), { data }));
  }
  of = (request) => this.frames.filter((frame) => frame.request === request);
  text = (request) => this.of(request).map((frame) => frame.text ?? "").join("");
  ended = (request) => this.of(request).some((frame) => ["finished", "error", "done", "pong"].includes(frame.type));
}

function served(options, ...scripts) {
  const [host, socket] = [scripted(...scripts), new Socket()];
  return { ...host, socket, over: serveWebSocket(socket, host.engine.user("alice"), options) };
}

test("prompts that run at once on one socket never mix", async () => {
  const { socket, model, over } = served({}, GATED);
  for (const n of [1, 2, 3]) socket.says({ type: "send", request: `r${n}`, session: `s${n}`, text: "Hi" });
  await until(() => [1, 2, 3].every((n) => socket.text(`r${n}`) === "Hello "), "three beginnings");
  model.open("g");
  await until(() => [1, 2, 3].every((n) => socket.ended(`r${n}`)), "three ends");
  for (const n of [1, 2, 3]) {
    assert.equal(socket.text(`r${n}`), "Hello world");
    assert.ok(socket.of(`r${n}`).every((frame) => frame.session === `s${n}` && frame.turn === socket.of(`r${n}`)[0].turn));
  }
  socket.close();
  await over;
});

test("what is refused is a frame, and the socket goes on", async () => {
  const { socket } = served({}, GATED);
  socket.says("not JSON");
  socket.says({ type: "refresh", request: "r1", token: "t" });
  socket.says({ type: "cancel", request: "r2", turn: "00000000-0000-0000-0000-000000000000" });
  socket.says({ type: "send", request: "r3", session: "chat", text: "" });
  socket.says({ type: "ping", request: "r4" });
  await until(() => socket.frames.length === 5, "five answers");
  const kind = (request) => socket.of(request)[0].error?.kind;
  assert.deepEqual([undefined, "r1", "r2", "r3"].map(kind), ["invalid_input", "unsupported", "not_found", "invalid_input"]);
  assert.deepEqual(socket.of("r4"), [{ type: "pong", request: "r4" }]);
  assert.equal(socket.closed, undefined);
});

test("a turn is stopped, and watched again, by frames; silence is filled", async () => {
  const { socket } = served({ keepAliveMs: 5 }, [{ text: "Hel" }, { hang: true }]);
  socket.says({ type: "send", request: "r1", session: "chat", text: "Hi" });
  await until(() => socket.frames.some((frame) => frame.type === "keep_alive"), "a sign of life");
  socket.says({ type: "cancel", request: "r2", turn: socket.of("r1")[0].turn });
  await until(() => socket.ended("r1") && socket.ended("r2"), "the end");
  assert.equal(socket.of("r1").at(-1).status, "cancelled");
  socket.says({ type: "attach", request: "r3", turn: socket.of("r1")[0].turn, offset: 1 });
  await until(() => socket.ended("r3"), "the end of the second look");
  assert.equal(socket.text("r3"), "el");
});

test("a socket with frames of its own answers in words of its own", async () => {
  const [{ engine }, socket] = [scripted([{ text: "Hello" }, { finish: "stop" }]), new Socket()];
  const user = engine.user("alice");
  async function* frames(frame, open) {
    const { say } = JSON.parse(frame);
    for await (const text of user.frames(JSON.stringify({ type: "send", session: "chat", text: say }), { open })) {
      const event = JSON.parse(text);
      yield JSON.stringify({ request: "r1", open, heard: event.type, text: event.text });
    }
  }
  const over = serveWebSocket(socket, user, { frames });
  socket.says({ say: "Hi" });
  await until(() => socket.of("r1").some((frame) => frame.heard === "finished"), "the end");
  assert.equal(socket.text("r1"), "Hello");
  assert.ok(socket.frames.every((frame) => frame.open === 0 && frame.turn === undefined));
  socket.close();
  await over;
});

test("a socket that closes ends its subscriptions and not their turns", async () => {
  const { socket, session, model, over } = served({}, GATED);
  socket.says({ type: "send", request: "r1", session: "chat", text: "Hi" });
  await until(() => socket.text("r1") === "Hello ", "the first word");
  socket.close();
  await over;
  model.open("g");
  await settles(session, "Hello world", "complete");
  assert.equal(socket.text("r1"), "Hello ");
});

test("a socket that does not drain is waited for", async () => {
  const { socket, model } = served({}, GATED);
  socket.bufferedAmount = 2 ** 21;
  socket.says({ type: "send", request: "r1", session: "chat", text: "Hi" });
  await until(() => socket.frames.length === 1, "the first frame");
  model.open("g");
  socket.says({ type: "ping", request: "r2" });
  await until(() => socket.ended("r2"), "the pong");
  assert.equal(socket.of("r1").length, 1);
  socket.bufferedAmount = 0;
  await until(() => socket.ended("r1"), "the end");
  assert.equal(socket.text("r1"), "Hello world");
});

test("a socket takes no more turns than it may watch, but still what stops one", async () => {
  const { engine, session, model } = scripted(GATED);
  const { turn } = await session.send("Hi");
  const answer = async (frame) => JSON.parse((await engine.user("alice").frames(JSON.stringify(frame), { open: 256 }).next()).value);
  assert.equal((await answer({ type: "attach", turn })).error.kind, "rate_limited");
  assert.deepEqual(await answer({ type: "cancel", turn }), { type: "done" });
  model.open("g");
});

test("where the engine is closed, the client is told", async () => {
  const { socket, engine } = served({}, GATED);
  await engine.open();
  await engine.close();
  socket.says({ type: "send", request: "r1", session: "chat", text: "Hi" });
  await until(() => socket.frames.length === 1, "an answer");
  assert.equal(socket.of("r1")[0].error.kind, "closed");
});

/** Replies over HTTP: web responses, Node's own server, clients that go away. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer } from "node:http";
import { after, test } from "node:test";
import { BusyError, errorResponse } from "catgpt-node";
import { GATED, scripted, settles, until } from "./kit/kit.js";

/** The data and the ids of server-sent events. */
function parse(text) {
  const frames = text.split("\n\n").filter((frame) => frame.includes("data: "));
  const field = (frame, name) => frame.split("\n").find((line) => line.startsWith(name))?.slice(name.length);
  return frames.map((frame) => ({ id: field(frame, "id: "), data: JSON.parse(field(frame, "data: ")) }));
}

async function serve(handle) {
  const server = createServer((request, response) => handle(request, response).catch((error) => response.destroy(error)));
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  after(() => server.close());
  return `http://127.0.0.1:${server.address().port}/`;
}

test("toResponse() streams events that can be resumed by their ids", async () => {
  const { session, model } = scripted(GATED);
  const reply = await session.send("Hi");
  const response = reply.toResponse({ status: 201, headers: { "x-mine": "1", "cache-control": "no-store" } });
  assert.equal(response.status, 201);
  assert.equal(response.headers.get("content-type"), "text/event-stream; charset=utf-8");
  assert.deepEqual([response.headers.get("x-mine"), response.headers.get("cache-control")], ["1", "no-store"]);
  model.open("g");
  const events = parse(await response.text());
  assert.deepEqual(events.map(({ data }) => data.type).filter((type) => type !== "text"), ["started", "finished"]);
  assert.equal(events.map(({ data }) => data.text ?? "").join(""), "Hello world");
  const [turn, offset] = events[1].id.split(":");
  assert.equal(turn, reply.turn);
  const rest = parse(await (await session.attach(turn, Number(offset))).toResponse().text());
  assert.equal(rest.map(({ data }) => data.text ?? "").join(""), "Hello world".slice(Number(offset)));
});

test("silence is kept alive with comments, and writes can be spaced", async () => {
  const { session, model } = scripted(GATED);
  const stream = (await session.send("Hi")).toByteStream({ keepAliveMs: 5, minIntervalMs: 1 });
  const decoder = new TextDecoder();
  let text = "";
  for await (const bytes of stream) {
    text += decoder.decode(bytes, { stream: true });
    if (text.includes(": keep-alive\n\n")) model.open("g");
  }
  assert.equal(parse(text).at(-1).data.status, "complete");
});

test("options that are none are refused", async () => {
  const { session } = scripted(GATED);
  const reply = await session.send("Hi");
  assert.throws(() => reply.toByteStream({ keepAlive: 5 }), { code: "invalid_input" });
});

test("a client that cancels a response ends the subscription only", async () => {
  const { session, model } = scripted(GATED);
  const reader = (await session.send("Hi")).toResponse().body.getReader();
  await reader.read();
  await reader.cancel();
  model.open("g");
  await settles(session, "Hello world", "complete");
});

test("pipeTo() writes what a client reads", async () => {
  const { session, model } = scripted(GATED);
  const url = await serve(async (_, response) => {
    await (await session.send("Hi")).pipeTo(response);
    assert.ok(response.writableEnded);
  });
  const response = await fetch(url);
  assert.equal(response.headers.get("x-accel-buffering"), "no");
  model.open("g");
  const events = parse(await response.text());
  assert.equal(events.map(({ data }) => data.text ?? "").join(""), "Hello world");
});

test("a client of pipeTo() that goes away leaves the turn running", async () => {
  const { session, model } = scripted(GATED);
  let piped = false;
  const url = await serve(async (_, response) => {
    await (await session.send("Hi")).pipeTo(response);
    piped = true;
  });
  const abort = new AbortController();
  const reader = (await fetch(url, { signal: abort.signal })).body.getReader();
  await reader.read();
  abort.abort();
  await reader.read().catch(() => {});
  await until(() => piped, "the end of pipeTo");
  assert.notEqual((await session.info()).running, null);
  model.open("g");
  await settles(session, "Hello world", "complete");
});

test("with onDrop \"cancel\" a client that goes away ends the turn and its request", async () => {
  const { session, model } = scripted([{ text: "Hello " }, { hang: true }]);
  const url = await serve(async (_, response) => (await session.send("Hi", { onDrop: "cancel" })).pipeTo(response));
  const abort = new AbortController();
  const reader = (await fetch(url, { signal: abort.signal })).body.getReader();
  await reader.read();
  abort.abort();
  await reader.read().catch(() => {});
  await until(() => model.dropped === 1, "the end of the request");
  await settles(session, "Hello ", "cancelled");
});

test("a client that reads slowly is waited for", async () => {
  const long = "x".repeat(1 << 16);
  const { session } = scripted([...Array.from({ length: 64 }, () => ({ text: long })), { finish: "stop" }]);
  const url = await serve(async (_, response) => (await session.send("Hi")).pipeTo(response));
  const events = parse(await (await fetch(url)).text());
  assert.equal(events.reduce((sum, { data }) => sum + (data.text?.length ?? 0), 0), 64 << 16);
});

test("a busy session is 409 before the first byte", async () => {
  const { session, model } = scripted(GATED);
  const { turn } = await session.send("Hi");
  const post = () => session.send("Hi again").then((reply) => reply.toResponse(), errorResponse);
  const response = await post();
  const { error } = await response.json();
  assert.deepEqual([response.status, error.kind, error.turn, error.retryable], [409, "busy", turn, true]);
  model.open("g");
  assert.throws(() => errorResponse(new TypeError("mine")), TypeError);
  const limited = errorResponse(new BusyError("soon", { retryAfterMs: 1_200 }));
  assert.equal(limited.headers.get("retry-after"), "2");
});

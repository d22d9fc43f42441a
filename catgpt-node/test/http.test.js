/** The HTTP API: behind Node's own server, and as web requests and responses. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer } from "node:http";
import { after, test } from "node:test";
import { Engine, Guest, addressKey } from "catgpt-node";
import { GATED, scripted, settles, until } from "./kit/kit.js";

/** Serves what `handle` answers, and gives `fetch` for it. */
async function serving(handle) {
  const failures = [];
  const server = createServer((request, response) => handle(request, response).catch((error) => failures.push(error)));
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  after(() => (server.close(), server.closeAllConnections(), assert.deepEqual(failures, [])));
  const base = `http://127.0.0.1:${server.address().port}`;
  return (path, { json, ...init } = {}) =>
    fetch(base + path, json === undefined ? init : { method: "POST", body: JSON.stringify(json), ...init });
}

const served = (user, options) => serving((request, response) => user.handle(request, response, options));
const events = (text) => text.split("\n").flatMap((line) => (line.startsWith("data: ") ? [JSON.parse(line.slice(6))] : []));

/** Reads on until this has come, and gives the reader. */
async function reads(response, what, reader = response.body.getReader()) {
  const decoder = new TextDecoder();
  for (let seen = ""; !seen.includes(what); ) {
    const { done, value } = await reader.read();
    assert.ok(!done, `${what} never came: ${seen}`);
    seen += decoder.decode(value, { stream: true });
  }
  return reader;
}

test("a chat over HTTP", async () => {
  const { engine, model } = scripted([{ text: "Meow" }, { finish: "stop" }]);
  const http = await served(engine.user("alice"), { base: "/api", options: { model: "mine" } });
  const response = await http("/api/sessions/a%20b/turns", { json: { text: "Hi" } });
  assert.equal(response.headers.get("content-type"), "text/event-stream; charset=utf-8");
  const [started, text, finished] = events(await response.text());
  assert.deepEqual([started.session, text.text, finished.status], ["a b", "Meow", "complete"]);
  assert.equal(model.requests[0].model, "mine");
  const page = await (await http("/api/sessions/a%20b/messages?last=1")).json();
  assert.deepEqual([page.messages.map(({ seq }) => seq), page.more, page.running], [[2], true, null]);
  const headers = { "last-event-id": `${started.turn}:3`, accept: "application/x-ndjson" };
  const resumed = await (await http(`/api/turns/${started.turn}`, { headers })).text();
  assert.deepEqual(resumed.trim().split("\n").map((line) => JSON.parse(line).text), ["w", undefined]);
  const changed = await http("/api/sessions/a%20b", { json: { title: "Cats" }, method: "PATCH" });
  assert.deepEqual([(await changed.json()).title, changed.headers.get("cache-control")], ["Cats", "no-store"]);
  const deleted = await http("/api/sessions/a%20b", { method: "DELETE" });
  assert.deepEqual([deleted.status, await deleted.text()], [204, ""]);
});

test("a client that goes away ends the subscription and not the turn", async () => {
  const { engine, session } = scripted(GATED);
  const user = engine.user("alice");
  let handled = 0;
  const http = await serving((request, response) => user.handle(request, response).finally(() => handled++));
  const abort = new AbortController();
  const response = await http("/sessions/chat/turns", { json: { text: "Hi" }, signal: abort.signal });
  const reader = await reads(response, "Hello");
  abort.abort();
  await reader.read().catch(() => {});
  await until(() => handled === 1, "the end of the response");
  const [[, turn]] = await user.turns();
  const busy = await http("/sessions/chat/turns", { json: { text: "Hi again" } });
  assert.deepEqual([busy.status, (await busy.json()).error.turn], [409, turn]);
  assert.equal((await http(`/turns/${turn}/cancel`, { method: "POST" })).status, 204);
  await settles(session, "Hello ", "cancelled");
  const ended = events(await (await http(`/turns/${turn}?offset=6`)).text());
  assert.deepEqual(ended.map(({ status }) => status), ["cancelled"]);
});

test("a feed goes on where a client was, and ends with the engine", async () => {
  const { engine } = scripted([{ text: "Meow" }, { finish: "stop" }]);
  const http = await served(engine.user("alice"));
  const abort = new AbortController();
  const first = await http("/feed", { signal: abort.signal });
  const reader = await reads(first, "id: 0");
  await http("/sessions", { json: { id: "s", title: "T" } });
  await reads(first, '"title":"T"', reader);
  abort.abort();
  await http("/sessions/s", { json: { title: "U" }, method: "PATCH" });
  const back = await http("/feed", { headers: { "last-event-id": "1" } });
  const again = await reads(back, "id: 2");
  await engine.close({ deadlineMs: 0 });
  assert.equal((await again.read()).done, true);
});

test("all can be taken out", async () => {
  const { engine } = scripted([{ text: "Meow" }, { finish: "stop" }]);
  const http = await served(engine.user("alice"));
  for (const session of ["a", "b"]) await (await http(`/sessions/${session}/turns`, { json: { text: "Hi" } })).text();
  const all = await http("/export");
  assert.equal(all.headers.get("content-disposition"), 'attachment; filename="chats.jsonl"');
  assert.equal((await all.text()).split("\n").filter((line) => line.startsWith('{"type":"session"')).length, 2);
  const one = await http("/sessions/a/export?format=markdown");
  assert.equal(one.headers.get("content-type"), "text/markdown; charset=utf-8");
  assert.match(await one.text(), /## Assistant/);
});

test("what is refused", async () => {
  const { engine } = scripted(GATED);
  await engine.user("alice").session("s").create();
  const http = await served(engine.user("bob"), { base: "/api" });
  const refusal = async (path, init) => {
    const response = await http(path, init);
    return [response.status, (await response.json()).error.kind, response.headers.get("allow")];
  };
  assert.deepEqual(await refusal("/api/sessions/s"), [404, "not_found", null]);
  assert.deepEqual(await refusal("/sessions"), [404, "not_found", null], "the API is below its base alone");
  assert.deepEqual(await refusal("/api/feed", { method: "PUT" }), [405, "unsupported", "GET"]);
  assert.deepEqual(await refusal("/api/sessions/s/turns", { method: "POST", body: '{"text": "x' }), [400, "invalid_input", null]);
  const large = { method: "POST", body: " ".repeat((16 << 20) + 1) };
  assert.deepEqual(await refusal("/api/sessions/s/turns", large), [413, "invalid_input", null]);
});

test("what a body parser has read is read again", async () => {
  const { engine } = scripted([{ text: "Meow" }, { finish: "stop" }]);
  const user = engine.user("alice");
  const http = await serving(async (request, response) => {
    const pieces = await request.toArray();
    request.body = JSON.parse(Buffer.concat(pieces).toString());
    await user.handle(request, response);
  });
  assert.match(await (await http("/sessions/s/turns", { json: { text: "Hi" } })).text(), /"text":"Meow"/);
});

test("a slow client holds the stream back, and gets all of it", async () => {
  const big = "x".repeat(1 << 20);
  const { engine } = scripted([...Array(8).fill({ text: big }), { finish: "stop" }]);
  const http = await served(engine.user("alice"));
  const text = await (await http("/sessions/s/turns", { json: { text: "Hi" } })).text();
  const length = events(text).reduce((sum, event) => sum + (event.text?.length ?? 0), 0);
  assert.equal(length, 8 << 20);
});

test("a web Request becomes a web Response", async () => {
  const { engine, session, model } = scripted(GATED);
  const user = engine.user("alice");
  const request = (path, init) => new Request(`http://chat.example/api${path}`, init);
  const body = JSON.stringify({ text: "Hi" });
  const response = await user.serve(request("/sessions/chat/turns", { method: "POST", body }), { base: "/api" });
  assert.equal(response.status, 200);
  await (await reads(response, "Hello")).cancel();
  model.open("g");
  await settles(session, "Hello world", "complete");
  const deleted = await user.serve(request("/sessions/chat", { method: "DELETE" }), { base: "/api" });
  assert.deepEqual([deleted.status, deleted.body], [204, null]);
  const refused = await user.serve(request("/sessions?limit=x"), { base: "/api" });
  assert.deepEqual([refused.status, (await refused.json()).error.kind], [400, "invalid_input"]);
  const gone = new AbortController();
  const feed = await user.serve(request("/feed", { signal: gone.signal }), { base: "/api" });
  const reader = await reads(feed, "id: ");
  const next = reader.read();
  gone.abort();
  assert.equal((await next).done, true);
});

test("options that are none are the application's mistake, and thrown", async () => {
  const user = new Engine({ model: "offline", memory: "memory:" }).user("alice");
  const request = () => new Request("http://chat.example/sessions");
  await assert.rejects(user.serve(request(), { options: { busy: "maybe" } }), { code: "invalid_input" });
});

test("a guest is known by a cookie, and an address by its customer", () => {
  const fresh = Guest.known(undefined);
  assert.ok(fresh.fresh && fresh.owner.startsWith("guest:"));
  assert.match(fresh.setCookie, /^catgpt=[0-9a-f]{32}; Path=\/; Max-Age=31536000; HttpOnly; SameSite=Lax$/);
  const [cookie] = fresh.setCookie.split(";");
  const { owner, fresh: again, setCookie } = Guest.known(`a=b; ${cookie}`, { secure: true });
  assert.deepEqual([owner, again, setCookie], [fresh.owner, false, `${fresh.setCookie}; Secure`]);
  assert.ok(Guest.known(cookie, { name: "other" }).fresh);
  assert.deepEqual(["2001:db8::1", "::ffff:192.0.2.1", "", undefined].map(addressKey), ["2001:db8::/64", "192.0.2.1", "unknown", "unknown"]);
});

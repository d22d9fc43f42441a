/** The routes, with a scripted model: what a browser sends, sees, and comes back to. */
import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { Scripted } from "catgpt-node/testing";
import { GATED, events, serve, textOf, until } from "./kit.js";

const all = (response) => collect(events(response));
async function collect(stream) {
  const found = [];
  for await (const event of stream) found.push(event);
  return found;
}

test("an answer comes as events with ids, its newlines whole", async () => {
  const { browser } = await serve(Scripted.reply("# Cats\n\n", "```js\nmeow();\n```", " 🐈 مواء"));
  const seen = await all(await browser().chat("trip", "Hi"));
  assert.equal(textOf(seen), "# Cats\n\n```js\nmeow();\n``` 🐈 مواء");
  assert.deepEqual([seen[0].type, seen[0].session, seen[0].persona], ["started", "trip", "cat"]);
  assert.equal(seen.at(-1).status, "complete");
  assert.equal(seen.at(-1).id, `${seen[0].turn}:${seen.at(-1).offset}`);
});

test("only the newest message is sent, and the model reads all of them", async () => {
  const model = Scripted.reply("Meow.");
  const mine = (await serve(model)).browser();
  await all(await mine.chat("trip", "My name is Tom."));
  await all(await mine.chat("trip", "Who am I?"));
  const roles = model.requests[1].messages.map(({ role, text }) => (role === "system" ? role : `${role}: ${text}`));
  assert.deepEqual(roles, ["system", "user: My name is Tom.", "assistant: Meow.", "user: Who am I?"]);
});

test("a browser that goes away loses nothing", async () => {
  const model = new Scripted(GATED);
  const { browser, engine } = await serve(model);
  const mine = browser();
  for await (const event of events(await mine.chat("trip", "Hi"))) if (event.type === "text") break;
  model.open("g");
  const newest = async () => (await engine.user(mine.owner).session("trip").history()).at(-1);
  await until(async () => (await newest()).status === "complete", "the whole answer");
  assert.equal((await newest()).content[0].text, "Hello world");
});

test("the same key is the same turn", async () => {
  const model = Scripted.reply("Meow.");
  const mine = (await serve(model)).browser();
  const [first] = await all(await mine.chat("trip", "Hi", { key: "m1" }));
  const again = await all(await mine.chat("trip", "Hi", { key: "m1" }));
  assert.deepEqual([again[0].turn, textOf(again), model.requests.length], [first.turn, "Meow.", 1]);
});

test("a cookie that no script reads is the owner, and the others' chats are not there", async () => {
  const { browser, engine } = await serve(Scripted.reply("Meow."));
  const [mine, other] = [browser(), browser()];
  const response = await mine.chat("trip", "Hi");
  assert.match(response.headers.get("set-cookie"), /^catgpt=[0-9a-f]{32};.*HttpOnly; SameSite=Lax$/);
  await all(response);
  const again = await mine.chat("trip", "And?");
  assert.equal(again.headers.get("set-cookie"), null);
  await all(again);
  await all(await other.chat("trip", "Mine?"));
  assert.notEqual(mine.owner, other.owner);
  assert.equal((await engine.user(mine.owner).session("trip").history()).length, 4);
  assert.equal((await engine.user(other.owner).session("trip").history()).length, 2);
});

test("a busy session is a 409 that names its turn, before the first byte", async () => {
  const model = new Scripted(GATED);
  const mine = (await serve(model)).browser();
  const running = events(await mine.chat("trip", "Hi"));
  const started = (await running.next()).value;
  const refused = await mine.chat("trip", "And?");
  const { error } = await refused.json();
  assert.deepEqual([refused.status, error.kind, error.turn], [409, "busy", started.turn]);
  model.open("g");
  assert.equal((await collect(running)).at(-1).status, "complete");
});

test("an address has so many messages in a time; a header is believed only where it is named", async () => {
  const RATE_LIMIT = "9/hour, 2/day";
  const behind = await serve(Scripted.reply("Meow."), { RATE_LIMIT, CLIENT_IP_HEADER: "fly-client-ip" });
  const open = await serve(Scripted.reply("Meow."), { RATE_LIMIT });
  const send = ({ browser }, address) =>
    browser().fetch("/chat", { body: { sessionId: "a", message: "Hi" }, headers: { "fly-client-ip": address } });
  for (const address of ["2001:db8::1", "2001:db8:0:0:ffff::"]) {
    await all(await send(behind, address));
    await all(await send(open, address));
  }
  const refused = await send(behind, "2001:db8::2:3");
  assert.equal(refused.status, 429);
  assert.ok(Number(refused.headers.get("retry-after")) >= 1);
  const { error } = await refused.json();
  assert.deepEqual([error.kind, error.limit.name, error.limit.max], ["limited", "messages a day", 2]);
  await all(await send(behind, "2001:db8:0:1::1"));
  await all(await send(behind, "192.0.2.1"));
  assert.equal((await send(open, "192.0.2.1")).status, 429);
});

test("the engine's API is mounted, and counts by address too", async () => {
  const { browser } = await serve(Scripted.reply("Meow."), { RATE_LIMIT: "2/day" });
  const mine = browser();
  await all(await mine.chat("a trip", "Hi"));
  const page = await (await mine.fetch("/api/sessions/a%20trip/messages?last=1")).json();
  assert.equal(page.messages[0].content[0].text, "Meow.");
  await all(await mine.fetch("/api/sessions/a%20trip/turns", { body: { type: "regenerate" } }));
  const refused = await mine.fetch("/api/sessions/b/turns", { body: { text: "Hi" } });
  assert.deepEqual([refused.status, (await refused.json()).error.limit.name], [429, "messages a day"]);
  const { limits } = await (await mine.fetch("/api/usage")).json();
  assert.deepEqual([limits[0].name, limits[0].used], ["messages a day", 2]);
  assert.equal((await browser().fetch("/api/sessions/a%20trip")).status, 404);
  assert.equal((await mine.fetch("/api/nothing")).status, 404);
});

test("a stream goes on where it was, after its last id", async () => {
  const model = new Scripted(GATED);
  const mine = (await serve(model)).browser();
  let last;
  for await (const event of events(await mine.chat("trip", "Hi"))) {
    last = event.id;
    if (event.type === "text") break;
  }
  const again = await mine.fetch(`/api/turns/${last.split(":")[0]}`, { headers: { "last-event-id": last } });
  model.open("g");
  const rest = await all(again);
  assert.deepEqual([textOf(rest), rest.at(-1).status], ["world", "complete"]);
});

test("only models that are offered can be chosen", async () => {
  const model = Scripted.reply("Meow.");
  const mine = (await serve(model, { MODELS: "gpt-4o, gpt-4o-mini" })).browser();
  assert.deepEqual((await (await mine.fetch("/capabilities")).json()).models, ["gpt-4o", "gpt-4o-mini"]);
  await all(await mine.chat("trip", "Hi", { model: "gpt-4o" }));
  const refused = await mine.chat("trip", "Hi", { model: "o1-pro" });
  assert.deepEqual([refused.status, (await refused.json()).error.kind], [400, "invalid_input"]);
  assert.deepEqual(model.requests.map(({ model }) => model), ["gpt-4o"]);
});

test("what is no message is refused in words, and nothing is asked of the model", async () => {
  const model = Scripted.reply("Meow.");
  const mine = (await serve(model)).browser();
  const bad = [{}, { sessionId: "a" }, { sessionId: 1, message: "Hi" }, { sessionId: "", message: "Hi" }, { sessionId: "a", message: {} }];
  for (const body of [...bad, "no object", null, { sessionId: "a", message: "Hi", key: 7 }]) {
    const response = await mine.fetch("/chat", { body });
    const { error } = await response.json();
    assert.deepEqual([response.status, error.kind], [400, "invalid_input"], JSON.stringify(body));
  }
  assert.equal(model.requests.length, 0);
});

test("/capabilities tells the page what there is, /health an operator how it is", async () => {
  const { browser, engine } = await serve(Scripted.reply("Meow."));
  const page = await (await browser().fetch("/capabilities")).json();
  assert.deepEqual([page.app, page.skin, page.transport, page.api, page.auth], ["node-express", "cat", "sse", "/api", "none"]);
  const well = await browser().fetch("/health");
  assert.deepEqual([well.status, (await well.json()).healthy], [200, true]);
  await engine.close();
  assert.equal((await browser().fetch("/health")).status, 503);
});

test("the built page is served where it is there", async () => {
  const dist = mkdtempSync(join(tmpdir(), "catgpt-page-"));
  after(() => rmSync(dist, { recursive: true }));
  writeFileSync(join(dist, "index.html"), "<title>CatGPT</title>");
  const { browser } = await serve(Scripted.reply("Meow."), { WEB_DIST: dist });
  const page = await browser().fetch("/");
  assert.deepEqual([page.status, page.headers.get("set-cookie")], [200, null]);
  assert.match(await page.text(), /CatGPT/);
});

test("pages of other origins are let in by name only", async () => {
  const { browser } = await serve(Scripted.reply("Meow."), { ALLOWED_ORIGINS: "http://localhost:5173" });
  const allowed = async (origin) => (await browser().fetch("/capabilities", { headers: { origin } })).headers.get("access-control-allow-origin");
  assert.equal(await allowed("http://localhost:5173"), "http://localhost:5173");
  assert.equal(await allowed("http://evil.example"), null);
});

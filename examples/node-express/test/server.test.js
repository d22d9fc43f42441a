/** The program itself: what it reads, what it says, and how it ends. */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { createServer } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { after, test } from "node:test";
import { settings } from "../settings.js";
import { Browser, events, textOf } from "./kit.js";

/** Starts it, and gives its address once it answers. */
async function start(env) {
  const clean = Object.fromEntries(Object.entries(process.env).filter(([name]) => !/^OPENAI_|_URL$/.test(name)));
  const child = spawn(process.execPath, ["server.js", "--port", "0"], {
    cwd: new URL("..", import.meta.url),
    env: { ...clean, ...env },
    stdio: ["ignore", "pipe", "inherit"],
  });
  after(() => child.kill("SIGKILL"));
  const [line] = await once(child.stdout.setEncoding("utf8"), "data");
  return { child, url: /http:\S+/.exec(line)[0] };
}

test("without a key the cat answers, and nothing is needed", async () => {
  const { url } = await start({});
  const seen = [];
  for await (const event of events(await new Browser(url).chat("trip", "Hi"))) seen.push(event);
  assert.equal(seen[0].model, "offline-cat");
  assert.match(textOf(seen), /Meow/);
});

test("told to stop it stores what it has, ends each answer in words, and goes", async () => {
  const folder = mkdtempSync(join(tmpdir(), "catgpt-express-"));
  after(() => rmSync(folder, { recursive: true, force: true }));
  const DATABASE_URL = `sqlite:${join(folder, "chat.db")}`;
  const model = await slowModel();
  const { child, url } = await start({ OPENAI_BASE_URL: model, DATABASE_URL, SHUTDOWN_SECONDS: "0" });
  const mine = new Browser(url);
  const running = events(await mine.chat("trip", "Hi"));
  const seen = [];
  for await (const event of running) {
    seen.push(event);
    if (event.type === "text") child.kill("SIGTERM");
  }
  assert.deepEqual([textOf(seen), seen.at(-1).status], ["Once upon", "interrupted"]);
  const [code] = child.exitCode === null ? await once(child, "exit") : [child.exitCode];
  assert.equal(code, 0);
});

/** An endpoint that says two words and then thinks for ever. */
async function slowModel() {
  const server = createServer((request, response) => {
    response.setHeader("content-type", "text/event-stream");
    response.write(`data: ${JSON.stringify({ choices: [{ delta: { content: "Once upon" } }] })}\n\n`);
  });
  return listening(server);
}

async function listening(server) {
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  after(() => (server.closeAllConnections(), server.close()));
  return `http://127.0.0.1:${server.address().port}/v1`;
}

test("pictures take a key and have a limit of their own", async () => {
  const PNG = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==";
  const asked = [];
  const upstream = createServer(async (request, response) => {
    const body = JSON.parse(await text(request));
    asked.push([request.url, body.prompt]);
    response.setHeader("content-type", "application/json").end(JSON.stringify({ created: 1, data: [{ b64_json: PNG }] }));
  });
  const OPENAI_BASE_URL = await listening(upstream);
  const { url } = await start({ OPENAI_BASE_URL, OPENAI_API_KEY: "sk-test", IMAGE_RATE_LIMIT: "1/day" });
  const mine = new Browser(url);
  assert.ok((await (await mine.fetch("/capabilities")).json()).features.includes("images"));
  const seen = [];
  for await (const event of events(await mine.chat("trip", "A cat on the moon", { image: true }))) seen.push(event);
  assert.equal(seen.at(-1).status, "complete");
  assert.match(seen.find(({ type }) => type === "part").part.url, /^data:image\/png;base64,/);
  assert.deepEqual(asked, [["/v1/images/generations", "A cat on the moon"]]);
  const refused = await mine.chat("trip", "Another", { image: true });
  assert.deepEqual([refused.status, (await refused.json()).error.limit.name], [429, "pictures a day"]);
  const without = await new Browser((await start({})).url).chat("trip", "A cat", { image: true });
  assert.deepEqual([without.status, (await without.json()).error.kind], [501, "unsupported"]);
});

test("a setting that cannot be used is named", () => {
  assert.throws(() => settings({ PORT: "many" }), /PORT/);
  assert.throws(() => settings({ RATE_LIMIT: "many" }), /RATE_LIMIT: write a limit like/);
  assert.equal(settings({ OPENAI_API_KEY: "x" }).model, "gpt-4o-mini");
  assert.equal(settings({ OPENAI_BASE_URL: "http://127.0.0.1/v1", OPENAI_MODEL: "m" }).model, "m");
  assert.equal(settings({}).model, "offline");
});

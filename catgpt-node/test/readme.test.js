/** The README's programs run as they stand. */
import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import { once } from "node:events";
import { createServer } from "node:http";
import { after, test } from "node:test";
import { Engine } from "catgpt-node";
import { spawn } from "node:child_process";
import { GATED, folder, runModule, scripted, until } from "./kit/kit.js";

const readme = readFileSync(new URL("../README.md", import.meta.url), "utf8");
const blocks = [...readme.matchAll(/```(?:js|ts)\n([^]*?)```/g)].map(([, code]) => code);
const block = (words) => blocks.find((code) => code.includes(words)) ?? assert.fail(`no block with ${words}`);

test("the first example streams, without a key or a network", async () => {
  const here = JSON.stringify(`sqlite:${folder()}/chat.db`);
  const { code, stdout, stderr } = await runModule(blocks[0].replace('"sqlite:chat.db"', here));
  assert.deepEqual([code, stdout.includes("Plan three days in Kyoto")], [0, true], stderr);
  assert.ok(blocks[0].trimEnd().split("\n").length <= 10);
});

/** Runs a block with these names in scope, and gives what it calls `result`. */
const evaluate = (code, scope, result) => new Function(...Object.keys(scope), `${code}\nreturn ${result};`)(...Object.values(scope));
const withoutTypes = (code) => code.replace(/^import .*$/gm, "").replace(/: Request\b/g, "").replace(/^export /gm, "");

test("the fetch handler streams, and answers 409 while a turn runs", async () => {
  const { engine, model } = scripted(GATED);
  const { errorResponse } = await import("catgpt-node");
  const POST = evaluate(withoutTypes(block("export const POST")), { engine, errorResponse, owner: () => "alice" }, "POST");
  const post = () => POST(new Request("http://localhost/", { method: "POST", body: "Hi" }));
  const response = await post();
  assert.equal((await post()).status, 409);
  model.open("g");
  assert.match(await response.text(), /"type":"finished","status":"complete"/);
});

test("the Express handlers stream, answer 409, and resume what an EventSource has missed", async () => {
  const { engine, model } = scripted(GATED);
  const app = await express((app, express) => evaluate(block("app.post"), { engine, app, express }, "app"));
  const response = await fetch(app, { method: "POST", body: "Hi" });
  const busy = await fetch(app, { method: "POST", body: "Hi" });
  assert.deepEqual([busy.status, (await busy.json()).error.kind], [409, "busy"]);
  model.open("g");
  const ids = (await response.text()).match(/^id: .*$/gm).map((id) => id.slice(4));
  assert.ok(ids.at(-1).endsWith(":11"));
  const resumed = await fetch(app, { headers: { "last-event-id": ids.at(-1).replace(/:11$/, ":6") } });
  assert.match(await resumed.text(), /"text":"world"/);
});

test("the HTTP API is mounted in Express and behind web requests", async () => {
  const { engine } = scripted([{ text: "Meow" }, { finish: "stop" }]);
  const userOf = () => engine.user("alice");
  let mounted;
  const app = { use: (path, handler) => (mounted = { path, handler }) };
  const api = evaluate(block("userOf(req).handle"), { app, userOf }, "api");
  const said = await api(new Request("http://localhost/api/sessions/trip/turns", { method: "POST", body: '{"text":"Hi"}' }));
  assert.match(await said.text(), /"text":"Meow"/);
  const server = createServer((req, res) => ((req.url = req.url.slice(mounted.path.length)), mounted.handler(req, res)));
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  after(() => server.close());
  const list = await (await fetch(`http://127.0.0.1:${server.address().port}/api/sessions`)).json();
  assert.deepEqual(list.sessions.map(({ id }) => id), ["trip"]);
});

test("the AI SDK's routes stream, resume and stop", async () => {
  const { engine, model } = scripted(GATED);
  const { errorResponse } = await import("catgpt-node");
  const scope = { user: engine.user("alice"), errorResponse };
  const { chat, resume, stop } = evaluate(block("resumeUIMessageStream"), scope, "{ chat, resume, stop }");
  const message = (id) => ({ id, role: "user", parts: [{ type: "text", text: "Hi" }] });
  const post = (id) => chat(new Request("http://localhost/", { method: "POST", body: JSON.stringify({ id: "chat", messages: [message(id)] }) }));
  const response = await post("m1");
  assert.equal((await post("m2")).status, 409);
  const resumed = await resume("chat");
  await stop("chat");
  assert.match(await response.text(), /"type":"abort"[^]*\[DONE\]/);
  assert.match(await resumed.text(), /"type":"abort"[^]*\[DONE\]/);
  assert.equal((await resume("chat")).status, 204);
  assert.equal(model.requests.length, 1);
});

/** As much of Express as the README uses. */
async function express(build) {
  const routes = {};
  const app = { post: (_, body, handler) => (routes.POST = handler), get: (_, handler) => (routes.GET = handler) };
  build(app, { text: () => null });
  const server = createServer(async (req, res) => {
    let body = "";
    for await (const chunk of req.setEncoding("utf8")) body += chunk;
    Object.assign(req, { body, user: { id: "alice" }, params: { id: "chat" }, get: (name) => req.headers[name] });
    res.status = (status) => Object.assign(res, { statusCode: status });
    res.json = (data) => res.setHeader("content-type", "application/json").end(JSON.stringify(data));
    await routes[req.method](req, res);
  });
  await once(server.listen(0, "127.0.0.1"), "listening");
  after(() => server.close());
  return `http://127.0.0.1:${server.address().port}/`;
}

test("the engine with titles and summaries sums up", async () => {
  const engine = evaluate(block("summaries: true"), { Engine: (await import("catgpt-node")).Engine }, "engine");
  const session = engine.local().session("chat");
  await (await session.send("Why do cats purr?")).text();
  const { upto, text, active } = await session.summarize();
  assert.deepEqual([upto, text.length > 0, active], [2, true, true]);
  await session.setSummary(null);
  assert.deepEqual((await session.summaries()).map((summary) => summary.active), [false]);
  await engine.close({ deadlineMs: 0 });
});

test("an operator is told how an engine is, what it counted, and what went wrong", async () => {
  const { engine, session } = scripted([{ error: "unavailable" }]);
  const routes = {};
  const app = { get: (path, handler) => (routes[path] = handler) };
  const told = [];
  const quiet = [];
  const { onLog } = await import("catgpt-node");
  const listen = (...args) => quiet.push(onLog(...args));
  evaluate(withoutTypes(block("/metrics")), { engine, app, onLog: listen, console: { error: (...line) => told.push(line) } }, "0");
  const response = () => {
    const res = { send: (body) => ((res.body = body), res), json: (body) => res.send(body) };
    return Object.assign(res, { status: (code) => ((res.code = code), res), type: () => res });
  };
  const ask = async (path) => {
    const res = response();
    await routes[path]({}, res);
    return res;
  };
  await assert.rejects((await session.send("Hi")).text());
  const { code, body } = await ask("/health");
  assert.deepEqual([code, body.healthy], [200, true]);
  assert.match((await ask("/metrics")).body, /^catgpt_turns_total\{status="failed"\} 1$/m);
  await until(() => told.length === 1, "a warning");
  assert.equal(told[0][0], "warn");
  quiet.forEach((end) => end());
  await engine.close({ deadlineMs: 0 });
  assert.equal((await ask("/health")).code, 503);
});

test("on SIGTERM responses end with what was said, and so does the process", async () => {
  const stop = block("SIGTERM").replace("app.listen(3000)", "app.listen(0, \"127.0.0.1\")").replace("10_000", "0");
  const program = `
    import { createServer } from "node:http";
    import { Engine } from "catgpt-node";
    import { Scripted } from "catgpt-node/testing";
    const engine = new Engine({ model: new Scripted([{ text: "Hello" }, { hang: true }]) });
    const app = createServer(async (_, res) => (await engine.local().session("chat").send("Hi")).pipeTo(res));
    ${stop}
    server.once("listening", () => console.log(server.address().port));`;
  const child = spawn(process.execPath, ["--input-type=module", "--eval", program], { cwd: new URL("..", import.meta.url) });
  after(() => child.kill("SIGKILL"));
  const closed = once(child, "close");
  const [port] = await once(child.stdout, "data");
  const response = await fetch(`http://127.0.0.1:${Number(port)}/`);
  let body = "";
  for await (const text of response.body.pipeThrough(new TextDecoderStream())) {
    body += text;
    if (text.includes('"Hello"')) child.kill("SIGTERM");
  }
  assert.match(body, /"type":"finished","status":"interrupted"/);
  assert.deepEqual(await closed, [0, null]);
});

test("the generator and the script are what they are said to be", async () => {
  const ask = async function* () {
    yield "Meow";
  };
  const engine = evaluate(block("model: async function*"), { Engine, ask }, "engine");
  assert.equal(await (await engine.user("alice").session("chat").send("Hi")).text(), "Meow");
  const { Scripted } = await import("catgpt-node/testing");
  const model = evaluate(withoutTypes(block("new Scripted")), { Scripted }, "model");
  assert.equal(await (await new Engine({ model }).user("alice").session("chat").send("Hi")).text(), "Hello world");
});

test("the errors are caught as shown", async () => {
  const { session } = scripted(GATED);
  const { turn } = await session.send("Hi");
  const { BusyError, CatgptError } = await import("catgpt-node");
  const said = [];
  const scope = { session, BusyError, CatgptError, console: { log: (...words) => said.push(words) } };
  await evaluate(`const result = (async () => { ${block("message-17")} })();`, scope, "result");
  assert.deepEqual(said, [["running:", turn]]);
});

test("the tools answer, and somebody agrees", async () => {
  const { ToolError, pendingOf, tool } = await import("catgpt-node");
  const { z } = await import("zod");
  const wants = (...calls) => [...calls.map(([id, name, args]) => ({ tool_call: { id, name, arguments: args } })), { finish: "tool_calls" }];
  const calls = wants(["1", "stock", { fish: "tuna" }], ["2", "stock", { fish: "carp" }], ["3", "order", { fish: "salmon" }]);
  const { model } = scripted(calls, [{ text: "Ordered." }, { finish: "stop" }]);
  class Told extends Engine {
    constructor(options) {
      super({ ...options, model });
    }
  }
  const engine = evaluate(block("const stock").replace(/^import .*$/gm, ""), { Engine: Told, ToolError, tool, z }, "engine");
  const session = engine.user("alice").session("chat");
  const AsyncFunction = (async () => {}).constructor;
  const reply = await new AsyncFunction("session", `${block("const decisions")}\nreturn reply;`)(session);
  const [, paused] = await session.history();
  assert.deepEqual(pendingOf(paused).map(({ id }) => id), ["3"]);
  const [first, second] = paused.content.filter(({ type }) => type === "tool_result");
  assert.deepEqual([first.output, second.is_error, /^the arguments do not fit: fish: /.test(second.output)], [3, true, true]);
  const events = [];
  for await (const event of reply) events.push(event);
  const { key, ...output } = events.find(({ type }) => type === "tool_result").output;
  assert.deepEqual([output, key.length], [{ ordered: "salmon", for: "alice" }, 36]);
  assert.equal(events.at(-1).status, "complete");
});

test("the hooks cite and refuse", async () => {
  const { RefusedError } = await import("catgpt-node");
  const session = evaluate(block("const house"), { Engine, RefusedError }, "engine").local().session("chat");
  const events = [];
  for await (const event of await session.send("Hi")) events.push(event);
  assert.deepEqual(events[1].part.title, "House rules");
  // The offline cat repeats what it is asked.
  await assert.rejects((await session.send("my password")).text(), RefusedError);
});

test("the examples of sessions run, and their feed is heard", async () => {
  const { engine, session } = scripted([{ text: "Kyo" }], [{ text: "to" }, { finish: "stop" }]);
  const user = engine.user("alice");
  await (await session.send("Plan three days")).result().catch(() => {});
  await session.rename("Kyoto");
  const AsyncFunction = (async () => {}).constructor;
  const console = { log: () => {} };
  const more = await new AsyncFunction("user", "session", "console", `${block("session.continueReply()")}\nreturn more;`)(user, session, console);
  assert.equal(await more.text(), "to");
  const [stop, heard] = [new AbortController(), []];
  const log = (...words) => heard.push(words) === 3 && stop.abort();
  const listen = new AsyncFunction("user", "after", "signal", "console", block("user.feed({ after, signal })"));
  await assert.rejects(listen(user, 0, stop.signal, { log }), { name: "AbortError" });
  assert.deepEqual(heard[0].slice(0, 3), [1, "created", "chat"]);
  const { Feed } = await import("catgpt-node");
  const GET = evaluate(block("Feed.position"), { user, Feed }, "GET");
  const reader = GET(new Request("http://localhost/", { headers: { "last-event-id": "1" } })).body.getReader();
  assert.match(Buffer.from((await reader.read()).value).toString(), /^id: 2\ndata: /);
  await reader.cancel();
  await engine.close();
});

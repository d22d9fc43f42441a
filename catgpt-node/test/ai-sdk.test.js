/** The AI SDK's own client, versions 5 to 7 and unchanged, against a server on this package. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { createServer } from "node:http";
import { after, test } from "node:test";
import { text } from "node:stream/consumers";
import { CatgptError } from "catgpt-node";
import { GATED, scripted, settles, until } from "./kit/kit.js";
import { VERSIONS, chatOf, textOf } from "./ai-sdk/chat.js";

const each = (what, run) => Object.entries(VERSIONS).forEach(([name, ai]) => test(`${name}: ${what}`, { timeout: 60_000 }, () => run(ai)));

/** The three routes of an application: chat, resume, stop. */
async function route({ engine }, request, response) {
  const user = engine.user("alice");
  const [, , , id, verb] = new URL(request.url, "http://host").pathname.split("/");
  try {
    if (verb === undefined) return await (await user.chat(await text(request))).pipeUIMessageStreamToResponse(response);
    const reply = await user.session(decodeURIComponent(id)).resume();
    if (!reply) return response.writeHead(204).end();
    if (verb === "stream") return await reply.pipeUIMessageStreamToResponse(response);
    await reply.cancel();
    response.writeHead(202).end();
  } catch (error) {
    if (!(error instanceof CatgptError)) throw error;
    response.writeHead(error.status, { "content-type": "application/json" }).end(JSON.stringify({ error }));
  }
}

async function serve(...scripts) {
  const host = scripted(...scripts);
  const server = createServer((request, response) => route(host, request, response).catch((error) => response.destroy(error)));
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  after(() => (server.closeAllConnections(), server.close()));
  return { ...host, api: `http://127.0.0.1:${server.address().port}/api/chat` };
}

each("text and reasoning arrive whole, under the stored message's id, with its usage", async (ai) => {
  const usage = { input_tokens: 3, output_tokens: 5 };
  const host = await serve([{ reasoning: "Hm." }, { text: "Hello\n" }, { text: "🐱" }, { usage }, { finish: "stop" }]);
  const chat = chatOf(ai, host);
  await chat.sendMessage({ text: "Hi" });
  assert.deepEqual([chat.status, chat.error], ["ready", undefined]);
  const [, reply] = chat.messages;
  const shown = reply.parts.map(({ type, text, state }) => [type, text, state]);
  assert.deepEqual(shown, [["step-start", undefined, undefined], ["reasoning", "Hm.", "done"], ["text", "Hello\n🐱", "done"]]);
  const [, stored] = await host.session.uiMessages();
  assert.equal(reply.id, stored.id);
  const { status, reply_seq, turn } = reply.metadata;
  assert.deepEqual([status, reply_seq, turn, reply.metadata.usage], ["complete", stored.metadata.seq, stored.metadata.turn, usage]);
  assert.equal(chat.seen.finished.length, 1);
});

each("a stream read without a chat grows word by word", async (ai) => {
  const { api, model } = await serve(GATED);
  const message = { id: "m1", role: "user", parts: [{ type: "text", text: "Hi" }] };
  const asked = { chatId: "chat", messages: [message], trigger: "submit-message" };
  const stream = await new ai.DefaultChatTransport({ api }).sendMessages(asked);
  const texts = [];
  for await (const shown of ai.readUIMessageStream({ stream })) {
    texts.push(textOf(shown));
    if (texts.at(-1) === "Hello ") model.open("g");
  }
  assert.ok(texts.includes("Hello ") && texts.at(-1) === "Hello world", texts.join("|"));
});

each("a turn that fails is an error, and keeps its text", async (ai) => {
  const host = await serve([{ text: "Hel" }, { error: "unavailable" }]);
  const chat = chatOf(ai, host);
  await chat.sendMessage({ text: "Hi" });
  assert.equal(chat.status, "error");
  assert.equal(textOf(chat.messages[1]), "Hel");
  assert.equal(chat.messages[1].metadata.status, "failed");
  const [{ type, data }] = chat.seen.data;
  assert.deepEqual([type, data.kind, data.message], ["data-error", "unavailable", chat.error.message]);
});

each("a turn that is cut off is an error too, and never looks whole", async (ai) => {
  const host = await serve([{ text: "Hel" }]);
  const chat = chatOf(ai, host);
  await chat.sendMessage({ text: "Hi" });
  assert.deepEqual([chat.status, textOf(chat.messages[1]), chat.messages[1].metadata.status], ["error", "Hel", "interrupted"]);
});

each("a turn that is stopped ends ready, with its text", async (ai) => {
  const host = await serve([{ text: "Hel" }, { hang: true }]);
  const chat = chatOf(ai, host);
  const sent = chat.sendMessage({ text: "Hi" });
  await until(() => chat.messages[1] && textOf(chat.messages[1]) === "Hel", "the first word");
  const { status } = await fetch(`${host.api}/chat/stop`, { method: "POST" });
  await sent;
  assert.equal(status, 202);
  assert.deepEqual([chat.status, textOf(chat.messages[1]), chat.messages[1].metadata.status], ["ready", "Hel", "cancelled"]);
  await settles(host.session, "Hel", "cancelled");
});

each("a client that stops reading leaves the turn running", async (ai) => {
  const host = await serve(GATED);
  const chat = chatOf(ai, host);
  const sent = chat.sendMessage({ text: "Hi" });
  await until(() => chat.messages[1] && textOf(chat.messages[1]) === "Hello ", "the first word");
  await chat.stop();
  await sent;
  host.model.open("g");
  await settles(host.session, "Hello world", "complete");
});

for (const stored of [true, false]) {
  each(`a page that is loaded in the midst of an answer ${stored ? "with" : "without"} its stored part gets all of it, once`, async (ai) => {
    const host = await serve(GATED);
    const first = chatOf(ai, host);
    void first.sendMessage({ text: "Hi" });
    await until(() => first.messages[1] && textOf(first.messages[1]) === "Hello ", "the first word");
    const messages = (await host.session.uiMessages()).slice(0, stored ? 2 : 1);
    const second = chatOf(ai, { ...host, messages });
    const resumed = second.resumeStream();
    await until(() => second.messages[1] && textOf(second.messages[1]) === "Hello ", "the beginning");
    host.model.open("g");
    await resumed;
    assert.deepEqual(second.messages.map((message) => message.role), ["user", "assistant"]);
    assert.deepEqual([second.status, textOf(second.messages[1])], ["ready", "Hello world"]);
    await until(() => first.status === "ready", "the first client's end");
    assert.equal(first.messages[1].id, second.messages[1].id);
  });
}

each("with nothing to resume it is 204, and nothing changes", async (ai) => {
  const host = await serve([{ text: "Hello" }, { finish: "stop" }]);
  const chat = chatOf(ai, host);
  await chat.resumeStream();
  assert.deepEqual([chat.status, chat.messages.length], ["ready", 0]);
  await chat.sendMessage({ text: "Hi" });
  await chat.resumeStream();
  assert.deepEqual([chat.status, chat.messages.length], ["ready", 2]);
  assert.equal((await host.session.resumeUIMessageStream()).status, 204);
});

each("a busy session is 409 before the first byte", async (ai) => {
  const host = await serve([{ hang: true }]);
  const { turn } = await host.session.send("Hi");
  const chat = chatOf(ai, host);
  await chat.sendMessage({ text: "Hi again" });
  assert.equal(chat.status, "error");
  assert.deepEqual([JSON.parse(chat.error.message).error.kind, JSON.parse(chat.error.message).error.turn], ["busy", turn]);
  await host.engine.close({ deadlineMs: 0 });
});

each("regenerate and edits are branches, with ids of the page or of the store", async (ai) => {
  const says = (text) => [{ text }, { finish: "stop" }];
  const host = await serve(says("one"), says("two"), says("three"), says("four"), says("five"));
  const chat = chatOf(ai, host);
  const shown = () => chat.messages.map(textOf);
  const stored = async () => (await host.session.history()).map((message) => message.content[0].text);
  await chat.sendMessage({ text: "Hi" });
  await chat.regenerate();
  assert.deepEqual([shown(), await stored()], [["Hi", "two"], ["Hi", "two"]]);
  await chat.sendMessage({ text: "More" });
  await chat.sendMessage({ text: "Less", messageId: chat.messages[2].id });
  assert.deepEqual([shown(), await stored()], [["Hi", "two", "Less", "four"], ["Hi", "two", "Less", "four"]]);
  chat.messages = await host.session.uiMessages();
  await chat.sendMessage({ text: "Hello", messageId: chat.messages[0].id });
  assert.deepEqual([shown(), await stored()], [["Hello", "five"], ["Hello", "five"]]);
  assert.equal((await host.session.tree()).filter((message) => message.role === "assistant").length, 5);
});

each("a request that is made twice is one turn", async (ai) => {
  const host = await serve([{ text: "Hello" }, { finish: "stop" }]);
  const message = { id: "m1", role: "user", parts: [{ type: "text", text: "Hi" }] };
  const transport = new ai.DefaultChatTransport({ api: host.api });
  const ids = [];
  for (let times = 0; times < 2; times++) {
    const stream = await transport.sendMessages({ chatId: "chat", messages: [message], trigger: "submit-message" });
    for await (const shown of ai.readUIMessageStream({ stream })) if (shown.id) ids.push(shown.id);
  }
  assert.equal(new Set(ids).size, 1);
  assert.equal(host.model.requests.length, 1);
});

each("tools, sources, files and parts of our own are what Rust says they are", async (ai) => {
  const bytes = readFileSync(new URL("../../spec/wire/parts.ui_message_stream.txt", import.meta.url));
  const transport = new ai.DefaultChatTransport({ fetch: async () => new Response(bytes) });
  const stream = await transport.sendMessages({ chatId: "chat", messages: [], trigger: "submit-message" });
  let last;
  for await (const shown of ai.readUIMessageStream({ stream })) last = shown;
  assert.deepEqual(last.parts.map(({ type, state }) => (state ? `${type} ${state}` : type)), [
    "step-start", "reasoning done", "text done", "tool-weather output-available", "tool-weather output-error",
    "step-start", "text done", "source-url", "source-url", "file", "file", "data-hologram", "data-part", "text done",
  ]);
  assert.equal(last.metadata.status, "complete");
});

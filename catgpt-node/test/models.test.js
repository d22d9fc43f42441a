/** Several models in one engine, and pictures that are drawn. */
import assert from "node:assert/strict";
import { createServer } from "node:http";
import { after, test } from "node:test";
import { Anthropic, Engine, Images, InvalidInputError, OpenAi, RefusedError, Responses } from "catgpt-node";
import { Scripted } from "catgpt-node/testing";

const PNG = "iVBORw0KGgo=";

/** An endpoint that draws, and what it was asked. */
async function endpoint() {
  const asked = [];
  const server = createServer(async (request, response) => {
    const body = JSON.parse((await request.toArray()).join(""));
    asked.push([request.url, body]);
    const refusal = { error: { message: "no", type: "image_generation_user_error", code: "moderation_blocked" } };
    const refused = body.prompt.includes("dog");
    response.writeHead(refused ? 400 : 200, { "content-type": "application/json" });
    response.end(JSON.stringify(refused ? refusal : { data: [{ b64_json: PNG }], usage: { input_tokens: 5, output_tokens: 272 } }));
  });
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  after(() => server.close());
  return { asked, baseUrl: `http://127.0.0.1:${server.address().port}/v1` };
}

test("the name chooses among models of every kind", async () => {
  const one = { name: "one", stream: (request) => `1 ${request.model}` };
  const model = { one, "two-*": (request) => `2 ${request.model}`, play: Scripted.reply("played"), "*": "offline" };
  const engine = new Engine({ model });
  const session = engine.user("alice").session("chat");
  const say = async (model) => (await session.send("Hi", { model })).text();
  assert.deepEqual([await say("one"), await say("two-b"), await say("play")], ["1 null", "2 two-b", "played"]);
  assert.match(await say(undefined), /Meow/);
  assert.deepEqual((await engine.models()).map(({ id }) => id), ["offline-cat", "one", "play"]);
  const kept = (await session.history()).filter(({ role }) => role === "assistant").map(({ model }) => model);
  assert.deepEqual(kept, ["one", "two-b", "play", "offline-cat"]);
  await engine.close();
});

test("an unknown name is refused before anything is kept", async () => {
  const engine = new Engine({ model: { good: Scripted.reply("Yes"), fast: Scripted.reply("Y") } });
  const session = engine.user("alice").session("chat");
  assert.equal(await (await session.send("Hi")).text(), "Yes");
  await assert.rejects(session.send("Hi", { model: "best" }), (error) => {
    return error instanceof InvalidInputError && error.message.includes("there are: good, fast");
  });
  assert.equal((await session.history()).length, 2);
  await engine.close();
});

test("a picture is drawn by one of them", async () => {
  const { asked, baseUrl } = await endpoint();
  const model = { image: new Images({ size: "1024x1024", withinMs: 60_000 }), "*": "offline" };
  const engine = new Engine({ model, baseUrl, apiKey: "sk-test" });
  const session = engine.user("alice").session("chat");
  const events = [];
  for await (const event of await session.send("A cat on the moon", { model: "image" })) events.push(event);
  const part = { type: "image", url: `data:image/png;base64,${PNG}`, media_type: "image/png", alt: "A cat on the moon" };
  assert.deepEqual(events[1].part, part);
  assert.equal(events.at(-1).usage.output_tokens, 272);
  assert.deepEqual(asked, [["/v1/images/generations", { model: "gpt-image-1", prompt: "A cat on the moon", size: "1024x1024" }]]);
  await assert.rejects((await session.send("A dog", { model: "image" })).text(), RefusedError);
  await assert.rejects(session.send([part], { model: "image" }), RefusedError);
  await engine.close();
});

test("a session goes from one protocol to another", async () => {
  const asked = [];
  const events = {
    "/v1/chat/completions": [{ choices: [{ delta: { content: "one" }, finish_reason: "stop" }] }],
    "/v1/messages": [
      { type: "content_block_delta", index: 0, delta: { type: "text_delta", text: "two" } },
      { type: "message_delta", delta: { stop_reason: "end_turn" }, usage: { output_tokens: 1 } },
      { type: "message_stop" },
    ],
    "/v1/responses": [
      { type: "response.output_text.delta", output_index: 0, delta: "three" },
      { type: "response.completed", response: { status: "completed", output: [] } },
    ],
  };
  const server = createServer(async (request, response) => {
    asked.push([request.url, request.headers, JSON.parse((await request.toArray()).join(""))]);
    response.writeHead(200, { "content-type": "text/event-stream" });
    response.end(events[request.url].map((event) => `data: ${JSON.stringify(event)}\n\n`).join(""));
  });
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  after(() => server.close());
  const baseUrl = `http://127.0.0.1:${server.address().port}/v1`;
  const model = {
    claude: new Anthropic({ model: "claude", baseUrl, apiKey: "sk-ant", thinking: "adaptive", maxTokens: 9000 }),
    gpt: new Responses({ model: "gpt", baseUrl, apiKey: "sk-two", effort: "low" }),
    "*": new OpenAi({ model: "llama", baseUrl, apiKey: "sk-one" }),
  };
  const engine = new Engine({ model });
  const session = engine.user("alice").session("chat");
  const said = [];
  for (const model of [undefined, "claude", "gpt"]) said.push(await (await session.send("Hi", { model })).text());
  assert.deepEqual(said, ["one", "two", "three"]);
  const [, claude, gpt] = asked.map(([, , body]) => body);
  assert.deepEqual([claude.thinking, claude.max_tokens, claude.messages.length], [{ type: "adaptive" }, 9000, 3]);
  assert.deepEqual([gpt.reasoning, gpt.input.length], [{ effort: "low" }, 5]);
  assert.deepEqual(asked.map(([, headers]) => headers["x-api-key"]), [undefined, "sk-ant", undefined]);
  await engine.close();
});

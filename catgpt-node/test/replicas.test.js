/** Two engines on one PostgreSQL and one Redis, which share nothing else. */
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { once } from "node:events";
import { connect } from "node:net";
import { test } from "node:test";
import { Engine } from "catgpt-node";
import { Scripted } from "catgpt-node/testing";
import { newest, until } from "./kit/kit.js";

const server = (name) =>
  process.env[name] ?? assert.fail(`${name} is not set: run \`cargo xtask test node\`, or \`cargo xtask servers\` and your command`);

async function askRedis(command) {
  const { hostname, port } = new URL(server("CATGPT_TEST_REDIS"));
  const socket = connect(Number(port), hostname);
  socket.write(`${command}\r\n`);
  const [answer] = await once(socket, "data");
  socket.destroy();
  return answer.toString().trim();
}

test("what one begins another watches and stops", async () => {
  const places = { memory: `${server("CATGPT_TEST_POSTGRES")}/postgres`, live: server("CATGPT_TEST_REDIS") };
  const a = new Engine({ model: new Scripted([{ text: "Hello" }, { hang: true }]), ...places });
  const b = new Engine({ model: "offline", ...places });
  const id = randomUUID();
  const reply = await a.user("alice").session(id).send("Hi");
  const there = b.user("alice");
  const seen = [];
  for await (const event of await there.attach(reply.turn)) {
    seen.push(event.text ?? event.status ?? event.type);
    if (event.type === "text") await there.cancel(reply.turn);
  }
  assert.deepEqual(seen, ["started", "Hello", "cancelled"]);
  assert.equal((await reply.result()).status, "cancelled");
  assert.deepEqual(await newest(there.session(id)), ["Hello", "cancelled"]);
  const frames = async () => Number((await askRedis(`XLEN catgpt:${reply.turn}`)).slice(1));
  await until(async () => (await frames()) >= 2, "the stream in Redis with its last frame");
  await Promise.all([a.close(), b.close()]);
});

test("a wrong URL is told at once and not shown", () => {
  const wrong = () => new Engine({ model: "offline", live: "http://me:hunter2@host" });
  assert.throws(wrong, (error) => error.code === "invalid_input" && /redis:/.test(error.message) && !/hunter2/.test(error.message));
});

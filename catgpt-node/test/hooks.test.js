/** Hooks that are written in JavaScript. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { Engine, RefusedError, TimeoutError, UnexpectedError } from "catgpt-node";
import { Scripted } from "catgpt-node/testing";
import { until } from "./kit/kit.js";

const SO_IT_IS = [{ text: "So " }, { text: "it is" }, { finish: "stop" }];

function hooked(script, ...hooks) {
  const model = new Scripted(script);
  const engine = new Engine({ model, hooks, retryBaseMs: 0 });
  return { model, engine, session: engine.user("alice").session("chat") };
}

const all = async (reply) => {
  const events = [];
  for await (const event of reply) events.push(event);
  return events;
};

test("a hook is asked at each place, and its sources are read and shown", async () => {
  const asked = [];
  const { model, engine, session } = hooked(SO_IT_IS, {}, {
    beforePrompt: async (at, branch, signal) => {
      asked.push([at.owner, at.session, branch.at(-1).content[0].text, signal.aborted]);
      return [{ text: "Cats purr.", part: { type: "citation", url: "cats.md#purr" } }, { text: "Dogs bark." }];
    },
    beforeModel(at, attempt, request) {
      asked.push([attempt, "credentials" in request]);
      return { messages: [...request.messages.slice(0, -1), { role: "user", content: [{ type: "text", text: "***" }] }] };
    },
    onDeltas: (at, parts) => void asked.push(parts),
    afterTurn: (at, reply) => asked.push([reply.status, reply.seq]),
  });
  const events = await all(await session.send("a secret", { credentials: "mine" }));
  const cited = { type: "citation", url: "cats.md#purr" };
  assert.deepEqual(events[1], { type: "part", part: cited, offset: 1 });
  assert.deepEqual((await session.history())[1].content, [cited, { type: "text", text: "So it is" }]);
  await engine.close();
  assert.deepEqual(asked, [
    ["alice", "chat", "a secret", false],
    [1, false],
    [{ type: "text", text: "So it is" }],
    ["complete", 2],
  ]);
  const [system, user] = model.requests[0].messages;
  assert.ok(system.text.endsWith("[1] Cats purr.\n\n[2] Dogs bark."), system.text);
  assert.equal(user.text, "***");
});

test("a hook refuses by throwing: this library's errors as they are, others without their words", async () => {
  const refused = new RefusedError("not here");
  const other = new TypeError("hunter2");
  for (const [thrown, kind, message] of [[refused, RefusedError, "not here"], [other, UnexpectedError, "TypeError"]]) {
    const { model, session } = hooked(SO_IT_IS, { beforePrompt: () => { throw thrown; } });
    await assert.rejects((await session.send("Hi")).text(), (error) => {
      assert.ok(error instanceof kind && error.message.includes(message) && error.cause === thrown, error);
      return !error.message.includes("hunter2");
    });
    assert.equal(model.requests.length, 0);
  }
});

test("a look at the deltas stops a running turn, with what was shown", async () => {
  const { session } = hooked([{ text: "so bad" }, { hang: true }], {
    onDeltas(at, parts) {
      if (parts.some((part) => part.text?.includes("bad"))) throw new RefusedError("moderated");
    },
  });
  const events = await all(await session.send("Hi"));
  const { status, stored, error } = events.at(-1);
  assert.deepEqual([events[1].text, status, stored, error.message], ["so bad", "failed", 6, "moderated"]);
});

test("a stopped turn aborts what a hook is asked, and a slow hook is too late", async () => {
  let signal;
  const wait = (at, branch, given) => {
    signal = given;
    return new Promise(() => {});
  };
  const { session } = hooked(SO_IT_IS, { beforePrompt: wait });
  const reply = await session.send("Hi");
  await until(() => signal);
  await reply.cancel();
  assert.equal((await reply.result()).status, "cancelled");
  await until(() => signal.aborted);
  const slow = hooked(SO_IT_IS, { beforePrompt: wait, timeoutMs: 20 });
  await assert.rejects((await slow.session.send("Hi")).text(), TimeoutError);
});

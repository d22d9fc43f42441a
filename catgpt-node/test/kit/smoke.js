/** A walk through the installed package, for every runtime that loads it: `scripts/smoke.mjs` runs it. */
import assert from "node:assert/strict";
import { Engine, Persona, errorResponse } from "catgpt-node";
import { Scripted } from "catgpt-node/testing";

const session = (model, options) => new Engine({ model, ...options }).user("alice").session("chat");

const cat = session("offline", { memory: "sqlite:smoke.db", persona: Persona.cat() });
assert.ok((await (await cat.send("Plan three days in Kyoto")).text()).includes("Kyoto"));

const model = new Scripted([{ text: "Hello " }, { gate: "g" }, { text: "world" }, { finish: "stop" }]);
const gated = session(model);
const reply = await gated.send("Hi");
for await (const event of reply) if (event.type === "text") break;
assert.equal((await gated.send("again").catch(errorResponse)).status, 409);
const rest = (await gated.attach(reply.turn, 6)).text();
setTimeout(() => model.open("g"), 50);
assert.equal(await rest, "world");
assert.match(await (await gated.send("Hi")).toResponse().text(), /"type":"finished","status":"complete"/);

const own = session(async function* (_, signal) {
  yield "from ";
  await new Promise((resolve) => setTimeout(resolve, 20));
  yield String(signal.aborted);
});
assert.equal(await (await own.send("Hi")).text(), "from false");

// A turn that runs keeps nobody alive: the process ends here by itself.
await session(new Scripted([{ text: "x" }, { hang: true }])).send("Hi");
console.log("all is well");

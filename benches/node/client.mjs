/** The whole path from the socket to `for await`, against the npm package `openai`. `client.mjs WHO burst|paced URL` */
import { Engine } from "catgpt-node";
import OpenAI from "openai";
import { all, measure } from "./kit.mjs";

const [who, mode, url] = process.argv.slice(2);
const [streams, chunks, pause] = mode === "burst" ? [8, 20_000, 0] : [50, 200, 20];
const model = `bench,n=${chunks},d=${pause}`;

const client = new OpenAI({ baseURL: url, apiKey: "none" });
const engine = new Engine({ baseUrl: url, apiKey: "none", model, memory: "memory:" });
let turn = 0;

const reads = {
  openai: async () => {
    let text = "";
    const stream = await client.chat.completions.create({ model, stream: true, messages: [{ role: "user", content: "Hi" }] });
    for await (const chunk of stream) text += chunk.choices[0]?.delta?.content ?? "";
    return text;
  },
  catgpt: async () => {
    let text = "";
    for await (const event of await engine.user("alice").session(`${turn++}`).send("Hi")) if (event.type === "text") text += event.text;
    return text;
  },
};

await measure(async () => {
  const texts = await all(streams, reads[who]);
  if (texts.some((text) => text !== texts[0] || text.length < chunks)) throw new Error("an answer is not whole");
  return streams * chunks;
});

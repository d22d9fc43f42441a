/** A chat endpoint in Express that keeps its chats in SQLite: as tutorials write it, and with catgpt. */
import Database from "better-sqlite3";
import { Engine } from "catgpt-node";
import express from "express";
import OpenAI from "openai";
import { cpu } from "./kit.mjs";

const [who, url, model, file] = process.argv.slice(2);
const app = express();
app.use(express.text());

if (who === "tutorial") {
  const client = new OpenAI({ baseURL: url, apiKey: "none" });
  const db = new Database(file);
  db.pragma("journal_mode = WAL");
  db.exec("create table messages (id integer primary key, session text, role text, content text)");
  const insert = db.prepare("insert into messages (session, role, content) values (?, ?, ?)");
  const history = db.prepare("select role, content from messages where session = ? order by id");
  app.post("/chat/:id", async (req, res) => {
    insert.run(req.params.id, "user", req.body);
    const messages = history.all(req.params.id);
    res.setHeader("content-type", "text/event-stream").flushHeaders();
    let text = "";
    for await (const chunk of await client.chat.completions.create({ model, messages, stream: true })) {
      const piece = chunk.choices[0]?.delta?.content;
      if (!piece) continue;
      text += piece;
      res.write(`data: ${JSON.stringify({ type: "text", text: piece })}\n\n`);
    }
    insert.run(req.params.id, "assistant", text);
    res.end('data: {"type":"finished"}\n\n');
  });
} else {
  const engine = new Engine({ baseUrl: url, apiKey: "none", model, memory: `sqlite:${file}` });
  app.post("/chat/:id", async (req, res) => {
    await (await engine.user("alice").session(req.params.id).send(req.body)).pipeTo(res);
  });
}
app.get("/cpu", (_, res) => res.json(cpu()));
const server = app.listen(0, "127.0.0.1", () => process.send(server.address().port));

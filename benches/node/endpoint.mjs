/** Clients of `server.mjs`: what its process spends for each event that reaches one. `endpoint.mjs WHO burst|paced URL` */
import { fork } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { all } from "./kit.mjs";

const [who, mode, url] = process.argv.slice(2);
const [clients, chunks, pause] = mode === "burst" ? [8, 10_000, 0] : [100, 200, 20];
const folder = mkdtempSync(join(tmpdir(), "catgpt-bench-"));
const server = fork(new URL("server.mjs", import.meta.url), [who, url, `bench,n=${chunks},d=${pause}`, join(folder, "chat.db")]);
const [port] = await once(server, "message");
const at = (path) => `http://127.0.0.1:${port}/${path}`;
const cpu = async () => (await fetch(at("cpu"))).json();

async function chat(n) {
  const response = await fetch(at(`chat/${n}`), { method: "POST", body: "Hi", headers: { "content-type": "text/plain" } });
  const text = await response.text();
  if (!text.includes('"type":"finished"')) throw new Error("an answer is not whole");
}

await all(clients, chat);
const before = await cpu();
const begun = performance.now();
await all(clients, (n) => chat(n + clients));
const wall = performance.now() - begun;
const after = await cpu();
const each = (name) => Number(((after[name] - before[name]) / (clients * chunks)).toFixed(3));
console.log(JSON.stringify({ process: each("process"), main: each("main"), wall_ms: Math.round(wall), events: clients * chunks }));
server.kill();
await once(server, "exit");
rmSync(folder, { recursive: true });

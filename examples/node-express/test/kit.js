/** What the tests share: the application on a free port, and what comes back from it. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { setTimeout as sleep } from "node:timers/promises";
import { after } from "node:test";
import { makeApp } from "../app.js";
import { Guest } from "catgpt-node";
import { makeEngine, settings } from "../settings.js";

/** A model that says `Hello `, waits at the gate `g`, says `world` and has finished. */
export const GATED = [{ text: "Hello " }, { gate: "g" }, { text: "world" }, { finish: "stop" }];

/** The application with a model of one's own, and a browser that looks at it. */
export async function serve(model, env = {}) {
  const config = { ...settings(env), model };
  const engine = makeEngine(config);
  const server = makeApp(engine, config).listen(0, "127.0.0.1");
  await once(server, "listening");
  after(async () => {
    server.closeAllConnections();
    server.close();
    await engine.close({ deadlineMs: 0 });
  });
  const url = `http://127.0.0.1:${server.address().port}`;
  return { engine, url, browser: () => new Browser(url) };
}

/** Keeps its cookie, as browsers do. */
export class Browser {
  cookie = "";

  constructor(url) {
    this.url = url;
  }

  async fetch(path, { body, headers, ...init } = {}) {
    const json = body === undefined ? {} : { method: "POST", body: JSON.stringify(body) };
    const type = { "content-type": "application/json" };
    const response = await fetch(this.url + path, { ...json, ...init, headers: { ...type, cookie: this.cookie, ...headers } });
    this.cookie = response.headers.get("set-cookie")?.split(";")[0] ?? this.cookie;
    return response;
  }

  /** Whose sessions the engine keeps for it: the cookie itself stands in no store. */
  get owner() {
    return Guest.known(this.cookie).owner;
  }

  chat(sessionId, message, more = {}) {
    return this.fetch("/chat", { body: { sessionId, message, ...more } });
  }
}

/** The ids and the events of a stream, as they come. */
export async function* events(response) {
  assert.equal(response.status, 200, response.status === 200 ? "" : await response.text());
  assert.match(response.headers.get("content-type"), /^text\/event-stream/);
  let text = "";
  for await (const piece of response.body.pipeThrough(new TextDecoderStream())) {
    const frames = (text += piece).split("\n\n");
    text = frames.pop();
    for (const frame of frames) {
      const lines = Object.fromEntries(frame.split("\n").map((line) => line.split(/: (.*)/s)));
      if (lines.data) yield { id: lines.id, ...JSON.parse(lines.data) };
    }
  }
}

export const textOf = (all) => all.map((event) => (event.type === "text" ? event.text : "")).join("");

/** Polls until it holds, within 20 s. */
export async function until(holds, what) {
  for (let left = 2000; left > 0; left--) {
    if (await holds()) return;
    await sleep(10);
  }
  assert.fail(`never came: ${what}`);
}

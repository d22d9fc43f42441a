/** Plays `spec/scenarios` on each kind of store. A step is one call; the scenarios' README has the rules. */
import assert from "node:assert/strict";
import { mkdtempSync, readdirSync, rmSync, writeSync } from "node:fs";
import { tmpdir } from "node:os";
import { test } from "node:test";
import { CatgptError, Engine } from "catgpt-node";
import { Scripted } from "catgpt-node/testing";
import { described, scripted, tools } from "./kit/hook.js";
import { MapMemory } from "./kit/map-memory.js";
import { folder, killed, made, next, read, same, says } from "./kit/scenario.js";

class Player {
  constructor({ models, persona, hook, tools: able, cache, titles, encryption, prices, limits: given }, memory, { names, asked: before }) {
    const model = new Scripted(...scripted(models).slice(Math.min(before, models.length - 1)));
    const limits = given?.map(({ window_ms: windowMs, ...limit }) => ({ windowMs, ...limit }));
    const own = { model, memory, hooks: described(hook), tools: tools(able), cache, titles, encryption, prices, limits, retryBaseMs: 0, leaseMs: 2000 };
    const open = (persona) => new Engine({ ...own, persona });
    Object.assign(this, { names, model, open, engine: open(persona), replies: new Map() });
    this.asked = () => ({ messages: [], ...model.requests.at(-1), times: before + model.requests.length });
  }
  check(want, got) {
    assert.ok(same(this.names, want, got), `expected ${JSON.stringify(want)}\n     got ${JSON.stringify(got)}`);
  }
  async step({ do: verb, error = null, owner = "alice", session: id = "chat", reply = "reply", turn: name, ...step }) {
    const { text, content = text, models, seq, from, gate, events, messages, times, persona, ...more } = step;
    const { key, busy, limit_keys: limitKeys, after, news, report, format, ...other } = more;
    const { call, with: given, options, gives, decisions, ...unknown } = other;
    const [user, session] = [this.engine.user(owner), this.engine.user(owner).session(id)];
    const turn = name && (this.names[name] ?? assert.fail(`no ${name}`));
    assert.deepEqual(unknown, {}, "unknown fields");
    const answer = (got) => gives === undefined || this.check(gives, got);
    const keep = async (made) => this.replies.set(reply, await made);
    const verbs = {
      send: () => keep(session.send(content, { key, busy, limitKeys })),
      edit: () => keep(session.edit(seq, content)),
      send_after: () => keep(session.sendAfter(seq, content)),
      continue_reply: () => keep(session.continueReply(seq)),
      regenerate: () => keep(session.regenerate(seq)),
      decide: () => keep(session.decide(decisions, { key })),
      resume: () => keep(session.resume()),
      attach: () => keep(user.attach(turn, from)),
      cancel: () => user.cancel(turn),
      drop: () => this.replies.get(reply).return(),
      open: async () => assert.ok(this.model.open(gate)),
      expect: async () => {
        for (const want of events) this.check(want, await next(this.replies.get(reply), want));
        assert.ok(events.length > 0);
      },
      history: async () => this.check(messages, await session.history({ last: 100 })),
      tree: async () => this.check(messages, await session.tree({ limit: 100 })),
      session: async () => answer(await made(session, call, given, options)),
      user: async () => answer(await made(user, call, given, options)),
      news: async () => {
        const feed = user.feed({ after });
        for (const want of news) this.check(want, (await feed.next()).value);
        await feed.return();
      },
      import: async () => this.check(report, await user.import(Buffer.from(text))),
      export: async () => {
        let all = "";
        for await (const piece of session.export(format)) all += piece;
        this.check(text, all);
      },
      models: async () => this.check(models, await this.engine.models()),
      asked: async () => this.check({ times, messages: messages ?? "*" }, this.asked()),
      reopen: async () => (this.replies.clear(), await this.engine.close(), (this.engine = this.open(persona))),
    };
    const failure = await verbs[verb]().then(() => null, (error) => error);
    if (failure !== null && !(failure instanceof CatgptError)) throw failure;
    this.check(error, JSON.parse(JSON.stringify(failure)));
  }
}

async function play(name, memory, child) {
  const { steps, persona, ...scenario } = read(name);
  assert.ok(scenario.name === name && says(name, "expect"));
  const crash = steps.findIndex((step) => step.do === "crash");
  const left = crash < 0 || child ? { names: {}, asked: 0 } : killed(name, memory);
  const player = new Player({ ...scenario, persona: left.asked ? steps[crash].persona : persona }, memory, left);
  for (const step of child ? steps.slice(0, crash) : steps.slice(crash + 1)) await player.step(step);
  if (!child) return player.engine.close();
  writeSync(1, JSON.stringify({ names: player.names, asked: player.asked().times }));
  process.kill(process.pid, "SIGKILL");
}

if (process.argv.length === 4) await play(...process.argv.slice(2), true);
else {
  const files = readdirSync(folder).filter((file) => file.endsWith(".json"));
  assert.ok(files.length > 0);
  for (const name of files.map((file) => file.slice(0, -5))) {
    const sqlite = mkdtempSync(`${tmpdir()}/catgpt-`);
    test.after(() => rmSync(sqlite, { recursive: true }));
    test(`${name} on SQLite`, { timeout: 60_000 }, () => play(name, `sqlite:${sqlite}/chat.db`));
    if (!says(name, "crash") && !read(name).built_in) test(`${name} on a Map`, { timeout: 60_000 }, () => play(name, new MapMemory()));
    if (!says(name, "crash") && !says(name, "reopen")) test(`${name} in memory`, { timeout: 60_000 }, () => play(name, "memory:"));
  }
}

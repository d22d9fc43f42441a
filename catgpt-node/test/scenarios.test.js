/** Plays `spec/scenarios` on each kind of store. A step is one call; the scenarios' README has the rules. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, readdirSync, rmSync, writeSync } from "node:fs";
import { tmpdir } from "node:os";
import { test } from "node:test";
import { CatgptError, Engine } from "catgpt-node";
import { Scripted } from "catgpt-node/testing";
import { described } from "./kit/hook.js";
import { MapMemory } from "./kit/map-memory.js";

const folder = new URL("../../spec/scenarios/", import.meta.url);
const read = (name) => JSON.parse(readFileSync(new URL(`${name}.json`, folder), "utf8"));
const says = (name, verb) => read(name).steps.some((step) => step.do === verb);

class Player {
  constructor({ models, persona, hook, cache, prices, limits: given }, memory, { names, asked: before }) {
    const model = new Scripted(...models.slice(Math.min(before, models.length - 1)));
    const limits = given?.map(({ window_ms: windowMs, ...limit }) => ({ windowMs, ...limit }));
    const own = { model, memory, hooks: described(hook), cache, prices, limits, retryBaseMs: 0, leaseMs: 2000 };
    const open = (persona) => new Engine({ ...own, persona });
    Object.assign(this, { names, model, open, engine: open(persona), replies: new Map() });
    this.asked = () => ({ messages: [], ...model.requests.at(-1), times: before + model.requests.length });
  }
  same(want, got) {
    if (want === "*") return got !== null && got !== undefined;
    if (typeof want === "string" && want.startsWith("$")) return (this.names[want] ??= got) === got;
    if (want === null || typeof want !== "object") return want === (got ?? null);
    if (!got || typeof got !== "object" || (Array.isArray(want) && want.length !== got.length)) return false;
    return Object.entries(want).every(([key, one]) => this.same(one, got[key]));
  }
  check(want, got) {
    assert.ok(this.same(want, got), `expected ${JSON.stringify(want)}\n     got ${JSON.stringify(got)}`);
  }
  async next(reply, want) {
    let { value: got } = await reply.next();
    while (got?.text !== undefined && got.type === want.type && got.offset < want.offset) {
      const { value: more } = await reply.next();
      got = { ...more, text: got.text + more?.text };
    }
    if (got?.type === "finished") assert.ok((await reply.next()).done, "nothing comes after the end");
    return got;
  }
  async step({ do: verb, error = null, owner = "alice", session: id = "chat", reply = "reply", turn: name, ...step }) {
    const { text, content = text, models, seq, from, gate, events, messages, times, persona, ...more } = step;
    const { key, busy, limit_keys: limitKeys, by, usage, limits, report, format, ...unknown } = more;
    const [user, session] = [this.engine.user(owner), this.engine.user(owner).session(id)];
    const turn = name && (this.names[name] ?? assert.fail(`no ${name}`));
    assert.deepEqual(unknown, {}, "unknown fields");
    const keep = async (made) => this.replies.set(reply, await made);
    const verbs = {
      send: () => keep(session.send(content, { key, busy, limitKeys })),
      edit: () => keep(session.edit(seq, content)),
      regenerate: () => keep(session.regenerate(seq)),
      resume: () => keep(session.resume()),
      attach: () => keep(user.attach(turn, from)),
      cancel: () => user.cancel(turn),
      drop: () => this.replies.get(reply).return(),
      open: async () => assert.ok(this.model.open(gate)),
      expect: async () => {
        for (const want of events) this.check(want, await this.next(this.replies.get(reply), want));
        assert.ok(events.length > 0);
      },
      history: async () => this.check(messages, await session.history({ last: 100 })),
      tree: async () => this.check(messages, await session.tree({ limit: 100 })),
      import: async () => this.check(report, await user.import(Buffer.from(text))),
      export: async () => {
        let all = "";
        for await (const piece of session.export(format)) all += piece;
        this.check(text, all);
      },
      models: async () => this.check(models, await this.engine.models()),
      usage: async () => this.check(usage, await user.usage({ by })),
      limits: async () => this.check(limits, await user.limits({ limitKeys })),
      asked: async () => this.check({ times, messages: messages ?? "*" }, this.asked()),
      reopen: async () => (this.replies.clear(), await this.engine.close(), (this.engine = this.open(persona))),
    };
    const failure = await verbs[verb]().then(() => null, (error) => error);
    if (failure !== null && !(failure instanceof CatgptError)) throw failure;
    this.check(error, JSON.parse(JSON.stringify(failure)));
  }
}

/** Plays what comes before a crash in a process that then kills itself. */
function killed(name, memory) {
  const { stdout, stderr, signal } = spawnSync(process.execPath, [process.argv[1], name, memory], { encoding: "utf8" });
  assert.equal(signal, "SIGKILL", stderr);
  return JSON.parse(stdout);
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
    // Our store in JavaScript keeps no ledger and counts nothing.
    if (!says(name, "crash") && !read(name).limits) test(`${name} on a Map`, { timeout: 60_000 }, () => play(name, new MapMemory()));
    if (!says(name, "crash") && !says(name, "reopen")) test(`${name} in memory`, { timeout: 60_000 }, () => play(name, "memory:"));
  }
}

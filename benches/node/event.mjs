/** The cost of an event from the engine to `for await`, against a queue written in JavaScript. `event.mjs WHO burst|paced` */
import { setTimeout as sleep } from "node:timers/promises";
import { Engine } from "catgpt-node";
import { Scripted } from "catgpt-node/testing";
import { all, measure } from "./kit.mjs";

const [who, mode] = process.argv.slice(2);
const PACED = { streams: 200, events: 200, pause: 20 };
const BURST = { replies: 200, events: 500 };

/** The floor: a queue, one promise where it is empty, an async generator. */
class Queue {
  #items = [];
  #wake;
  push(item) {
    this.#items.push(item);
    this.#wake?.();
  }
  async *[Symbol.asyncIterator]() {
    for (;;) {
      if (this.#items.length === 0) await new Promise((resolve) => (this.#wake = resolve));
      const items = this.#items;
      this.#items = [];
      for (const item of items) {
        if (item.type === "finished") return;
        yield item;
      }
    }
  }
}

async function floor(events, pause, batch) {
  const queue = new Queue();
  const produce = async () => {
    for (let n = 0; n < events; n++) {
      queue.push({ type: n % 2 ? "text" : "reasoning", text: "hello ", offset: n });
      if (pause) await sleep(pause);
      else if (n % batch === 0) await new Promise(setImmediate);
    }
    queue.push({ type: "finished" });
  };
  void produce();
  let seen = 0;
  for await (const event of queue) seen += event.text ? 1 : 0;
  return seen;
}

const sum = (counts) => counts.reduce((a, b) => a + b, 0);
const engine = (model) => new Engine({ model, memory: "memory:" }).user("alice");

const works = {
  "floor burst": () => floor(BURST.replies * BURST.events, 0, 256),
  "floor paced": async () => sum(await all(PACED.streams, () => floor(PACED.events, PACED.pause))),
  // Kinds that change with each event can't be merged, so each is one; the turn stands still while it is read again and again.
  "catgpt burst": async () => {
    const pieces = Array.from({ length: BURST.events }, (_, n) => ({ [n % 2 ? "text" : "reasoning"]: "hello " }));
    const session = engine(new Scripted([...pieces, { hang: true }])).session("chat");
    const { turn } = await session.send("Hi");
    let seen = 0;
    for (let n = 0; n < BURST.replies; n++) {
      let left = BURST.events;
      for await (const event of await session.attach(turn)) if (event.text && --left === 0) break;
      seen += BURST.events;
    }
    return seen;
  },
  "catgpt paced": async () => {
    const pieces = Array.from({ length: PACED.events }, () => [{ delay_ms: PACED.pause }, { text: "hello " }]).flat();
    const user = engine(new Scripted([...pieces, { finish: "stop" }]));
    const one = async (n) => {
      let seen = 0;
      for await (const event of await user.session(`${n}`).send("Hi")) seen += event.type === "text" ? 1 : 0;
      return seen;
    };
    return sum(await all(PACED.streams, one));
  },
};

await measure(works[`${who} ${mode}`]);

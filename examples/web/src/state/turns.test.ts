import { beforeEach, describe, expect, it, vi } from "vitest";
import type { Api, Ask, ChatEvent, Failure, History, Message, Watch } from "../api/types";
import { textOf } from "./content";
import { Store } from "./store";
import { Turns } from "./turns";

/** A watch that says what it is told to, when it is told. */
class Script {
  readonly #waiting: (ChatEvent | Failure)[] = [];
  #wake = () => {};

  say(...events: (ChatEvent | Failure)[]): void {
    this.#waiting.push(...events);
    this.#wake();
  }

  async *watch(signal: AbortSignal): Watch {
    signal.addEventListener("abort", () => this.#wake());
    while (!signal.aborted) {
      for (let next; (next = this.#waiting.shift()); ) {
        if ("kind" in next) throw next;
        yield next;
        if (next.type === "finished") return;
      }
      await new Promise<void>((done) => (this.#wake = done));
    }
  }
}

const message = (seq: number, role: Message["role"], text: string, status: Message["status"] = "complete"): Message => ({
  seq, parent: seq === 0 ? null : seq - 1, role, status, content: text === "" ? [] : [{ type: "text", text }], created_ms: 0,
});
const started = (session = "c", turn = "t"): ChatEvent => ({ type: "started", turn, session, user_seq: 0, reply_seq: 1, offset: 0 });
const text = (text: string, offset: number): ChatEvent => ({ type: "text", text, offset });
const finished = (stored: number): ChatEvent => ({ type: "finished", status: "complete", stored, offset: stored });
const busy: Failure = { kind: "busy", message: "", turn: "other" };

let store: Store;
let turns: Turns;
let script: Script;
let history: History;
let asked: Ask[];
let attached: { turn: string; offset: number }[];
let signals: AbortSignal[];
let stopped: string[];
let addresses: string[];

beforeEach(() => {
  store = new Store();
  script = new Script();
  history = { messages: [], siblings: {}, running: null, more: false };
  [asked, attached, signals, stopped, addresses] = [[], [], [], [], []];
  const watch = (signal: AbortSignal) => (signals.push(signal), script.watch(signal));
  const api = {
    ask: (ask: Ask, signal: AbortSignal) => (asked.push(ask), watch(signal)),
    attach: (_chat: string, turn: string, offset: number, signal: AbortSignal) => (attached.push({ turn, offset }), watch(signal)),
    history: async () => history,
    stop: async (_chat: string, turn: string) => void stopped.push(turn),
    select: async () => {},
  } as unknown as Api;
  let keys = 0;
  turns = new Turns(api, store, { paint: (work) => work(), replace: (hash) => addresses.push(hash), newKey: () => `key-${++keys}` });
  vi.stubGlobal("requestAnimationFrame", (work: () => void) => setTimeout(work));
  vi.stubGlobal("cancelAnimationFrame", clearTimeout);
});

const shown = () => store.get().conversation;
const until = (check: () => void) => vi.waitFor(check, { timeout: 30_000 });
const draft = (chat: string) => store.get().drafts[chat] ?? "";

describe("sending", () => {
  it("shows the message at once, learns the chat, and ends with the stored answer", async () => {
    const sent = turns.send("hi");
    expect(shown().pending?.ask).toMatchObject({ type: "send", chat: null, text: "hi" });
    script.say(started(), text("Hello", 5), finished(5));
    await sent;
    expect(addresses).toEqual(["#/c/c"]);
    expect(shown()).toMatchObject({ chat: "c", pending: null, live: null });
    expect(shown().messages.map((one) => textOf(one.content))).toEqual(["hi", "Hello"]);
    expect(store.get().announced).toEqual({ seq: 1, status: "complete", text: "Hello" });
    expect(store.get().chats.items).toMatchObject([{ id: "c", running: null }]);
  });

  it("gives a refused message back, and asks with the same key again", async () => {
    script.say(busy);
    await turns.send("hi");
    expect([shown().pending, draft("new"), store.get().banner?.failure]).toEqual([null, "hi", busy]);
    const again = turns.send("hi");
    script.say(started(), finished(0));
    await again;
    expect(asked.map((ask) => ask.key)).toEqual(["key-1", "key-1"]);
    const third = turns.send("hi");
    script.say(finished(0));
    await third;
    expect(asked[2]?.key).toBe("key-2");
  });

  it("puts a refused message before what was written meanwhile", async () => {
    const sent = turns.send("first");
    store.dispatch({ type: "drafted", chat: "new", text: "second" });
    script.say(busy);
    await sent;
    expect(draft("new")).toBe("first\nsecond");
  });

  it("does not send while an answer runs", async () => {
    void turns.send("one");
    await turns.send("two");
    expect(asked).toHaveLength(1);
  });
});

describe("stopping", () => {
  it("before the turn is known waits for it", async () => {
    void turns.send("hi");
    await turns.stop();
    expect(stopped).toEqual([]);
    script.say(started());
    await until(() => expect(stopped).toEqual(["t"]));
  });

  it("stops a turn that has begun but is not drawn yet", async () => {
    vi.stubGlobal("requestAnimationFrame", () => 0);
    void turns.send("hi");
    script.say(started());
    await until(() => expect(store.get().chats.items).toHaveLength(1));
    expect(shown().pending).not.toBeNull();
    await turns.stop();
    expect(stopped).toEqual(["t"]);
  });

  it("stops the turn that runs", async () => {
    void turns.send("hi");
    script.say(started());
    await until(() => expect(shown().live?.turn).toBe("t"));
    await turns.stop();
    expect(stopped).toEqual(["t"]);
  });
});

describe("leaving", () => {
  it("lets a turn that began go on unwatched", async () => {
    void turns.send("hi");
    script.say(started());
    await until(() => expect(shown().live).not.toBeNull());
    await turns.open(null);
    expect([signals[0]?.aborted, stopped]).toEqual([true, []]);
  });

  it("does not cut off a message that is on its way, and does not show it elsewhere", async () => {
    void turns.send("hi");
    await turns.open("other");
    expect(signals[0]?.aborted).toBe(false);
    script.say(started());
    await until(() => expect(signals[0]?.aborted).toBe(true));
    expect([addresses, shown().chat, shown().messages]).toEqual([[], "other", []]);
    expect(store.get().chats.items[0]).toMatchObject({ id: "c", running: "t" });
  });

  it("gives a message that was refused after leaving back to its own chat", async () => {
    await turns.open("c");
    void turns.send("hi");
    await turns.open("other");
    script.say(busy);
    await until(() => expect(draft("c")).toBe("hi"));
    expect([draft("other"), store.get().banner]).toEqual(["", null]);
  });
});

describe("coming back", () => {
  const running = { messages: [message(0, "user", "hi"), message(1, "assistant", "Hé", "running")], siblings: {}, running: "t", more: false };

  it("attaches where the stored text ends", async () => {
    history = running;
    await turns.open("c");
    expect(attached).toEqual([{ turn: "t", offset: 3 }]);
    script.say(text("llo", 6), finished(6));
    await until(() => expect(shown().messages.at(-1)).toMatchObject({ status: "complete", content: [{ type: "text", text: "Héllo" }] }));
  });

  it("reads the history again after a gap, and attaches from there", async () => {
    history = running;
    await turns.open("c");
    history = { ...running, messages: [message(0, "user", "hi"), message(1, "assistant", "Hello you", "running")] };
    script.say(text("you", 99));
    await until(() => expect(attached).toEqual([{ turn: "t", offset: 3 }, { turn: "t", offset: 9 }]));
    expect([signals[0]?.aborted, signals[1]?.aborted]).toEqual([true, false]);
  });

  it("says so when the connection is gone for good, and takes it up again on demand", async () => {
    history = running;
    await turns.open("c");
    script.say({ kind: "offline", message: "" });
    await until(() => expect(store.get().banner).toMatchObject({ retry: "reload", failure: { kind: "offline" } }));
    await turns.reload();
    expect(attached).toHaveLength(2);
  });

  it("tells a chat that is not there", async () => {
    const api = { history: () => Promise.reject({ kind: "not_found", message: "" }) } as unknown as Api;
    await new Turns(api, store, { paint: (work) => work(), replace: () => {}, newKey: () => "k" }).open("foreign");
    expect(shown()).toMatchObject({ chat: "foreign", phase: "missing" });
  });

  it("asks again for a page that events overtook", async () => {
    await turns.open("c");
    let answer: (page: History) => void = () => {};
    const slow = new Promise<History>((done) => (answer = done));
    let calls = 0;
    const api = { history: () => (calls++ === 0 ? slow : Promise.resolve(running)), attach: (_c: string, _t: string, _o: number, signal: AbortSignal) => script.watch(signal) } as unknown as Api;
    const other = new Turns(api, store, { paint: (work) => work(), replace: () => {}, newKey: () => "k" });
    const read = other.reload();
    store.dispatch({ type: "newest", chat: "c", history: running });
    answer({ messages: [], siblings: {}, running: null, more: false });
    await read;
    expect([calls, shown().messages.length]).toEqual([2, 2]);
  });
});

import { describe, expect, it } from "vitest";
import type { ChatEvent, History, Message } from "../api/types";
import { skip, textOf } from "./content";
import { conversation, noConversation, type Conversation, type ConversationAction } from "./conversation";

const said = (seq: number, text: string, parent: number | null): Message => ({
  seq, parent, role: "user", status: "complete", content: [{ type: "text", text }], created_ms: 0,
});
const reply = (seq: number, text: string, status: Message["status"] = "complete"): Message => ({
  seq, parent: seq - 1, role: "assistant", status, content: text === "" ? [] : [{ type: "text", text }], created_ms: 0,
});
const page = (messages: Message[], more: Partial<History> = {}): History => ({ messages, siblings: {}, running: null, more: false, ...more });
const started = (turn: string, user_seq: number | null, reply_seq: number): ChatEvent => ({ type: "started", turn, session: "c", user_seq, reply_seq, offset: 0 });
const text = (text: string, offset: number): ChatEvent => ({ type: "text", text, offset });
const finished = (stored: number, status: Message["status"] = "complete"): ChatEvent => ({ type: "finished", status, stored, offset: stored });

const run = (state: Conversation, ...actions: ConversationAction[]): Conversation => actions.reduce(conversation, state);
const events = (turn: string, ...events: ChatEvent[]): ConversationAction => ({ type: "events", turn, key: "k", events, now: 1 });
const ask: ConversationAction = { type: "asked", ask: { type: "send", chat: "c", text: "hi", key: "k" } };
const open: ConversationAction = { type: "opened", chat: "c" };
const newest = (history: History): ConversationAction => ({ type: "newest", chat: "c", history });

const seqs = (state: Conversation) => state.messages.map((message) => message.seq);
const last = (state: Conversation) => textOf(state.live?.content ?? state.messages.at(-1)!.content);

describe("a turn", () => {
  const begun = run(noConversation, open, newest(page([])), ask, events("t", started("t", 0, 1)));

  it("turns the optimistic message into the stored one", () => {
    expect(begun.pending).toBeNull();
    expect(begun.messages.map((message) => [message.seq, message.parent, message.role])).toEqual([[0, null, "user"], [1, 0, "assistant"]]);
    expect(begun.live).toMatchObject({ turn: "t", seq: 1, offset: 0 });
  });

  it("leaves the messages as they are while it grows, so that only the live one is drawn", () => {
    const grown = run(begun, events("t", text("Hel", 3)), events("t", text("lo", 5)));
    expect(grown.messages).toBe(begun.messages);
    expect(last(grown)).toBe("Hello");
  });

  it("drops what it has, wherever a repetition begins, also within a character of several bytes", () => {
    const whole = "a🐈b";
    for (let at = 0; at <= 5; at++) {
      const seen = run(begun, events("t", text("a🐈", 5)), events("t", text(skip(whole, at), 6), text(whole, 6), finished(6)));
      expect(textOf(seen.messages.at(-1)!.content)).toBe(whole);
    }
    const twice = run(begun, events("t", text("a", 1), text("a🐈", 5), text("🐈b", 6)));
    expect(last(twice)).toBe(whole);
  });

  it("counts every other part as one", () => {
    const part: ChatEvent = { type: "part", part: { type: "citation", url: "https://example.com" }, offset: 3 };
    const call: ChatEvent = { type: "tool_call", id: "1", name: "f", arguments: {}, offset: 4 };
    const state = run(begun, events("t", text("ab", 2), part, part, call, text("c", 5), call));
    expect(state.live?.content.map((one) => one.type)).toEqual(["text", "citation", "tool_call", "text"]);
  });

  it("is stale after a gap", () => {
    expect(run(begun, events("t", text("late", 9))).stale).toBe(true);
  });

  it("cuts back to what was stored, and is stale if more was", () => {
    const cut = run(begun, events("t", text("Hello", 5), finished(3, "interrupted")));
    expect(cut.messages.at(-1)).toMatchObject({ status: "interrupted", content: [{ type: "text", text: "Hel" }] });
    expect([cut.live, cut.stale, cut.ended]).toEqual([null, false, "t"]);
    expect(run(begun, events("t", text("Hel", 3), finished(9))).stale).toBe(true);
  });

  it("ignores events of another turn, and everything after its end", () => {
    const ended = run(begun, events("t", text("a", 1), finished(1)));
    expect(run(ended, events("t", text("b", 2), finished(2)))).toEqual(ended);
    expect(run(begun, events("other", text("b", 2)))).toEqual(begun);
  });

  it("shows that the model is asked again, until it speaks", () => {
    const retrying: ChatEvent = { type: "retrying", attempt: 1, after_ms: 5, error: { kind: "timeout", message: "" }, offset: 0 };
    const state = run(begun, events("t", retrying));
    expect(state.live?.retrying).toMatchObject({ attempt: 1 });
    expect(run(state, events("t", text("a", 1))).live?.retrying).toBeNull();
  });
});

describe("a refusal", () => {
  it("takes the optimistic message back, and the old ones are as before", () => {
    const before = run(noConversation, open, newest(page([said(0, "a", null), reply(1, "b")])));
    const after = run(before, ask, { type: "refused", key: "k" });
    expect(after).toEqual(before);
    expect(run(before, ask, { type: "refused", key: "another" }).pending).not.toBeNull();
  });

  it("opens the field again in which a message was edited", () => {
    const before = run(noConversation, open, newest(page([said(0, "a", null), reply(1, "b")])));
    const edit: ConversationAction = { type: "asked", ask: { type: "edit", chat: "c", seq: 0, text: "x", key: "k" } };
    expect(run(before, edit, { type: "refused", key: "k" }).editing).toEqual({ seq: 0, text: "x" });
  });
});

describe("two tabs", () => {
  it("do not show a message twice when the history is faster than the acknowledgement", () => {
    const known = page([said(0, "hi", null), reply(1, "He", "running")], { running: "t" });
    const state = run(noConversation, open, newest(page([])), ask, newest(known), events("t", started("t", 0, 1), text("Hello", 5)));
    expect(seqs(state)).toEqual([0, 1]);
    expect(last(state)).toBe("Hello");
  });

  it("follow a turn that the other began, from where the stored text ends", () => {
    const state = run(noConversation, open, newest(page([said(0, "hi", null), reply(1, "Hé", "running")], { running: "t" })));
    expect(state.live).toMatchObject({ turn: "t", seq: 1, offset: 3 });
    const more = run(state, { type: "events", turn: "t", events: [started("t", 0, 1), text("é!", 4)], now: 1 });
    expect(last(more)).toBe("Hé!");
  });

  it("read the history again at a start of which they hold nothing", () => {
    const state = run(noConversation, open, newest(page([])), { type: "events", turn: "t", events: [started("t", 0, 1)], now: 1 });
    expect([state.stale, state.live]).toEqual([true, null]);
  });

  it("keep what is further than the page that was read", () => {
    const begun = run(noConversation, open, newest(page([])), ask, events("t", started("t", 0, 1), text("Hello", 5)));
    const behind = page([said(0, "hi", null), reply(1, "He", "running")], { running: "t" });
    expect(last(run(begun, newest(behind)))).toBe("Hello");
    const ended = run(begun, events("t", finished(5)), newest(behind));
    expect([ended.live, ended.messages.at(-1)?.status]).toEqual([null, "complete"]);
  });
});

describe("branches", () => {
  const before = run(noConversation, open, newest(page([said(0, "a", null), reply(1, "b"), said(2, "c", 1), reply(3, "d")])));

  it("an edit replaces what followed, beside the old message", () => {
    const edit: ConversationAction = { type: "asked", ask: { type: "edit", chat: "c", seq: 2, text: "x", key: "k" } };
    const state = run(before, edit, events("t", started("t", 4, 5)));
    expect(seqs(state)).toEqual([0, 1, 4, 5]);
    expect(state.siblings).toEqual({ 4: [2, 4] });
    expect(state.messages[2]).toMatchObject({ parent: 1, content: [{ type: "text", text: "x" }] });
  });

  it("another answer stands beside the old one, and a third beside both", () => {
    const again = (seq: number): ConversationAction => ({ type: "asked", ask: { type: "regenerate", chat: "c", seq, key: "k" } });
    const second = run(before, again(3), events("t", started("t", null, 4), finished(0)));
    expect(seqs(second)).toEqual([0, 1, 2, 4]);
    const third = run(second, again(4), events("u", started("u", null, 5)));
    expect(third.siblings[5]).toEqual([3, 4, 5]);
  });

  it("a selected branch replaces the shown one where they part", () => {
    const other = page([said(0, "a", null), reply(1, "b"), said(4, "x", 1), { ...reply(5, "y"), parent: 4 }], { siblings: { 4: [2, 4] } });
    const state = run(before, newest(other));
    expect(seqs(state)).toEqual([0, 1, 4, 5]);
    expect(state.messages[0]).toBe(before.messages[0]);
  });
});

describe("long chats", () => {
  const all = Array.from({ length: 100 }, (_, seq) => (seq % 2 === 0 ? said(seq, `q${seq}`, seq === 0 ? null : seq - 1) : reply(seq, `a${seq}`)));
  const opened = run(noConversation, open, newest(page(all.slice(50), { more: true })));
  const older: ConversationAction = { type: "older", chat: "c", history: page(all.slice(0, 50)) };

  it("grow upwards, and only by what joins", () => {
    expect(seqs(run(opened, older))).toEqual(all.map((message) => message.seq));
    expect(run(opened, older, older)).toEqual(run(opened, older));
  });

  it("keep the older pages when the newest is read again", () => {
    const state = run(opened, older, newest(page(all.slice(60), { more: true })));
    expect(state.messages).toHaveLength(100);
    expect(state.more).toBe(false);
  });

  it("forget them when the newest page does not follow from them", () => {
    const other = all.slice(0, 10).map((message) => ({ ...message, seq: message.seq + 200, parent: message.seq + 199 }));
    const state = run(opened, newest(page(other, { more: true })));
    expect([state.messages.length, state.more]).toEqual([10, true]);
  });
});

it("takes nothing that belongs to another chat", () => {
  const state = run(noConversation, { type: "opened", chat: "other" });
  expect(run(state, newest(page([said(0, "a", null)])))).toBe(state);
  expect(run(state, { type: "missing", chat: "c" })).toBe(state);
});

/** Both kinds of sockets: the same turn, through the frames of each. */

import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { Auth } from "./auth.ts";
import type { Http } from "./http.ts";
import type { Frame, SocketOptions } from "./socket.ts";
import { CAPABILITIES, client, fakeFetch, json, memoryStore } from "./testing/server.ts";
import { shown, since, turn, WHOLE } from "./testing/turns.ts";
import { type FakeWire, wires } from "./testing/wire.ts";
import type { Ask, ChatEvent } from "./types.ts";
import { WsRequestApi } from "./ws-request.ts";
import { WsTaskApi } from "./ws-task.ts";

const EVENTS = turn("t1", "c1");
const never = new AbortController().signal;
const SEND: Ask = { type: "send", chat: null, text: "Hi", key: "k1" };

interface Kind {
  make: (create: SocketOptions["create"], http?: Http) => WsRequestApi | WsTaskApi;
  /** The frames that answer a command with these events. */
  frames: (command: Frame, events: ChatEvent[]) => Frame[];
  isAttach: (frame: Frame) => boolean;
  offset: (frame: Frame) => number;
  refusal: (command: Frame, kind: string) => Frame;
  url: string;
}

function http() {
  const { fetch } = fakeFetch(() => json({ access_token: "jwt", expires_in: 900, user_id: "guest:1" }));
  const auth = new Auth("", "slot", memoryStore(), fetch);
  return client(() => json({}), auth).http;
}

const request: Kind = {
  make: (create, to = http()) => new WsRequestApi(CAPABILITIES, to, create),
  frames: ({ requestId }, events) =>
    events.map((event) => {
      const place = { requestId, conversationId: "c1", turn: "t1" };
      return event.type === "text" ? { ...place, content: event.text, offset: event.offset } : { ...place, event };
    }),
  isAttach: (frame) => frame.type === "attach" && frame.turn === "t1",
  offset: (frame) => Number(frame.offset),
  refusal: ({ requestId }, kind) => ({ requestId, error: { kind, message: "no" } }),
  url: "ws://page.test/ws",
};

const task: Kind = {
  make: (create, to = http()) => new WsTaskApi(CAPABILITIES, to, create),
  frames: ({ key, action }, events) => {
    const place = { task_id: "t1", chat_id: "c1" };
    const said = { type: "message", message: { id: "1", content: "Hi", is_ai: false, timestamp: 0 }, ...place, key };
    const frames = events.map((event): Frame => {
      if (event.type === "text") return { type: "token", token: event.text, offset: event.offset, ...place };
      if (event.type !== "finished") return { type: "event", event, ...place };
      const { status, stored, error, usage } = event;
      return { type: "generation_complete", status, stored, error, usage, message_id: "2", ...place };
    });
    return action === "send_message" ? [said, ...frames] : frames;
  },
  isAttach: (frame) => frame.action === "attach" && frame.task_id === "t1",
  offset: (frame) => Number(frame.offset),
  refusal: ({ key }, kind) => ({ type: "error", message: "no", kind, key }),
  url: "ws://page.test/ws/guest%3A1",
};

describe.each([["ws-request", request], ["ws-task", task]])("%s", (_name, kind) => {
  beforeEach(() => void vi.spyOn(Math, "random").mockReturnValue(0));
  afterEach(() => void vi.restoreAllMocks());

  /** Answers as a back end does; the first connection breaks after so many frames. */
  function api(after = Infinity) {
    const { all, create } = wires((frame: Frame, wire: FakeWire, connection: number) => {
      if (frame.type === "refresh" || frame.type === "ping") return;
      const events = kind.isAttach(frame) ? since(EVENTS, kind.offset(frame)) : EVENTS;
      const answers = kind.frames(frame, events);
      const sent = connection === 0 ? answers.slice(0, after) : answers;
      for (const answer of sent) wire.say(answer);
      if (sent.length < answers.length) wire.drop();
    });
    return { it: kind.make(create), all };
  }

  test("a turn is shown whole", async () => {
    const { it, all } = api();
    expect(await shown(it.ask(SEND, never))).toEqual(WHOLE);
    expect([all[0]?.url, all[0]?.protocols]).toEqual([kind.url, ["catgpt", "jwt"]]);
  });

  test("a connection that breaks after any frame is taken up where it broke", async () => {
    for (let after = 0; after < EVENTS.length; after += 1) {
      const { it, all } = api(after);
      expect(await shown(it.ask(SEND, never)), `after ${after}`).toEqual(WHOLE);
      const keys = all.flatMap((wire) => wire.sent.flatMap(({ key }) => (key === undefined ? [] : [key])));
      expect(new Set(keys)).toEqual(new Set(["k1"]));
    }
  });

  test("a refusal reaches who asked, and nobody else", async () => {
    const { all, create } = wires((frame, wire) => {
      if (frame.key === "bad") wire.say(kind.refusal(frame, "busy"));
      else for (const answer of kind.frames(frame, EVENTS)) wire.say(answer);
    });
    const it = kind.make(create);
    const good = shown(it.ask(SEND, never));
    await expect(shown(it.ask({ ...SEND, key: "bad" } as Ask, never))).rejects.toMatchObject({ kind: "busy" });
    expect(await good).toEqual(WHOLE);
    expect(all).toHaveLength(1);
  });

  test("a turn is attached to at an offset", async () => {
    const { it } = api();
    const got = await shown(it.attach("c1", "t1", EVENTS[3]?.offset ?? 0, never));
    expect(got.started).toBe(0);
    expect(WHOLE.text.endsWith(got.text)).toBe(true);
    expect(got.status).toBe("complete");
  });

  test("edit and regenerate are shown as well", async () => {
    const { it } = api();
    expect(await shown(it.ask({ type: "edit", chat: "c1", seq: 1, text: "Ho", key: "k2" }, never))).toEqual(WHOLE);
    expect(await shown(it.ask({ type: "regenerate", chat: "c1", seq: 2, key: "k3" }, never))).toEqual(WHOLE);
  });

  test("another user has a socket of its own, and a fresh token keeps the old one", async () => {
    const { all, create } = wires();
    let made = 0;
    const { fetch } = fakeFetch(({ path }) => {
      const user_id = path === "/auth/login" ? "user:tom" : "guest:1";
      return json({ access_token: `jwt-${(made += 1)}`, expires_in: 900, user_id });
    });
    const auth = new Auth("", "slot", memoryStore(), fetch);
    kind.make(create, client(() => json({}), auth).http);
    await vi.waitFor(() => expect(all[0]?.onmessage).toBeTypeOf("function"), { timeout: 30_000 });
    await auth.renew("jwt-1");
    expect(all[0]?.closed).toBe(null);
    await auth.signIn("tom", "pw");
    await vi.waitFor(() => expect(all).toHaveLength(2), { timeout: 30_000 });
    expect([all[0]?.closed, all[1]?.protocols]).toEqual([4000, ["catgpt", "jwt-3"]]);
  });
});

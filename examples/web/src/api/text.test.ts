import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { type Asked, body, CAPABILITIES, client, json } from "./testing/server.ts";
import { bytes, shown, since, sse, turn, WHOLE } from "./testing/turns.ts";
import { TextApi } from "./text.ts";
import type { Ask, ChatEvent, Message } from "./types.ts";

const EVENTS = turn("t1", "7");
const TEXT = WHOLE.text;
const never = new AbortController().signal;
const SEND: Ask = { type: "send", chat: "7", text: "Hi", key: "k1" };

const MESSAGES: Message[] = [
  { seq: 1, parent: null, role: "user", status: "complete", content: [], created_ms: 0, turn: "t1" },
  { seq: 2, parent: 1, role: "assistant", status: "running", content: [], created_ms: 0, turn: "t1", model: "m" },
];

/** The bare text in these chunks, and the engine's API beside it. */
function serving(bare: (times: number) => ReadableStream<Uint8Array>, events = EVENTS) {
  let posts = 0;
  return client((asked: Asked) => {
    if (asked.path === "/api/chat") return new Response(bare((posts += 1)), { headers: { "X-Chat-Id": "7", "X-Turn-Id": "t1" } });
    if (asked.path === "/api/v1/sessions/7/messages") return json({ messages: MESSAGES, siblings: {}, running: "t1", more: false });
    return new Response(body([sse(since(events, Number(asked.query.get("offset"))))]));
  });
}

describe("bare text", () => {
  beforeEach(() => void vi.spyOn(Math, "random").mockReturnValue(0));
  afterEach(() => void vi.restoreAllMocks());

  test("is shown as it comes, and its end comes from the turn", async () => {
    const { http, asked } = serving(() => body([TEXT]));
    const seen: ChatEvent[] = [];
    const got = await shown(new TextApi(CAPABILITIES, http).ask(SEND, never), (event) => seen.push(event));
    expect(got).toEqual({ ...WHOLE, reasoning: "" });
    expect(seen[0]).toEqual({ type: "started", turn: "t1", session: "7", user_seq: 1, reply_seq: 2, model: "m", offset: 0 });
    expect(asked[0]?.body).toEqual({ message: "Hi", key: "k1", chat_id: 7 });
  });

  test("that breaks at any byte goes on in the turn", async () => {
    const whole = new TextEncoder().encode(TEXT);
    for (let cut = 0; cut <= whole.length; cut += 1) {
      const { http } = serving(() => body([whole.subarray(0, cut)], cut % 2 === 0));
      const got = await shown(new TextApi(CAPABILITIES, http).ask(SEND, never));
      expect(got.text, `cut at ${cut}`).toBe(TEXT);
      expect(got).toMatchObject({ started: 1, status: "complete" });
    }
  });

  test("is whole when it comes byte by byte", async () => {
    const single = [...new TextEncoder().encode(TEXT)].map((byte) => Uint8Array.of(byte));
    const { http } = serving(() => body(single));
    expect((await shown(new TextApi(CAPABILITIES, http).ask(SEND, never))).text).toBe(TEXT);
  });

  test("has thoughts where none of its text was read yet", async () => {
    const { http } = serving(() => body([], true));
    expect(await shown(new TextApi(CAPABILITIES, http).ask(SEND, never))).toEqual(WHOLE);
  });

  test("an end that is a failure says so", async () => {
    const error = { kind: "unavailable", message: "the model is away" };
    const half = TEXT.slice(0, 7);
    const failed = EVENTS.slice(0, 3).concat([{ type: "finished", status: "failed", stored: bytes(half), offset: bytes(half), error }]);
    const { http } = serving(() => body([half]), failed);
    const events: ChatEvent[] = [];
    const got = await shown(new TextApi(CAPABILITIES, http).ask(SEND, never), (event) => events.push(event));
    expect(got).toMatchObject({ text: half, status: "failed" });
    expect(events.at(-1)).toMatchObject({ error });
  });

  test("a new chat is numbered by the back end, after the key, which stays the same", async () => {
    const { http, asked } = serving((times) => {
      if (times < 3) throw new TypeError("Failed to fetch");
      return body([TEXT]);
    });
    await shown(new TextApi(CAPABILITIES, http).ask({ ...SEND, chat: null } as Ask, never));
    const bodies = asked.filter(({ path }) => path === "/api/chat").map(({ body }) => body);
    expect(bodies).toEqual(Array(3).fill({ message: "Hi", key: "k1" }));
  });
});

import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { SseApi } from "./sse-send.ts";
import { type Asked, body, CAPABILITIES, client, refused } from "./testing/server.ts";
import { shown, since, sse, turn, WHOLE } from "./testing/turns.ts";
import type { Ask } from "./types.ts";

const EVENTS = turn();
const STREAM = sse(EVENTS);
const never = new AbortController().signal;
const SEND: Ask = { type: "send", chat: null, text: "Hi", key: "k1" };

const stream = (text: string, broken = false) => new Response(body([text], broken));

function serving(post: (asked: Asked, times: number) => Response) {
  let posts = 0;
  return client((asked) => {
    if (asked.method === "POST") return post(asked, (posts += 1));
    return stream(sse(since(EVENTS, Number(asked.query.get("offset")))));
  });
}

const api = ({ http }: ReturnType<typeof client>) => new SseApi(CAPABILITIES, http);

describe("sending over server-sent events", () => {
  // A jitter of nothing: tries follow each other at once.
  beforeEach(() => void vi.spyOn(Math, "random").mockReturnValue(0));
  afterEach(() => void vi.restoreAllMocks());

  test("the page names a new chat", async () => {
    const server = serving(() => stream(STREAM));
    expect(await shown(api(server).ask(SEND, never))).toEqual(WHOLE);
    expect(server.asked[0]).toMatchObject({ path: "/chat", body: { message: "Hi", key: "k1", sessionId: expect.stringMatching(/^[0-9a-f]{32}$/) } });
  });

  test("a connection that breaks at any byte is taken up where it broke", async () => {
    const bytes = new TextEncoder().encode(STREAM);
    for (let cut = 0; cut <= bytes.length; cut += 1) {
      const server = serving((_, times) =>
        times === 1 ? new Response(body([bytes.subarray(0, cut)], cut % 2 === 0)) : stream(STREAM),
      );
      expect(await shown(api(server).ask(SEND, never)), `cut at ${cut}`).toEqual(WHOLE);
      const posts = server.asked.filter((asked) => asked.method === "POST");
      expect(new Set(posts.map((asked) => JSON.stringify(asked.body))).size, "the same question").toBe(1);
      if (posts.length === 2) expect(server.asked).toHaveLength(2);
    }
    // Nine hundred cuts, and a busy machine.
  }, 60_000);

  test("a question whose answer was never heard is asked again with its key", async () => {
    const server = serving((_, times) => {
      if (times < 3) throw new TypeError("Failed to fetch");
      return stream(STREAM);
    });
    expect(await shown(api(server).ask(SEND, never))).toEqual(WHOLE);
    expect(server.asked.map(({ body }) => body.key)).toEqual(["k1", "k1", "k1"]);
  });

  test("a proxy that finds nobody is no answer; a refusal is one", async () => {
    const server = serving((_, times) => (times === 1 ? new Response("<html>", { status: 502 }) : stream(STREAM)));
    expect(await shown(api(server).ask(SEND, never))).toEqual(WHOLE);
    const busy = serving(() => refused("busy", 409, { turn: "t0" }));
    await expect(shown(api(busy).ask(SEND, never))).rejects.toMatchObject({ kind: "busy", turn: "t0" });
    const limited = serving(() => refused("limited", 429, { retry_after_ms: 900, limit: { name: "a minute", unit: "turns", max: 2 } }));
    await expect(shown(api(limited).ask(SEND, never))).rejects.toMatchObject({ kind: "limited", retry_after_ms: 900, limit: "a minute" });
    expect(busy.asked).toHaveLength(1);
  });

  test("edit and regenerate go to the engine", async () => {
    const server = serving(() => stream(STREAM));
    await shown(api(server).ask({ type: "edit", chat: "a/b", seq: 3, text: "No", key: "k2" }, never));
    await shown(api(server).ask({ type: "regenerate", chat: "s", seq: 4, key: "k3" }, never));
    expect(server.asked.map(({ path, body }) => [path, body])).toEqual([
      ["/api/v1/sessions/a%2Fb/turns", { type: "edit", seq: 3, text: "No", key: "k2" }],
      ["/api/v1/sessions/s/turns", { type: "regenerate", seq: 4, key: "k3" }],
    ]);
  });

  test("pictures and models go along when they are asked for", async () => {
    const server = serving(() => stream(STREAM));
    await shown(api(server).ask({ ...SEND, chat: "c", image: true, model: "m" } as Ask, never));
    expect(server.asked[0]?.body).toEqual({ sessionId: "c", message: "Hi", key: "k1", image: true, model: "m" });
  });

  test("attaching begins at an offset, and leaving ends the watching", async () => {
    const server = serving(() => stream(STREAM));
    const from = EVENTS[4]?.offset ?? 0;
    const rest = await shown(api(server).attach("s1", "t1", from, never));
    expect(rest).toMatchObject({ started: 0, reasoning: "", status: "complete" });
    expect(WHOLE.text.endsWith(rest.text)).toBe(true);
    const controller = new AbortController();
    const left = await shown(api(server).attach("s1", "t1", 0, controller.signal), () => controller.abort());
    expect(left).toMatchObject({ started: 1, status: null });
  });
});

import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { connect } from "./connect.ts";
import { SseApi } from "./sse-send.ts";
import { body, CAPABILITIES, client, fakeFetch, json, refused } from "./testing/server.ts";
import type { News } from "./types.ts";
import { WsRequestApi } from "./ws-request.ts";

const api = (handler: Parameters<typeof client>[0]) => {
  const server = client(handler);
  return { ...server, it: new SseApi(CAPABILITIES, server.http) };
};

describe("the engine's HTTP API", () => {
  beforeEach(() => void vi.spyOn(Math, "random").mockReturnValue(0));
  afterEach(() => {
    vi.restoreAllMocks();
    vi.unstubAllGlobals();
  });

  test("each call has its place", async () => {
    const { it, asked } = api(({ path, method }) => {
      if (path.endsWith("/export")) return new Response("# Kyoto");
      if (method === "DELETE" && path.endsWith("/empty")) return json({ deleted: 2 });
      if (path.endsWith("/summary")) return json({ seq: 5, text: "In short." });
      return path.endsWith("/sessions") ? json({ sessions: [], next: null }) : json({ hits: [], next: "n" });
    });
    await it.list("p2");
    await it.history("a b", 7);
    await it.stop("a", "t");
    await it.select("a", 3);
    await it.rename("a", "New");
    await it.pin("a", true);
    await it.remove(["a"]);
    await it.remove(["a", "b"]);
    await it.remove([]);
    expect(await it.removeEmpty()).toBe(2);
    expect(await it.search("kyo to")).toEqual({ hits: [], next: "n" });
    await it.usage();
    expect(await it.summarize("a")).toBe("In short.");
    expect(await (await it.export(null, "jsonl")).text()).toBe("# Kyoto");
    await it.export("a", "markdown");
    expect(asked.map(({ method, path, query, body }) => [`${method} ${path}${query.size ? `?${query}` : ""}`, body])).toEqual([
      ["GET /api/v1/sessions?limit=50&after=p2", {}],
      ["GET /api/v1/sessions/a%20b/messages?last=50&head=7", {}],
      ["POST /api/v1/turns/t/cancel", {}],
      ["POST /api/v1/sessions/a/select", { seq: 3 }],
      ["PATCH /api/v1/sessions/a", { title: "New" }],
      ["PATCH /api/v1/sessions/a", { pinned: true }],
      ["DELETE /api/v1/sessions/a", {}],
      ["POST /api/v1/sessions/delete", { sessions: ["a", "b"] }],
      ["DELETE /api/v1/sessions/empty", {}],
      ["GET /api/v1/search?q=kyo+to", {}],
      ["GET /api/v1/usage?by=day%2Cmodel", {}],
      ["POST /api/v1/sessions/a/summary", {}],
      ["GET /api/v1/export?format=jsonl", {}],
      ["GET /api/v1/sessions/a/export?format=markdown", {}],
    ]);
  });

  test("what may be repeated is, a few times", async () => {
    let left = 2;
    const { it, asked } = api(() => {
      if (left-- > 0) throw new TypeError("Failed to fetch");
      return json({ sessions: [] });
    });
    expect(await it.list()).toEqual({ chats: [], next: null });
    expect(asked).toHaveLength(3);
    const away = api(() => Promise.reject(new TypeError("Failed to fetch")));
    await expect(away.it.list()).rejects.toMatchObject({ kind: "offline" });
    await expect(away.it.summarize("a")).rejects.toMatchObject({ kind: "offline" });
    expect(away.asked.filter(({ path }) => path.endsWith("/summary"))).toHaveLength(1);
    const gone = api(() => refused("not_found", 404));
    await expect(gone.it.history("a")).rejects.toMatchObject({ kind: "not_found", message: "it is not_found" });
    expect(gone.asked).toHaveLength(1);
  });

  test("other words for a refusal are understood", async () => {
    const detail = api(() => json({ detail: "too long" }, 422));
    await expect(detail.it.list()).rejects.toMatchObject({ kind: "invalid_input", message: "too long" });
    const limited = api(() => new Response("slow down", { status: 429, headers: { "retry-after": "3" } }));
    await expect(limited.it.list()).rejects.toMatchObject({ kind: "limited", retry_after_ms: 3000 });
  });

  test("the feed goes on where it was, also before the first news", async () => {
    const news = (n: number) => `id: ${n}\ndata: ${JSON.stringify({ n, kind: "created", session: "s", info: null })}\n\n`;
    const answers = [["id: 6\n\n"], [": still here\n\n", news(7)], [news(8), news(9)]];
    const { it, asked } = api(() => new Response(body(answers[asked.length - 1] ?? [], true)));
    const controller = new AbortController();
    const heard: News[] = [];
    for await (const one of it.feed(controller.signal)) {
      heard.push(one);
      if (one.n === 9) controller.abort();
    }
    expect(heard.map(({ n }) => n)).toEqual([7, 8, 9]);
    expect(asked.map(({ query }) => query.get("after"))).toEqual([null, "6", "7"]);
  });

  test("a page that is hidden lets go of the feed, and asks for what it missed", async () => {
    vi.useFakeTimers();
    const page = Object.assign(new EventTarget(), { visibilityState: "visible" });
    vi.stubGlobal("document", page);
    const open = () => new ReadableStream<Uint8Array>({ start: (to) => to.enqueue(new TextEncoder().encode("id: 6\n\n")) });
    const { it, asked } = api(() => new Response(open()));
    const controller = new AbortController();
    const reading = it.feed(controller.signal)[Symbol.asyncIterator]().next();
    const turn = async (state: string, ms: number) => {
      page.visibilityState = state;
      page.dispatchEvent(new Event("visibilitychange"));
      await vi.advanceTimersByTimeAsync(ms);
    };
    await vi.advanceTimersByTimeAsync(1);
    await turn("hidden", 10_000);
    expect(asked).toHaveLength(1);
    await turn("visible", 10);
    expect(asked.map(({ query }) => query.get("after"))).toEqual([null, "6"]);
    controller.abort();
    await turn("visible", 0);
    expect((await reading).done).toBe(true);
    vi.useRealTimers();
  });
});

describe("connecting", () => {
  afterEach(() => void vi.unstubAllGlobals());

  test("a back end is asked what it speaks", async () => {
    vi.stubGlobal("fetch", fakeFetch(() => json({ ...CAPABILITIES, app: "x" })).fetch);
    const api = await connect("http://page.test");
    expect(api).toBeInstanceOf(SseApi);
    expect(api.capabilities.app).toBe("x");
    expect([api.signIn, api.account]).toEqual([undefined, undefined]);
  });

  test("guests can sign in", async () => {
    vi.stubGlobal("localStorage", { getItem: () => null, setItem: () => {}, removeItem: () => {} });
    vi.stubGlobal("WebSocket", class {});
    vi.stubGlobal("fetch", fakeFetch(() => json({ ...CAPABILITIES, transport: "ws-request", auth: "guest", access_token: "t", expires_in: 9e9, user_id: "g" })).fetch);
    const api = await connect("http://page.test");
    expect(api).toBeInstanceOf(WsRequestApi);
    expect(api.signIn).toBeTypeOf("function");
  });
});

import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { Auth } from "./auth.ts";
import { type Asked, client, fakeFetch, json, memoryStore } from "./testing/server.ts";

let made = 0;

function answer(user = "guest:1", expires_in = 100): Response {
  return json({ access_token: `token-${(made += 1)}`, token_type: "bearer", expires_in, user_id: user });
}

function auth(handler: (asked: Asked) => Response | Promise<Response>, store = memoryStore()) {
  const { fetch, asked } = fakeFetch(handler);
  return { auth: new Auth("", "slot", store, fetch), asked, store, paths: () => asked.map(({ path }) => path) };
}

const sent = (asked: Asked | undefined) => asked?.headers.get("authorization");

describe("a guest's token", () => {
  beforeEach(() => {
    made = 0;
    vi.useFakeTimers();
  });
  afterEach(() => void vi.useRealTimers());

  test("is made once for all who ask, and kept over a reload", async () => {
    const first = auth(() => answer());
    expect(await Promise.all([first.auth.token(), first.auth.token(), first.auth.user()])).toEqual(["token-1", "token-1", "guest:1"]);
    const again = auth(() => answer(), first.store);
    expect(await again.auth.token()).toBe("token-1");
    expect(again.asked).toEqual([]);
  });

  test("is renewed before it ends, by itself", async () => {
    const { auth: it, asked, paths } = auth(() => answer());
    const heard: string[] = [];
    it.onToken(({ access_token }) => heard.push(access_token));
    await it.token();
    await vi.advanceTimersByTimeAsync(69_000);
    expect(paths()).toEqual(["/auth/guest"]);
    await vi.advanceTimersByTimeAsync(2_000);
    expect(paths()).toEqual(["/auth/guest", "/auth/refresh"]);
    expect(sent(asked[1])).toBe("Bearer token-1");
    expect(heard).toEqual(["token-1", "token-2"]);
  });

  test("that is still good is used while the server is away", async () => {
    const { auth: it } = auth(({ path }) => {
      if (path === "/auth/refresh") throw new TypeError("Failed to fetch");
      return answer();
    });
    await it.token();
    await vi.advanceTimersByTimeAsync(80_000);
    expect(await it.token()).toBe("token-1");
    await vi.advanceTimersByTimeAsync(30_000);
    await expect(it.token()).rejects.toMatchObject({ kind: "offline" });
  });

  test("that nobody knows any more makes a new guest", async () => {
    const { auth: it, paths, store } = auth(({ path }) => (path === "/auth/refresh" ? json({ detail: "expired" }, 401) : answer(`guest:${made}`)));
    await it.token();
    expect(await it.renew("token-1")).toBe("token-2");
    expect(paths()).toEqual(["/auth/guest", "/auth/refresh", "/auth/guest"]);
    expect(store.kept.get("slot")).toContain("token-2");
  });

  test("is renewed once, however many calls were refused with it", async () => {
    const { auth: it, paths } = auth(() => answer());
    await it.token();
    expect(await Promise.all([it.renew("token-1"), it.renew("token-1")])).toEqual(["token-2", "token-2"]);
    expect(await it.renew("token-1")).toBe("token-2");
    expect(paths()).toEqual(["/auth/guest", "/auth/refresh"]);
  });

  test("goes with each call; a refused one is made again with another", async () => {
    const { auth: it } = auth(() => answer());
    const server = client((asked) => (sent(asked) === "Bearer token-2" ? json({ ok: true }) : json({}, 401)), it);
    expect(await server.http.json("GET", "/x")).toEqual({ ok: true });
    expect(server.asked.map(sent)).toEqual(["Bearer token-1", "Bearer token-2"]);
    expect(server.asked.some(({ query }) => query.size > 0)).toBe(false);
  });

  test("a store that holds nonsense is an empty one", async () => {
    const store = memoryStore();
    store.setItem("slot", "{");
    expect(await auth(() => answer(), store).auth.token()).toBe("token-1");
  });
});

describe("an account", () => {
  const who = (known: Record<string, string>) => (asked: Asked) => {
    const { name, password } = asked.body as { name: string; password: string };
    if (asked.path === "/auth/guest") return answer();
    if (asked.path === "/auth/me") return json({ user_id: "u", name: "tom" });
    if (asked.path === "/auth/register") return name in known ? json({ detail: "taken" }, 409) : answer("user:new");
    return known[name] === password ? answer("user:tom") : json({ detail: "wrong" }, 401);
  };

  test("is signed in to with the guest's token, which names whose chats are claimed", async () => {
    const { auth: it, asked } = auth(who({ tom: "pw" }));
    await it.signIn("tom", "pw");
    expect(await it.user()).toBe("user:tom");
    expect([asked[1]?.path, sent(asked[1])]).toEqual(["/auth/login", expect.stringMatching(/^Bearer token-/)]);
    expect(await it.account()).toEqual({ name: "tom" });
  });

  test("is made only when that is asked for, and a wrong password is told", async () => {
    const { auth: it } = auth(who({ tom: "pw" }));
    await it.register("ada", "new");
    expect(await it.user()).toBe("user:new");
    await expect(it.signIn("tom", "no")).rejects.toMatchObject({ kind: "unauthorized" });
    await expect(it.register("tom", "no")).rejects.toMatchObject({ kind: "conflict" });
    expect(await it.user()).toBe("user:new");
  });
});

import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { Backoff } from "./backoff.ts";
import { Link } from "./link.ts";
import { type Frame, Socket, type SocketOptions } from "./socket.ts";
import { type FakeWire, wires } from "./testing/wire.ts";

const tick = () => vi.advanceTimersByTimeAsync(0);
const never = new AbortController().signal;

function socket(options: Partial<SocketOptions> = {}, serve?: (frame: Frame, wire: FakeWire, connection: number) => void) {
  const { all, create } = wires(serve);
  const link = new Link();
  const states: string[] = [];
  link.watch((state) => states.push(state));
  const address = async () => ({ url: "ws://page.test/ws", protocols: ["catgpt", "token"] });
  const it = new Socket({ link, address, ping: { type: "ping" }, create, backoff: new Backoff(100, 1000, () => 1), ...options });
  return { it, all, states };
}

async function collect(frames: AsyncIterable<Frame>, into: Frame[]): Promise<unknown> {
  try {
    for await (const frame of frames) into.push(frame);
    return null;
  } catch (error) {
    return error;
  }
}

describe("a socket", () => {
  const network = new EventTarget();
  beforeEach(() => {
    vi.useFakeTimers();
    vi.stubGlobal("addEventListener", network.addEventListener.bind(network));
    vi.stubGlobal("removeEventListener", network.removeEventListener.bind(network));
  });
  afterEach(() => {
    vi.useRealTimers();
    vi.unstubAllGlobals();
  });

  test("has its token as a protocol and not in its address", async () => {
    const { all } = socket();
    await tick();
    expect([all[0]?.url, all[0]?.protocols]).toEqual(["ws://page.test/ws", ["catgpt", "token"]]);
  });

  test("says things when it is open, and all who listen hear all frames", async () => {
    const { it, all } = socket();
    const heard: [Frame[], Frame[]] = [[], []];
    void collect(it.exchange({ n: 1 }, never), heard[0]);
    void collect(it.exchange({ n: 2 }, never), heard[1]);
    await tick();
    expect(all[0]?.sent).toEqual([{ n: 1 }, { n: 2 }]);
    all[0]?.say({ a: 1 });
    await tick();
    expect(heard).toEqual([[{ a: 1 }], [{ a: 1 }]]);
  });

  test("comes back slower each time, and soon after it stood", async () => {
    const times: number[] = [];
    const begin = Date.now();
    const { all, create } = wires();
    const dropping = (url: string, protocols: string[]) => {
      times.push(Date.now() - begin);
      const wire = create(url, protocols);
      if (times.length <= 3) wire.open = () => (wire.drop(), wire);
      return wire;
    };
    socket({ create: dropping, backoff: new Backoff(100, 300, () => 1) });
    await vi.advanceTimersByTimeAsync(1_000);
    expect(times).toEqual([0, 100, 300, 600]);
    all[3]?.drop();
    await vi.advanceTimersByTimeAsync(150);
    expect(times.at(-1)).toBe(1_100);
  });

  test("that breaks fails who listens, tells its code and comes back", async () => {
    const codes: number[] = [];
    const { it, all, states } = socket({ onClose: (code) => void codes.push(code) });
    const heard: Frame[] = [];
    const end = collect(it.exchange({ n: 1 }, never), heard);
    await tick();
    all[0]?.say({ last: true });
    all[0]?.drop(4401);
    expect(await end).toMatchObject({ kind: "offline" });
    expect(heard).toEqual([{ last: true }]);
    await vi.advanceTimersByTimeAsync(1000);
    expect(all).toHaveLength(2);
    expect([codes, states]).toEqual([[4401], ["connecting", "online", "connecting", "online"]]);
  });

  test("is given up when it is silent, and not while it says anything", async () => {
    const { all } = socket({ silenceMs: 10_000 });
    await tick();
    for (let i = 0; i < 5; i += 1) {
      await vi.advanceTimersByTimeAsync(9_000);
      all[0]?.say({ keepAlive: true });
    }
    expect(all).toHaveLength(1);
    await vi.advanceTimersByTimeAsync(11_000);
    expect(all[0]?.closed).toBe(4000);
    expect(all).toHaveLength(2);
  });

  test("is tried at once when the browser is online again, and an open one is asked whether it lives", async () => {
    const { all } = socket({ backoff: new Backoff(1e8, 1e8, () => 1), pongMs: 2_000 });
    await tick();
    all[0]?.drop();
    await vi.advanceTimersByTimeAsync(60_000);
    expect(all).toHaveLength(1);
    network.dispatchEvent(new Event("online"));
    await tick();
    expect(all).toHaveLength(2);
    network.dispatchEvent(new Event("online"));
    expect(all[1]?.sent).toEqual([{ type: "ping" }]);
    await vi.advanceTimersByTimeAsync(2_500);
    expect(all[1]?.closed).toBe(4000);
  });

  test("what waits for a connection can be let go", async () => {
    const { it } = socket({ address: () => new Promise(() => {}) });
    const controller = new AbortController();
    const end = collect(it.exchange({ n: 1 }, controller.signal), []);
    controller.abort();
    expect(await end).toBe(null);
  });
});

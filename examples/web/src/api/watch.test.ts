import { describe, expect, test } from "vitest";
import { Backoff } from "./backoff.ts";
import { offline, Refused } from "./failure.ts";
import { Link } from "./link.ts";
import { shown, since, turn, WHOLE } from "./testing/turns.ts";
import type { ChatEvent } from "./types.ts";
import { insist, Place, type Source, watch } from "./watch.ts";

const soon = () => new Backoff(1, 1, () => 0);
const never = new AbortController().signal;
const EVENTS = turn();
const END = EVENTS.at(-1)?.offset ?? 0;

/** A source whose first connection gives so many events and breaks; the next ones begin at the offset they are asked for. */
function breaking(after: number, from = (place: Place) => place.offset): { source: Source; opened: Place[] } {
  const opened: Place[] = [];
  const source: Source = async function* (place) {
    opened.push(new Place(place.turn, place.offset));
    const events = since(EVENTS, from(place));
    if (opened.length > 1) return yield* events;
    yield* events.slice(0, after);
    throw offline();
  };
  return { source, opened };
}

describe("watching a turn", () => {
  test("a break after any event loses and repeats nothing", async () => {
    for (let after = 0; after <= EVENTS.length; after += 1) {
      const { source } = breaking(after);
      expect(await shown(watch(source, new Place(null, 0), new Link(), never, soon())), `after ${after}`).toEqual(WHOLE);
    }
  });

  test("what is sent again is not shown again, also when it overlaps at any byte", async () => {
    for (let back = 0; back <= END; back += 1) {
      const { source } = breaking(5, (place) => Math.max(0, place.offset - back));
      expect(await shown(watch(source, new Place(null, 0), new Link(), never, soon())), `${back} back`).toEqual(WHOLE);
    }
  });

  test("a stream that just ends is a broken one", async () => {
    let times = 0;
    const source: Source = async function* () {
      times += 1;
      if (times === 3) yield* EVENTS;
    };
    expect(await shown(watch(source, new Place(null, 0), new Link(), never, soon()))).toEqual(WHOLE);
  });

  test("comes back by the turn and the offset it has", async () => {
    const { source, opened } = breaking(4);
    await shown(watch(source, new Place(null, 0), new Link(), never, soon()));
    expect(opened).toEqual([new Place(null, 0), new Place("t1", EVENTS[3]?.offset ?? -1)]);
  });

  test("tells the link what happens", async () => {
    const link = new Link();
    const states: string[] = [];
    link.watch((state) => states.push(state));
    await shown(watch(breaking(3).source, new Place(null, 0), link, never, soon()));
    expect(states).toEqual(["connecting", "online", "connecting", "online"]);
  });

  test("a refusal is thrown, and not tried again", async () => {
    let times = 0;
    const source: Source = async function* () {
      times += 1;
      throw new Refused({ kind: "busy", message: "busy", turn: "t0" });
    };
    await expect(shown(watch(source, new Place(null, 0), new Link(), never, soon()))).rejects.toMatchObject({ kind: "busy", turn: "t0" });
    expect(times).toBe(1);
  });

  test("an abort ends it without an error, also while it waits", async () => {
    const controller = new AbortController();
    const source: Source = async function* () {
      queueMicrotask(() => controller.abort());
      throw offline();
    };
    const slow = new Backoff(1e9, 1e9, () => 1);
    expect((await shown(watch(source, new Place("t1", 0), new Link(), controller.signal, slow))).status).toBe(null);
  });

  test("weightless events pass, known parts do not", () => {
    const place = new Place("t1", 5);
    const title: ChatEvent = { type: "title", title: "x", offset: 0 };
    expect(place.take(title)).toBe(title);
    const part: ChatEvent = { type: "part", part: { type: "citation", url: "a:b" }, offset: 5 };
    expect(place.take(part)).toBe(null);
    expect(place.take({ ...part, offset: 6 })).toEqual({ ...part, offset: 6 });
  });
});

describe("insisting", () => {
  test("goes on until it is heard", async () => {
    let left = 3;
    const attempt = async () => {
      if (left-- > 0) throw offline();
      return "heard";
    };
    expect(await insist(attempt, new Link(), never, soon())).toBe("heard");
  });
});

describe("backoff", () => {
  test("doubles up to a cap, jittered over all of it, and begins again", () => {
    const most = new Backoff(100, 1000, () => 1);
    expect([most.next(), most.next(), most.next(), most.next(), most.next()]).toEqual([100, 200, 400, 800, 1000]);
    most.reset();
    expect(most.next()).toBe(100);
    expect(new Backoff(100, 1000, () => 0).next()).toBe(0);
  });
});

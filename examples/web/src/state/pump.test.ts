import { expect, it } from "vitest";
import type { ChatEvent } from "../api/types";
import { pump, type Clock } from "./pump";

const event = (offset: number): ChatEvent => ({ type: "text", text: "x", offset });

function hands() {
  let now = 0;
  const due: { work: () => void; wait: number }[] = [];
  const drawn: (() => void)[] = [];
  const clock: Clock = {
    later(work, wait) {
      const entry = { work, wait };
      due.push(entry);
      return () => void (due.includes(entry) && due.splice(due.indexOf(entry), 1));
    },
    drawn: (work) => void drawn.push(work),
    now: () => now,
  };
  return { clock, due, drawn, pass: (ms: number) => (now += ms) };
}

it("hands on in one piece what came before a frame", () => {
  const { clock, due } = hands();
  const taken: number[][] = [];
  const it = pump((events) => taken.push(events.map((one) => one.offset)), clock);
  for (const offset of [1, 2, 3]) it.push(event(offset));
  expect([due.length, taken]).toEqual([1, []]);
  due[0]!.work();
  expect([due.length, taken]).toEqual([0, [[1, 2, 3]]]);
});

it("rests twice as long as the drawing took", () => {
  const { clock, due, drawn, pass } = hands();
  const it = pump(() => pass(10), clock);
  it.push(event(1));
  due[0]!.work();
  it.push(event(2));
  expect(due).toHaveLength(0);
  pass(20);
  drawn[0]!();
  expect(due.map((one) => one.wait)).toEqual([60]);
});

it("hands on at once what waits at the end", () => {
  const { clock, due } = hands();
  let count = 0;
  const it = pump((events) => (count += events.length), clock);
  it.push(event(1));
  it.flush();
  it.flush();
  expect([count, due.length]).toEqual([1, 0]);
});

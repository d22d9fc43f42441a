import { expect, it } from "vitest";
import type { Spent } from "../../api/types";
import { byDay, byModel, tokens, total } from "./sums";

const DAY = 86_400_000;
const spent = (day: number, model: string, input: number): Spent => ({
  day_ms: day * DAY, model, calls: 1, usage: { input_tokens: input, output_tokens: 1 }, cost: 0.5,
});
const rows = [spent(100, "a", 5), spent(100, "b", 50), spent(98, "a", 7), spent(3, "a", 1_000)];

it("sums all, and by model with the largest first", () => {
  expect(total(rows)).toMatchObject({ calls: 4, input: 1_062, output: 4, cost: 2 });
  expect(byModel(rows).map((sum) => [sum.name, tokens(sum)])).toEqual([["a", 1_015], ["b", 51]]);
});

it("has every one of the last days, also those without use", () => {
  const days = byDay(rows, 100 * DAY + 5, 3);
  expect(days.map((day) => day.input)).toEqual([7, 0, 55]);
  expect(days[2]?.name).toBe(new Date(100 * DAY).toISOString().slice(0, 10));
});

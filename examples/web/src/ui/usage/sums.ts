/** Sums of what was spent, for the charts. */
import type { Spent } from "../../api/types";

export interface Sum {
  name: string;
  calls: number;
  input: number;
  output: number;
  cost: number;
}

const none = (name: string): Sum => ({ name, calls: 0, input: 0, output: 0, cost: 0 });

const add = (sum: Sum, spent: Spent): Sum => ({
  name: sum.name,
  calls: sum.calls + spent.calls,
  input: sum.input + spent.usage.input_tokens,
  output: sum.output + spent.usage.output_tokens,
  cost: sum.cost + spent.cost,
});

export const total = (rows: Spent[]): Sum => rows.reduce(add, none("all"));

/** By model, the largest first. */
export function byModel(rows: Spent[]): Sum[] {
  const sums = new Map<string, Sum>();
  for (const row of rows) sums.set(row.model ?? "", add(sums.get(row.model ?? "") ?? none(row.model ?? "unknown"), row));
  return [...sums.values()].sort((a, b) => tokens(b) - tokens(a));
}

export const tokens = (sum: Sum): number => sum.input + sum.output;

const DAY_MS = 86_400_000;

/** The last `days` days without a gap, the oldest first; the server's days are UTC. */
export function byDay(rows: Spent[], now: number, days = 30): Sum[] {
  const today = Math.floor(now / DAY_MS);
  const sums = Array.from({ length: days }, (_, index) => none(new Date((today - days + 1 + index) * DAY_MS).toISOString().slice(0, 10)));
  for (const row of rows) {
    const index = Math.floor((row.day_ms ?? now) / DAY_MS) - (today - days + 1);
    const sum = sums[index];
    if (sum !== undefined) sums[index] = add(sum, row);
  }
  return sums;
}

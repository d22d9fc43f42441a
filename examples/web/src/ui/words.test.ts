import { readFileSync } from "node:fs";
import { expect, it } from "vitest";
import { announcement, money, short, span, wordsFor } from "./words";

/** The engine's own list, so that a new kind cannot come without words. */
const source = readFileSync(new URL("../../../../catgpt-core/src/error.rs", import.meta.url), "utf8");
const kinds = [...source.matchAll(/Self::\w+ => "([a-z_]+)"/g)].map((match) => match[1]!);

it("has words for every kind of the engine, and for those of the page", () => {
  expect(kinds.length).toBeGreaterThanOrEqual(17);
  for (const kind of [...kinds, "offline"]) {
    expect(wordsFor({ kind, message: "MESSAGE" }).advice, kind).not.toBe("MESSAGE");
  }
});

it("says of an unknown kind what its message says", () => {
  expect(wordsFor({ kind: "new_kind", message: "so and so" })).toEqual({ title: "Something went wrong", advice: "so and so" });
});

it("reads out an answer without its marks, and how it ended", () => {
  expect(announcement("complete", "## A **b**\n\n```js\nx\n```\nend")).toBe("Answer: A b (code) end");
  expect(announcement("cancelled", "half")).toBe("Stopped. half");
  expect(announcement("complete", "word ".repeat(1_000)).length).toBeLessThan(700);
});

it("writes figures as short as they can be", () => {
  expect([short(999), short(1_000), short(1_250), short(3_400_000)]).toEqual(["999", "1k", "1.3k", "3.4M"]);
  expect([money(0), money(0.0004), money(1.311)]).toEqual(["0", "0.0004", "1.31"]);
  expect([span(900), span(60_000), span(600_000), span(3_600_000), span(86_400_000)]).toEqual(["1 s", "60 s", "10 min", "1 h", "24 h"]);
});

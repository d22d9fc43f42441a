import { expect, it } from "vitest";
import { mend } from "./mend";

it.each([
  ["so **bol", "so **bol**"],
  ["so **", "so "],
  ["so **bold** and *ita", "so **bold** and *ita*"],
  ["**a *b", "**a *b***"],
  ["~~gone", "~~gone~~"],
  ["run `npm i", "run `npm i`"],
  ["run `", "run "],
  ["`a*b` and x", "`a*b` and x"],
  ["snake_case_name", "snake_case_name"],
  ["2 * 3 = 6", "2 * 3 = 6"],
  ["a \\*b", "a \\*b"],
  ["see [the docs](https://exa", "see the docs"],
  ["see [the do", "see the do"],
  ["see [the docs](https://example.com)", "see [the docs](https://example.com)"],
  ["- [x] done", "- [x] done"],
  ["a picture ![of a c", "a picture "],
  ["a\n``", "a\n"],
  ["text\n#", "text\n"],
  ["text\n-", "text\n"],
  ["| a | b |", "| a | b |\n| --- | --- |"],
  ["| a | b |\n| -", "| a | b |\n| --- | --- |"],
  ["| a | b |\n| --- | --- |\n| 1", "| a | b |\n| --- | --- |\n| 1"],
  ["whole.", "whole."],
])("%j is shown as %j", (text, shown) => {
  expect(mend(text).trimEnd()).toBe(shown.trimEnd());
});

it("does not touch the paragraphs before the last", () => {
  expect(mend("- **a\n\n  b *c")).toBe("- **a\n\n  b *c*");
});

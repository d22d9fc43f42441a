import { describe, expect, it } from "vitest";
import { ANSWER } from "../../api/fake-samples";
import { blocks } from "./blocks";

const texts = (markdown: string) => blocks(markdown).map((block) => block.text.trim());

describe("blocks", () => {
  it("cuts at blank lines", () => {
    expect(texts("one\n\n## two\n\nthree\nmore")).toEqual(["one", "## two", "three\nmore"]);
  });

  it("keeps a fence whole, also with blank lines and other fences in it", () => {
    const fence = "````md\n```js\n\nx\n```\n\ny\n````";
    expect(texts(`a\n\n${fence}\n\nb`)).toEqual(["a", fence, "b"]);
  });

  it("keeps a loose list and its indented parts together, and starts anew after it", () => {
    const list = "1. one\n\n   more of one\n\n2. two\n\n```js\nx\n```";
    expect(texts(list)).toEqual(["1. one\n\n   more of one\n\n2. two", "```js\nx\n```"]);
  });

  it("tells an open fence", () => {
    expect(blocks("a\n\n```py\nprint(").at(-1)?.open).toBe(true);
    expect(blocks("a\n\n```py\nprint()\n```").at(-1)?.open).toBe(false);
    expect(blocks("```py\nx\n```js").at(-1)?.open).toBe(true);
  });

  it("does not cut what refers across blocks", () => {
    expect(texts("see [a]\n\nmore\n\n[a]: https://example.com")).toHaveLength(1);
  });

  it("never changes a finished block when more text comes, and loses nothing", () => {
    for (let end = 1; end < ANSWER.length; end++) {
      const before = blocks(ANSWER.slice(0, end)).slice(0, -1);
      const after = blocks(ANSWER);
      expect(after.slice(0, before.length).map((block) => block.text)).toEqual(before.map((block) => block.text));
    }
    expect(blocks(ANSWER).map((block) => block.text).join("\n")).toBe(ANSWER);
  });
});

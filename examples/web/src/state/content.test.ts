import { expect, it } from "vitest";
import type { Part } from "../api/types";
import { append, bytes, cut, isBlank, skip, weight } from "./content";

const CORPUS = ["plain", "naïve", "日本語", "🐈‍⬛ and 👩‍👩‍👧", "שלום\n\tעולם", "\ud83d alone", ""];
const encoder = new TextEncoder();

it.each(CORPUS)("counts the bytes of %j as UTF-8 does", (text) => {
  expect(bytes(text)).toBe(encoder.encode(text).length);
});

it.each(CORPUS)("skips and cuts %j at every byte, by whole characters", (text) => {
  for (let at = 0; at <= bytes(text); at++) {
    const kept = cut([{ type: "text", text }], at).map((part) => (part.type === "text" ? part.text : "")).join("");
    const rest = skip(text, at);
    expect(text.startsWith(kept) && text.endsWith(rest)).toBe(true);
    expect(bytes(kept)).toBeLessThanOrEqual(at);
    expect(bytes(rest)).toBeLessThanOrEqual(bytes(text) - at);
    if (kept + rest === text) expect(bytes(kept)).toBe(at);
  }
});

it("weighs text by its bytes and everything else as one", () => {
  const content: Part[] = [
    { type: "reasoning", text: "é" },
    { type: "tool_call", id: "1", name: "f", arguments: {} },
    { type: "text", text: "ab" },
    { type: "citation", url: "https://example.com" },
  ];
  expect(weight(content)).toBe(6);
  expect(cut(content, 4)).toEqual([...content.slice(0, 2), { type: "text", text: "a" }]);
});

it("has nothing for the reader in what only a provider can read", () => {
  const thought: Part = { type: "provider", provider: "openai", value: { encrypted_content: "x" } };
  expect([isBlank([]), isBlank([thought]), isBlank([thought, { type: "text", text: "a" }])]).toEqual([true, true, false]);
  expect(weight([thought])).toBe(1);
});

it("appends to the last part of the same kind, and begins another for another", () => {
  const one = append([], "reasoning", "a");
  const two = append(append(one, "text", "b"), "text", "c");
  expect(two).toEqual([{ type: "reasoning", text: "a" }, { type: "text", text: "bc" }]);
  expect(append(two, "text", "")).toEqual(two);
});

import { expect, it } from "vitest";
import { href, parse } from "./route";

it.each(["abc", "a/b c", "ключ 🐈", "100%"])("the chat %j comes back from its address", (chat) => {
  expect(parse(href({ page: "chat", chat }))).toEqual({ page: "chat", chat });
});

it.each([["", null], ["#/", null], ["#/c/", null], ["#elsewhere", null], ["#/c/%E0%", "%E0%"]])("%j shows %j", (hash, chat) => {
  expect(parse(hash)).toEqual({ page: "chat", chat });
});

it("the usage has its own", () => {
  expect(parse(href({ page: "usage" }))).toEqual({ page: "usage" });
});

import { expect, it } from "vitest";
import type { Chat, News } from "../api/types";
import { chats, noChats, titleOf, type Chats, type ChatsAction } from "./chats";

const chat = (id: string, updated_ms: number, more: Partial<Chat> = {}): Chat => ({
  id, title: id, pinned: false, archived: false, messages: 2, running: null, created_ms: 0, updated_ms, ...more,
});
const news = (n: number, kind: News["kind"], session: string, info: Chat | null = null, turn?: string): ChatsAction => ({
  type: "news", news: { n, kind, session, info, ...(turn === undefined ? {} : { turn }) },
});
const run = (...actions: ChatsAction[]): Chats => actions.reduce(chats, noChats);
const listed: ChatsAction = { type: "listed", first: true, page: { chats: [chat("a", 3), chat("b", 2), chat("c", 1)], next: "x" } };
const names = (state: Chats) => state.items.map((one) => one.id);

it("lists the pinned first, then the latest", () => {
  expect(names(run(listed, news(1, "updated", "c", chat("c", 1, { pinned: true }))))).toEqual(["c", "a", "b"]);
  expect(names(run(listed, news(1, "turn_begun", "b", chat("b", 9))))).toEqual(["b", "a", "c"]);
});

it("adds a page without doubling what news brought before it", () => {
  const state = run(listed, news(1, "created", "z", chat("z", 9)), { type: "listed", first: false, page: { chats: [chat("z", 9), chat("d", 0)], next: null } });
  expect(names(state)).toEqual(["z", "a", "b", "c", "d"]);
  expect(state.next).toBeNull();
});

it("hears each of the news once", () => {
  const renamed = news(5, "renamed", "a", chat("a", 3, { title: "new" }));
  const state = run(listed, renamed, news(4, "renamed", "a", chat("a", 3, { title: "old" })));
  expect(state.items[0]?.title).toBe("new");
});

it("shows what runs, also of a chat that was just begun, and forgets what was deleted", () => {
  const begun = run(listed, { type: "began", chat: "n", turn: "t", now: 99 });
  expect(begun.items[0]).toMatchObject({ id: "n", title: null, running: "t" });
  expect(titleOf(begun.items[0])).toBe("New chat");
  expect(chats(begun, news(1, "turn_ended", "n", null, "t")).items[0]?.running).toBeNull();
  expect(names(chats(begun, news(2, "deleted", "n")))).toEqual(["a", "b", "c"]);
});

it("drops from a selection what is gone", () => {
  const state = run(listed, { type: "selecting", on: true }, { type: "marked", chat: "a", on: true }, { type: "marked", chat: "b", on: true });
  expect([...chats(state, { type: "removed", chats: ["a"] }).selected!]).toEqual(["b"]);
});

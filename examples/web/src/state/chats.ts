/** The side bar's chats, as a pure reducer: pages of a list, kept right by news. */
import type { Chat, ChatPage, News } from "../api/types";

export interface Chats {
  items: Chat[];
  next: string | null;
  loaded: boolean;
  /** The chats marked for deletion; null while nothing is being selected. */
  selected: ReadonlySet<string> | null;
  /** The last news that was read. */
  n: number;
}

export type ChatsAction =
  | { type: "listed"; page: ChatPage; first: boolean }
  | { type: "news"; news: News }
  | { type: "began"; chat: string; turn: string; now: number }
  | { type: "changed"; chat: string; change: Partial<Chat> }
  | { type: "removed"; chats: string[] }
  | { type: "selecting"; on: boolean }
  | { type: "marked"; chat: string; on: boolean };

export const noChats: Chats = { items: [], next: null, loaded: false, selected: null, n: 0 };

export function chats(state: Chats, action: ChatsAction): Chats {
  switch (action.type) {
    case "listed":
      return listed(state, action.page, action.first);
    case "news":
      return action.news.n <= state.n ? state : { ...told(state, action.news), n: action.news.n };
    case "began":
      return put(state, { ...(state.items.find((chat) => chat.id === action.chat) ?? blank(action)), running: action.turn });
    case "changed":
      return change(state, action.chat, action.change);
    case "removed":
      return removed(state, action.chats);
    case "selecting":
      return { ...state, selected: action.on ? new Set() : null };
    case "marked":
      return { ...state, selected: marked(state.selected ?? new Set(), action.chat, action.on) };
  }
}

function listed(state: Chats, page: ChatPage, first: boolean): Chats {
  const fresh = new Set(page.chats.map((chat) => chat.id));
  const kept = first ? [] : state.items.filter((chat) => !fresh.has(chat.id));
  return { ...state, items: inOrder([...kept, ...page.chats]), next: page.next, loaded: true };
}

function told(state: Chats, news: News): Chats {
  if (news.kind === "deleted") return removed(state, [news.session]);
  if (news.info?.archived === true) return removed(state, [news.session]);
  if (news.info !== null) return put(state, news.info);
  if (news.kind === "turn_begun") return change(state, news.session, { running: news.turn ?? null });
  if (news.kind === "turn_ended") return change(state, news.session, { running: null });
  return state;
}

/** A chat that just came to be, until the news bring what the server says of it. */
const blank = ({ chat, now }: { chat: string; now: number }): Chat => ({
  id: chat,
  title: null,
  pinned: false,
  archived: false,
  messages: 2,
  running: null,
  created_ms: now,
  updated_ms: now,
});

const put = (state: Chats, chat: Chat): Chats => ({
  ...state,
  items: inOrder([chat, ...state.items.filter((other) => other.id !== chat.id)]),
});

const change = (state: Chats, id: string, with_: Partial<Chat>): Chats => ({
  ...state,
  items: inOrder(state.items.map((chat) => (chat.id === id ? { ...chat, ...with_ } : chat))),
});

function removed(state: Chats, gone: string[]): Chats {
  const selected = state.selected && new Set([...state.selected].filter((id) => !gone.includes(id)));
  return { ...state, selected, items: state.items.filter((chat) => !gone.includes(chat.id)) };
}

function marked(selected: ReadonlySet<string>, id: string, on: boolean): ReadonlySet<string> {
  const next = new Set(selected);
  if (on) next.add(id);
  else next.delete(id);
  return next;
}

/** As the server lists them: the pinned first, then the latest. */
const inOrder = (items: Chat[]): Chat[] =>
  items.sort((a, b) => Number(b.pinned) - Number(a.pinned) || b.updated_ms - a.updated_ms || (a.id < b.id ? 1 : -1));

/** What a chat is called. */
export const titleOf = (chat: Chat | undefined): string => chat?.title?.trim() || "New chat";

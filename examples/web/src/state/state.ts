/** All that the page knows, in one value, and the one pure function that changes it. */
import type { Connection, Failure, Status } from "../api/types";
import { chats, noChats, type Chats, type ChatsAction } from "./chats";
import { conversation, noConversation, type Conversation, type ConversationAction } from "./conversation";

export interface Toast {
  id: number;
  text: string;
  /** Where its button leads: the chat of which it speaks. */
  chat: string | null;
}

/** How a message is to be answered. */
export interface Choice {
  image?: boolean;
  model?: string;
  persona?: string;
}

/** What went wrong, and what its button does about it. */
export interface Banner {
  failure: Failure;
  retry: "send" | "reload" | "list" | null;
  /** With `send`: what was chosen for the message. */
  choice?: Choice;
  /** When it came, for the countdown of `retry_after_ms`. */
  at: number;
}

export interface Announcement {
  seq: number;
  status: Status;
  text: string;
}

export interface State {
  chats: Chats;
  conversation: Conversation;
  /** What stands in the composer, by chat; `new` for one that does not exist yet. */
  drafts: Record<string, string>;
  connection: Connection;
  account: { name: string | null } | null;
  banner: Banner | null;
  toasts: Toast[];
  /** The answer that ended last: read out once. */
  announced: Announcement | null;
  page: "chat" | "usage";
  /** A message to be brought into view: a hit of the search. */
  target: number | null;
}

export type Action =
  | ChatsAction
  | ConversationAction
  | { type: "drafted"; chat: string; text: string }
  | { type: "connection"; connection: Connection }
  | { type: "account"; account: State["account"] }
  | { type: "banner"; banner: Banner | null }
  | { type: "settled"; retry: Banner["retry"] }
  | { type: "toast"; toast: Toast }
  | { type: "untoast"; id: number }
  | { type: "announced"; announced: Announcement | null }
  | { type: "page"; page: State["page"] }
  | { type: "target"; seq: number | null };

export const initial: State = {
  chats: noChats,
  conversation: noConversation,
  drafts: {},
  connection: "connecting",
  account: null,
  banner: null,
  toasts: [],
  announced: null,
  page: "chat",
  target: null,
};

export function reduce(state: State, action: Action): State {
  switch (action.type) {
    case "listed":
    case "began":
    case "news":
    case "changed":
    case "removed":
    case "selecting":
    case "marked":
      return { ...state, chats: chats(state.chats, action) };
    case "drafted":
      return { ...state, drafts: { ...state.drafts, [action.chat]: action.text } };
    case "connection":
      return { ...state, connection: action.connection };
    case "account":
      return { ...state, account: action.account };
    case "banner":
      return { ...state, banner: action.banner };
    case "settled":
      // What the banner offered to try again has worked meanwhile.
      return state.banner?.retry === action.retry ? { ...state, banner: null } : state;
    case "toast":
      return { ...state, toasts: [...state.toasts.slice(-3), action.toast] };
    case "untoast":
      return { ...state, toasts: state.toasts.filter((toast) => toast.id !== action.id) };
    case "announced":
      return { ...state, announced: action.announced };
    case "page":
      return { ...state, page: action.page };
    case "target":
      return { ...state, target: action.seq };
    default:
      return { ...state, conversation: conversation(state.conversation, action) };
  }
}

/** The name of a chat's draft. */
export const draftOf = (chat: string | null): string => chat ?? "new";

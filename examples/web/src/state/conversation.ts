/**
 * The chat that is shown, as a pure reducer. Messages are known by their `seq`. While an answer runs, `messages` stays as it
 * is and only `live` changes, so that only the live message is drawn again.
 */
import type { Ask, ChatEvent, Failure, History, Message, Part } from "../api/types";
import { append, bytes, cut, skip, weight } from "./content";
import { merge } from "./merge";

/** What was asked and not yet acknowledged by `started`. */
export interface Pending {
  ask: Ask;
  /** The message from which on the shown branch is replaced; null for a message at the end. */
  from: number | null;
}

/** The answer that is being written. */
export interface Live {
  turn: string;
  seq: number;
  offset: number;
  content: Part[];
  retrying: { attempt: number; after_ms: number; error: Failure } | null;
}

export interface Conversation {
  chat: string | null;
  phase: "loading" | "ready" | "missing";
  messages: Message[];
  siblings: Record<string, number[]>;
  more: boolean;
  pending: Pending | null;
  live: Live | null;
  /** The turn that ended last: late news of it are old. */
  ended: string | null;
  /** Events do not fit to what is held: only the history tells. */
  stale: boolean;
  editing: { seq: number; text: string } | null;
}

export type ConversationAction =
  | { type: "opened"; chat: string | null }
  | { type: "missing"; chat: string }
  | { type: "newest"; chat: string; history: History }
  | { type: "older"; chat: string; history: History }
  | { type: "asked"; ask: Ask }
  | { type: "refused"; key: string }
  | { type: "events"; events: ChatEvent[]; turn: string; key?: string; now: number }
  | { type: "editing"; editing: Conversation["editing"] };

export const noConversation: Conversation = {
  chat: null,
  phase: "ready",
  messages: [],
  siblings: {},
  more: false,
  pending: null,
  live: null,
  ended: null,
  stale: false,
  editing: null,
};

export function conversation(state: Conversation, action: ConversationAction): Conversation {
  switch (action.type) {
    case "opened":
      return { ...noConversation, chat: action.chat, phase: action.chat === null ? "ready" : "loading" };
    case "missing":
      return action.chat === state.chat ? { ...noConversation, chat: action.chat, phase: "missing" } : state;
    case "newest":
      return action.chat === state.chat ? newest(state, action.history) : state;
    case "older":
      return action.chat === state.chat ? older(state, action.history) : state;
    case "asked":
      return { ...state, pending: { ask: action.ask, from: "seq" in action.ask ? action.ask.seq : null }, editing: null };
    case "refused":
      return state.pending?.ask.key === action.key ? refused(state, state.pending.ask) : state;
    case "events":
      return action.events.reduce((now, event) => apply(now, event, action), state);
    case "editing":
      return { ...state, editing: action.editing };
  }
}

/** The optimistic message goes; what was written stands again where it was written. (A new message: in the composer.) */
function refused(state: Conversation, ask: Ask): Conversation {
  return { ...state, pending: null, editing: ask.type === "edit" ? { seq: ask.seq, text: ask.text } : state.editing };
}

/** The newest page of the shown branch: it replaces what it overlaps, older pages stay if they lead to it. */
function newest(state: Conversation, history: History): Conversation {
  const held = state.live === null ? state.messages : withLive(state.messages, state.live);
  const { messages, joined } = merge(held, history.messages);
  const running = history.running === state.ended ? null : history.running;
  return {
    ...state,
    phase: "ready",
    messages,
    siblings: joined ? { ...state.siblings, ...history.siblings } : history.siblings,
    more: joined ? state.more : history.more,
    live: liveOf(messages, running, state.live),
    stale: false,
  };
}

const withLive = (messages: Message[], live: Live): Message[] =>
  messages.map((message) => (message.seq === live.seq ? { ...message, content: live.content } : message));

/** The live answer in these messages; the one that is held stays the same object if it is still right. */
function liveOf(messages: Message[], turn: string | null, held: Live | null): Live | null {
  const reply = messages.at(-1);
  if (turn === null || reply?.role !== "assistant" || reply.status !== "running") return null;
  const offset = weight(reply.content);
  if (held?.turn === turn && held.offset >= offset) return held;
  return { turn, seq: reply.seq, offset, content: reply.content, retrying: null };
}

function older(state: Conversation, history: History): Conversation {
  const first = state.messages[0];
  if (first === undefined || history.messages.at(-1)?.seq !== first.parent) return state;
  return {
    ...state,
    messages: [...history.messages, ...state.messages],
    siblings: { ...history.siblings, ...state.siblings },
    more: history.more,
  };
}

type Batch = { turn: string; key?: string; now: number };

function apply(state: Conversation, event: ChatEvent, batch: Batch): Conversation {
  if (event.type === "started") return started(state, event, batch);
  const live = state.live;
  if (live === null || live.turn !== batch.turn) return state;
  switch (event.type) {
    case "text":
    case "reasoning":
      return grown(state, live, event.offset, bytes(event.text), (known) => append(live.content, event.type, skip(event.text, known)));
    case "part":
      return grown(state, live, event.offset, 1, () => [...live.content, event.part]);
    case "tool_call":
    case "tool_result": {
      const { offset, ...part } = event;
      return grown(state, live, offset, 1, () => [...live.content, part]);
    }
    case "retrying":
      return { ...state, live: { ...live, retrying: event } };
    case "title":
      return state;
    case "finished":
      return finished(state, live, event);
  }
}

/** Content that was seen before is dropped, content that follows is taken, a gap makes the whole stale. */
function grown(state: Conversation, live: Live, end: number, size: number, content: (known: number) => Part[]): Conversation {
  if (end <= live.offset) return state;
  const start = end - size;
  if (start > live.offset) return { ...state, stale: true };
  return { ...state, live: { ...live, offset: end, content: content(live.offset - start), retrying: null } };
}

type Started = Extract<ChatEvent, { type: "started" }>;
type Finished = Extract<ChatEvent, { type: "finished" }>;

/** The acknowledgement: the optimistic messages become those of the store. Said twice, it changes nothing. */
function started(state: Conversation, event: Started, batch: Batch): Conversation {
  const pending = batch.key !== undefined && state.pending?.ask.key === batch.key ? state.pending : null;
  const next = { ...state, chat: event.session, pending: pending === null ? state.pending : null };
  if (state.messages.some((message) => message.seq === event.reply_seq)) return known(next, event);
  if (pending === null) return { ...next, stale: true };
  const kept = pending.from === null ? state.messages : state.messages.filter((message) => message.seq < pending.from!);
  const messages = [...kept, ...begun(pending.ask, event, kept.at(-1)?.seq ?? null, batch.now)];
  const live: Live = { turn: event.turn, seq: event.reply_seq, offset: 0, content: [], retrying: null };
  return { ...next, messages, siblings: siblingsAfter(state, pending, event), live, phase: "ready" };
}

/** The turn was already in the history: by another tab, or because the same key was sent again. */
function known(state: Conversation, event: Started): Conversation {
  if (state.live !== null || state.ended === event.turn) return state;
  return { ...state, live: liveOf(state.messages, event.turn, null) };
}

function begun(ask: Ask, event: Started, parent: number | null, now: number): Message[] {
  const base = { created_ms: now, turn: event.turn };
  const reply: Message = { ...base, seq: event.reply_seq, parent, role: "assistant", status: "running", content: [] };
  if (event.model !== undefined) reply.model = event.model;
  if (event.user_seq === null || ask.type === "regenerate") return [reply];
  const said: Part[] = [{ type: "text", text: ask.text }];
  const user: Message = { ...base, seq: event.user_seq, parent, role: "user", status: "complete", content: said };
  return [user, { ...reply, parent: event.user_seq }];
}

/** An edited message stands beside the one it replaces, a regenerated answer beside the answer. */
function siblingsAfter(state: Conversation, pending: Pending, event: Started): Record<string, number[]> {
  if (pending.from === null) return state.siblings;
  const seq = pending.ask.type === "edit" ? event.user_seq : event.reply_seq;
  if (seq === null) return state.siblings;
  return { ...state.siblings, [seq]: [...(state.siblings[pending.from] ?? [pending.from]), seq] };
}

/** The end, after its commit: what is held beyond `stored` was never kept. */
function finished(state: Conversation, live: Live, event: Finished): Conversation {
  const content = live.offset > event.stored ? cut(live.content, event.stored) : live.content;
  const messages = state.messages.map((message) =>
    message.seq === live.seq ? { ...message, content, status: event.status, ...outcome(event) } : message,
  );
  return { ...state, messages, live: null, ended: live.turn, stale: state.stale || live.offset < event.stored };
}

function outcome(event: Finished): Partial<Message> {
  return {
    ...(event.finish_reason ? { finish_reason: event.finish_reason } : {}),
    ...(event.usage ? { usage: event.usage } : {}),
    ...(event.cost === undefined ? {} : { cost: event.cost }),
    ...(event.error === undefined ? {} : { error: event.error }),
  };
}

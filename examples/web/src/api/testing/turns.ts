/** A turn as tests need one, and what a page would show of the events it got. */

import type { ChatEvent, Watch } from "../types.ts";

const TEXTS = ["Katzen ", "schnurren:\n\n", "```py\n", "print('🐈')\n```\n", "שלום", " 🐾"];

/** Thinking, text with every kind of trouble, and an end; offsets count bytes. */
export function turn(id = "t1", session = "s1"): ChatEvent[] {
  const events: ChatEvent[] = [{ type: "started", turn: id, session, user_seq: 1, reply_seq: 2, model: "m", offset: 0 }];
  let offset = bytes("hm 🤔");
  events.push({ type: "reasoning", text: "hm 🤔", offset });
  for (const text of TEXTS) events.push({ type: "text", text, offset: (offset += bytes(text)) });
  events.push({ type: "finished", status: "complete", finish_reason: "stop", usage: null, stored: offset, offset });
  return events;
}

export function bytes(text: string): number {
  return new TextEncoder().encode(text).length;
}

/** As the engine attaches: from an offset on, rounded down to a character, without what weighs nothing. */
export function since(events: ChatEvent[], offset: number): ChatEvent[] {
  return events.flatMap((event): ChatEvent[] => {
    if (event.type === "started") return offset === 0 ? [event] : [];
    if (event.type === "finished") return [event];
    if (event.offset <= offset) return [];
    if (event.type !== "text" && event.type !== "reasoning") return [event];
    const begin = event.offset - bytes(event.text);
    let kept = "";
    let at = begin;
    for (const char of event.text) {
      at += bytes(char);
      if (at > offset) kept += char;
    }
    return [{ ...event, text: kept }];
  });
}

export function sse(events: ChatEvent[], id = "t1"): string {
  return events.map((event) => `id: ${id}:${event.offset}\ndata: ${JSON.stringify(event)}\n\n`).join("");
}

export interface Shown {
  started: number;
  reasoning: string;
  text: string;
  status: string | null;
}

export async function shown(watch: Watch, each?: (event: ChatEvent) => void): Promise<Shown> {
  const shown: Shown = { started: 0, reasoning: "", text: "", status: null };
  for await (const event of watch) {
    each?.(event);
    if (event.type === "started") shown.started += 1;
    if (event.type === "reasoning") shown.reasoning += event.text;
    if (event.type === "text") shown.text += event.text;
    if (event.type === "finished") shown.status = event.status;
  }
  return shown;
}

export const WHOLE: Shown = { started: 1, reasoning: "hm 🤔", text: TEXTS.join(""), status: "complete" };

/** A page of history over messages that are already held. */
import type { Message } from "../api/types";
import { weight } from "./content";

/**
 * The page's messages, with the held ones before them if the page follows from those (`joined`). A message that is the same
 * stays the same object, so that nothing is drawn twice; an answer of which more is held than the page knew keeps it.
 */
export function merge(held: Message[], page: Message[]): { messages: Message[]; joined: boolean } {
  const bySeq = new Map(held.map((message) => [message.seq, message]));
  const fresh = page.map((message) => fresher(bySeq.get(message.seq), message));
  const first = page[0];
  const at = first === undefined ? -1 : held.findIndex((message) => message.seq === first.parent);
  const joined = at >= 0 || (first !== undefined && held[0]?.seq === first.seq);
  return { messages: at >= 0 ? [...held.slice(0, at + 1), ...fresh] : fresh, joined };
}

function fresher(ours: Message | undefined, theirs: Message): Message {
  if (ours === undefined) return theirs;
  if (theirs.status === "running" && ours.status !== "running") return ours;
  if (theirs.status === "running" && weight(ours.content) >= weight(theirs.content)) return ours;
  return same(ours, theirs) ? ours : theirs;
}

/** By value; the order of keys is the server's and does not change. A message of our own making differs, and is replaced. */
const same = (a: Message, b: Message): boolean => JSON.stringify(a) === JSON.stringify(b);

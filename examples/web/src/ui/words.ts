/** Words for every kind of failure, in one table. Another language is another table: the kinds are the contract, not the words. */
import type { Failure, Status } from "../api/types";

interface Words {
  title: string;
  advice: string;
}

type Table = Record<string, Words>;

const english: Table = {
  invalid_input: { title: "This cannot be sent", advice: "Shorten or change the message, then send it again." },
  not_found: { title: "Not found", advice: "It was deleted, or it belongs to somebody else." },
  busy: { title: "An answer is still being written here", advice: "Wait until it ends or stop it. Your message is kept in the field below." },
  conflict: { title: "The chat changed meanwhile", advice: "It was changed in another window. Look at it again, then repeat." },
  unauthorized: { title: "Access was refused", advice: "The name, the password or the server's key for the model is not accepted." },
  rate_limited: { title: "The model is busy", advice: "Its provider asks to slow down." },
  limited: { title: "You have reached a limit", advice: "The usage page shows how much is left." },
  timeout: { title: "No answer in time", advice: "Nothing was lost. Try again." },
  unavailable: { title: "The model cannot be reached", advice: "The fault is not yours. Try again in a moment." },
  truncated: { title: "The answer was cut off", advice: "Ask for another one." },
  refused: { title: "The model declined to answer", advice: "Put the question differently." },
  context_too_long: { title: "The conversation is too long", advice: "Begin a new chat, or summarise this one." },
  store: { title: "The chats cannot be read right now", advice: "The server has trouble with its storage. Try again in a moment." },
  store_full: { title: "The server has no room left", advice: "Delete old chats, or tell whoever runs this." },
  unsupported: { title: "This server cannot do that", advice: "" },
  closed: { title: "The server is restarting", advice: "What was written is kept. Try again in a moment." },
  offline: { title: "No connection", advice: "Your message is kept in the field below. It is sent only once, also if you try again." },
  unexpected: { title: "Something went wrong", advice: "Try again. If it stays, tell whoever runs this." },
};

/** Tables by language; `navigator.language` chooses, English is what there is. */
const tables: Record<string, Table> = { en: english };

export function wordsFor(failure: Failure, language = "en"): Words {
  const table = tables[language.split("-")[0] ?? "en"] ?? english;
  return table[failure.kind] ?? { title: english["unexpected"]!.title, advice: failure.message };
}

/** How an answer ended that did not end well. */
export const endings: Partial<Record<Status, string>> = {
  cancelled: "Stopped",
  interrupted: "Interrupted: the rest was never written",
  failed: "No answer",
  paused: "Waits for an approval",
};

/** What a screen reader is told when an answer ends. */
export function announcement(status: Status, text: string): string {
  const words = text.replace(/```[\s\S]*?```/g, " (code) ").replace(/[*_`#>|~]+/g, "").replace(/\s+/g, " ").trim();
  const start = words.length > 600 ? `${words.slice(0, 600)} … and so on` : words;
  return status === "complete" ? `Answer: ${start}` : `${endings[status] ?? "Ended"}. ${start}`;
}

/** `1.2k`, `3.4M`. */
export function short(value: number): string {
  if (value < 1_000) return String(value);
  const [by, unit] = value < 1_000_000 ? [1_000, "k"] : [1_000_000, "M"];
  return `${(value / Number(by)).toFixed(1).replace(/\.0$/, "")}${unit}`;
}

/** Money with as many digits as it needs; the currency is the price list's. */
export const money = (value: number): string => (value === 0 ? "0" : value < 0.01 ? value.toFixed(4) : value.toFixed(2));

/** `20 s`, `5 min`, `3 h`. */
export function span(ms: number): string {
  const seconds = Math.ceil(ms / 1_000);
  if (seconds < 90) return `${seconds} s`;
  return seconds < 3_600 ? `${Math.round(seconds / 60)} min` : `${Math.round(seconds / 3_600)} h`;
}

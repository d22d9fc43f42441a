/** Content and its offsets: text and reasoning weigh their UTF-8 bytes, every other part weighs 1. */
import type { Part } from "../api/types";

/** The UTF-8 bytes of a text, without encoding it. */
export function bytes(text: string): number {
  let sum = 0;
  for (let i = 0; i < text.length; i++) {
    const unit = text.charCodeAt(i);
    if (isHigh(unit) && isLow(text.charCodeAt(i + 1))) (sum += 4), i++;
    else sum += size(unit);
  }
  return sum;
}

const size = (unit: number): number => (unit < 0x80 ? 1 : unit < 0x800 ? 2 : 3);
const isHigh = (unit: number) => unit >= 0xd800 && unit < 0xdc00;
const isLow = (unit: number) => unit >= 0xdc00 && unit < 0xe000;

type Text = Extract<Part, { text: string }>;

const isText = (part: Part): part is Text => part.type === "text" || part.type === "reasoning";

const weightOf = (part: Part): number => (isText(part) ? bytes(part.text) : 1);

/** The offset after this content. */
export const weight = (content: readonly Part[]): number => content.reduce((sum, part) => sum + weightOf(part), 0);

/** The index after the whole characters within the first `room` bytes. */
function indexAt(text: string, room: number): number {
  let index = 0;
  let used = 0;
  while (index < text.length) {
    const wide = isHigh(text.charCodeAt(index)) && isLow(text.charCodeAt(index + 1));
    used += wide ? 4 : size(text.charCodeAt(index));
    if (used > room) break;
    index += wide ? 2 : 1;
  }
  return index;
}

/** The text without its first `count` bytes; a character that is cut through goes as a whole. */
export function skip(text: string, count: number): string {
  if (count <= 0) return text;
  let index = indexAt(text, count);
  if (bytes(text.slice(0, index)) < count) index += isHigh(text.charCodeAt(index)) ? 2 : 1;
  return text.slice(index);
}

/** With more text at its end, in the last part if that is of the same kind. */
export function append(content: readonly Part[], type: "text" | "reasoning", text: string): Part[] {
  const last = content.at(-1);
  if (text === "") return [...content];
  if (last?.type === type) return [...content.slice(0, -1), { type, text: last.text + text }];
  return [...content, { type, text }];
}

/** Cut back to an offset: what the store kept, if it kept less than was seen. */
export function cut(content: readonly Part[], offset: number): Part[] {
  const kept: Part[] = [];
  let room = offset;
  for (const part of content) {
    if (room <= 0) break;
    const size = weightOf(part);
    if (size <= room) kept.push(part);
    else if (isText(part)) kept.push({ ...part, text: part.text.slice(0, indexAt(part.text, room)) });
    room -= size;
  }
  return kept;
}

/** Whether there is nothing for the reader in it: what only the model's provider can read is not shown. */
export const isBlank = (content: readonly Part[]): boolean => content.every((part) => part.type === "provider");

/** What was said, without thoughts, tools and pictures. */
export const textOf = (content: readonly Part[]): string =>
  content.flatMap((part) => (part.type === "text" ? [part.text] : [])).join("");

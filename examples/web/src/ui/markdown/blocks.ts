/**
 * Cuts Markdown into top-level blocks, so that those that are finished need not be parsed again while the last one grows.
 * It cuts only where it is sure that both sides mean the same alone: at blank lines outside of fences, lists and indents.
 */

const FENCE = /^ {0,3}(`{3,}|~{3,})(.*)$/;
const ITEM = /^ {0,3}([-*+]|\d{1,9}[.)])(\s|$)/;
/** A link or footnote that is defined in one block and used in another. */
const DEFINITION = /^ {0,3}\[[^\]]+\]:/m;

export interface Block {
  text: string;
  /** The block ends within a fence that is not closed yet. */
  open: boolean;
  /** Where the text after the last closed fence begins: before it, nothing is half there. */
  tail: number;
}

export function blocks(markdown: string): Block[] {
  const whole = DEFINITION.test(markdown);
  const found: Block[] = [];
  let lines: string[] = [];
  let fence: string | null = null;
  let blank = false;
  let tail = 0;
  const cut = () => {
    if (lines.some((line) => line.trim() !== "")) found.push({ text: lines.join("\n"), open: false, tail });
    lines = [];
    tail = 0;
  };
  for (const line of markdown.split("\n")) {
    if (!whole && fence === null && blank && line.trim() !== "" && startsAnew(line, lines)) cut();
    lines.push(line);
    const before: string | null = fence;
    fence = fenceAfter(fence, line);
    if (before !== null && fence === null) tail = lines.reduce((sum, one) => sum + one.length + 1, 0);
    blank = fence === null && line.trim() === "";
  }
  cut();
  const last = found.at(-1);
  if (last !== undefined) last.open = fence !== null;
  return found;
}

/** Whether this line, after a blank one, surely does not belong to the block before. */
function startsAnew(line: string, block: string[]): boolean {
  if (/^\s/.test(line)) return false;
  const first = block.find((other) => other.trim() !== "") ?? "";
  return !(ITEM.test(first) && ITEM.test(line));
}

/** The mark of the fence that is open after this line. */
function fenceAfter(fence: string | null, line: string): string | null {
  const match = FENCE.exec(line);
  if (match === null) return fence;
  const [, mark = "", info = ""] = match;
  if (fence === null) return mark.startsWith("`") && info.includes("`") ? null : mark;
  return mark[0] === fence[0] && mark.length >= fence.length && info.trim() === "" ? null : fence;
}

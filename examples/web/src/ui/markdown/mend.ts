/** The last block of an answer that is still written: what is half there is shown as it will be. */

/** Closes open emphasis, code and links, and gives a table its second line. Not for a block that is an open fence. */
export function mend(block: string): string {
  const at = block.lastIndexOf("\n\n") + 1;
  return block.slice(0, at) + mendTable(mendInline(trimMark(block.slice(at))));
}

/** The first signs of a fence, a heading or a rule say nothing yet. */
const trimMark = (text: string): string => text.replace(/(^|\n)[ \t]*(`{1,2}|~{1,2}|#{1,6}|[-=]{1,2}|[*_]{1,2}|>|\d{1,9}[.)]?)$/, "$1");

function mendInline(text: string): string {
  const code = openCode(text);
  if (code !== null) return code;
  return closeMarks(mendLink(text));
}

/** Closes a code span that is open in the last paragraph; null if none is. */
function openCode(text: string): string | null {
  let open: string | null = null;
  for (const [run] of text.matchAll(/`+/g)) {
    if (open === null) open = run;
    else if (open === run) open = null;
  }
  if (open === null) return null;
  return text.endsWith(open) ? text.slice(0, -open.length) : text + open;
}

/** `[text](http…` is its text until the address is whole; a picture waits. */
function mendLink(text: string): string {
  const image = text.replace(/!\[[^\]\n]*(\]\([^)\n]*)?$/, "").replace(/!$/, "");
  if (image !== text) return image;
  return text.replace(/\[([^\][\n]*)\]\([^)\n]*$/, "$1").replace(/(^|[^\]])\[([^\][\n]*)$/, "$1$2");
}

/** Closes `**`, `*`, `__`, `_` and `~~`, the last opened first. Marks inside words (`snake_case`) and code do not count. */
function closeMarks(text: string): string {
  const bare = text.replace(/`+[^`]*`+/g, (code) => "x".repeat(code.length)).replace(/\\./g, "xx");
  const open: string[] = [];
  for (const match of bare.matchAll(/\*\*|__|~~|\*|_/g)) mark(open, match[0], bare[match.index - 1] ?? " ", bare[match.index + match[0].length] ?? "");
  const last = open.at(-1);
  const body = text.trimEnd();
  // A mark at the very end opens nothing yet.
  if (last !== undefined && body.endsWith(last)) return closeMarks(body.slice(0, -last.length));
  return open.length === 0 ? text : body + open.reverse().join("");
}

function mark(open: string[], mark: string, before: string, after: string): void {
  const closes = !/\s/.test(before) && open.includes(mark);
  if (mark.startsWith("_") && /\w/.test(before) && /\w/.test(after)) return;
  if (closes) open.splice(open.lastIndexOf(mark));
  else if (after === "" || !/\s/.test(after)) open.push(mark);
}

/** A table's first line alone is a table without rows. */
function mendTable(text: string): string {
  const lines = text.trim().split("\n");
  const head = lines[0] ?? "";
  if (!/^\|.*\|\s*$/.test(head) || lines.length > 2) return text;
  if (lines.length === 2 && !/^[|:\-\s]*$/.test(lines[1] ?? "")) return text;
  const columns = head.trim().slice(1, -1).split(/(?<!\\)\|/).length;
  return `${head}\n|${" --- |".repeat(columns)}`;
}

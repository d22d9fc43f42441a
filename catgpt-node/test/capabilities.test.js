/** The table of capabilities names nothing of Node that is not there. */
import assert from "node:assert/strict";
import { readFileSync, readdirSync } from "node:fs";
import { test } from "node:test";
import * as catgpt from "catgpt-node";

const text = readFileSync(new URL("../../docs/capabilities.md", import.meta.url), "utf8").replace(/<!--[^]*?-->/g, "");
const rows = text.split("\n").filter((line) => line.startsWith("| ") && !line.startsWith("| ---"));
const names = new Set(rows.flatMap((row) => [...row.split("|")[4].matchAll(/`([^`]+)`/g)].map(([, name]) => name)));
const dist = new URL("../dist/", import.meta.url);
const types = readdirSync(dist).filter((file) => file.endsWith(".d.ts"));
const declared = types.map((file) => readFileSync(new URL(file, dist), "utf8")).join("\n");

function there(name) {
  const option = /\{ (\w+) \}/.exec(name);
  if (option) return declared.includes(`${option[1]}?:`);
  const [where, what] = name.split(".");
  if (!what) return where in catgpt;
  const held = catgpt[where[0].toUpperCase() + where.slice(1)];
  return where[0] === where[0].toUpperCase() ? what in held : what in held.prototype;
}

test("every name of the table is there", () => {
  assert.ok(names.size > 60);
  for (const name of names) assert.ok(there(name), name);
  assert.ok(!there("user.nothing") && !there("new Engine({ nothing })"));
});

/** The published types, compiled as strictly as anybody does: for Node, and for a bundler with the browser's types. */
import assert from "node:assert/strict";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { run } from "./kit/kit.js";

const compiler = join(dirname(createRequire(import.meta.url).resolve("typescript/package.json")), "bin/tsc");

for (const config of ["node", "bundler"]) {
  test(`the types hold: ${config}`, async () => {
    const project = fileURLToPath(new URL(`types/${config}.json`, import.meta.url));
    const { code, stdout, stderr } = await run(process.execPath, [compiler, "--project", project]);
    assert.equal(code, 0, stdout + stderr);
  });
}

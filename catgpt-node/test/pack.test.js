/** The packages as they are published: installed into an empty folder, imported and required, and missing. */
import assert from "node:assert/strict";
import { readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { before, test } from "node:test";
import { fileURLToPath } from "node:url";
import { PLATFORMS } from "../scripts/platform.mjs";
import { folder, run } from "./kit/kit.js";

const root = fileURLToPath(new URL("..", import.meta.url));
const [tarballs, empty] = [folder(), folder()];
const here = readdirSync(root).flatMap((file) => /^catgpt\.(.+)\.node$/.exec(file)?.[1] ?? [])[0];
const native = join(empty, "node_modules", `catgpt-node-${here}`);

const SAY = `
  const session = new Engine({ model: "offline" }).user("alice").session("chat");
  session.send("Hi").then((reply) => reply.text()).then((text) => console.log(text.includes("offline cat")));
`;
const MODULE = `import { Engine } from "catgpt-node"; import { Scripted } from "catgpt-node/testing"; new Scripted(); ${SAY}`;

async function succeeds(program, args, options) {
  const { code, stdout, stderr } = await run(program, args, options);
  assert.equal(code, 0, stderr);
  return stdout;
}
const runHere = (source, type, env = {}) =>
  run(process.execPath, [`--input-type=${type}`, "--eval", source], { cwd: empty, env: { ...process.env, ...env } });

before(async () => {
  const pack = (...args) => succeeds(process.execPath, ["scripts/pack.mjs", tarballs, ...args], { cwd: root });
  await Promise.all([pack(), pack(PLATFORMS[here].target)]);
  const files = readdirSync(tarballs).map((file) => join(tarballs, file));
  assert.equal(files.length, 2);
  writeFileSync(join(empty, "package.json"), "{}");
  await succeeds("npm", ["install", "--offline", "--no-audit", "--no-fund", ...files], { cwd: empty });
});

test("the package holds what runs, and no more", () => {
  const held = (path) => readdirSync(join(empty, "node_modules", path)).sort();
  assert.deepEqual(held("catgpt-node"), ["LICENSE", "README.md", "dist", "package.json"]);
  assert.deepEqual(held(`catgpt-node-${here}`), ["LICENSE", `catgpt.${here}.node`, "package.json"]);
  const manifest = JSON.parse(readFileSync(join(empty, "node_modules/catgpt-node/package.json"), "utf8"));
  assert.equal(Object.keys(manifest.optionalDependencies).length, Object.keys(PLATFORMS).length);
  assert.ok(!manifest.dependencies && !manifest.scripts && !manifest.devDependencies);
});

test("it is imported, and it is required", async () => {
  const imported = await runHere(MODULE, "module");
  assert.deepEqual([imported.code, imported.stdout], [0, "true\n"], imported.stderr);
  const required = await runHere(`const { Engine } = require("catgpt-node"); ${SAY}`, "commonjs");
  assert.deepEqual([required.code, required.stdout], [0, "true\n"], required.stderr);
});

test("a missing native half is an error that names the platform and what to do", async () => {
  const path = join(folder(), "copy.node");
  writeFileSync(path, readFileSync(join(native, `catgpt.${here}.node`)));
  rmSync(native, { recursive: true });
  const { code, stderr } = await runHere(MODULE, "module");
  assert.equal(code, 1);
  assert.ok(stderr.includes(`no native module for ${process.platform} ${process.arch} (`), stderr);
  assert.ok(stderr.includes(`npm install catgpt-node-${here}@`) && stderr.includes("CATGPT_NATIVE_PATH"), stderr);
  const named = await runHere(MODULE, "module", { CATGPT_NATIVE_PATH: path });
  assert.deepEqual([named.code, named.stdout], [0, "true\n"], named.stderr);
  const wrong = await runHere(MODULE, "module", { CATGPT_NATIVE_PATH: join(path, "not-there") });
  assert.ok(wrong.code === 1 && wrong.stderr.includes("CATGPT_NATIVE_PATH names"), wrong.stderr);
});

test("the packages have the version of the workspace", () => {
  const [, version] = /\[workspace\.package\]\s+version = "(.+?)"/.exec(readFileSync(join(root, "../Cargo.toml"), "utf8"));
  assert.equal(JSON.parse(readFileSync(join(root, "package.json"), "utf8")).version, version);
});

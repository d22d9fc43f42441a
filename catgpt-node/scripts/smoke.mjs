/**
 * Installs tarballs of the package and its platform's half into an empty folder, and walks through them on Node, and on
 * Bun and Deno as npm has them: `node scripts/smoke.mjs TARBALL…`
 */
import { execFileSync } from "node:child_process";
import { chmodSync, copyFileSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";

const folder = mkdtempSync(join(tmpdir(), "catgpt-smoke-"));
const run = (program, ...args) => execFileSync(program, args, { cwd: folder, encoding: "utf8", timeout: 300_000 });
writeFileSync(join(folder, "package.json"), "{}");
copyFileSync(new URL("../test/kit/smoke.js", import.meta.url), join(folder, "smoke.mjs"));
const tarballs = process.argv.slice(2).map((file) => resolve(file));
run("npm", "install", "--ignore-scripts", "--no-audit", "--no-fund", "bun", "deno", ...tarballs);

/** The program of a runtime: in the package of its platform, since install scripts are not run. */
function found(scope, file) {
  const base = join(folder, "node_modules", scope);
  const [program] = readdirSync(base).map((name) => join(base, name, file));
  chmodSync(program, 0o755);
  return program;
}

const runtimes = { node: [process.execPath], bun: [found("@oven", "bin/bun")], deno: [found("@deno", "deno"), "run", "-A"] };
for (const [name, [program, ...args]] of Object.entries(runtimes)) {
  const said = run(program, ...args, "smoke.mjs").trim();
  if (said !== "all is well") throw new Error(`${name} said ${said}`);
  console.log(name, run(program, "--version").split("\n")[0], "ok");
}
rmSync(folder, { recursive: true });

/**
 * Packs what is published: `node scripts/pack.mjs FOLDER` the package itself, which names the platforms' packages, and
 * `node scripts/pack.mjs FOLDER TARGET` the package of the platform that Rust calls so, from its built native half.
 */
import { execFileSync } from "node:child_process";
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { PLATFORMS, named } from "./platform.mjs";

const root = fileURLToPath(new URL("..", import.meta.url));
const { scripts, devDependencies, ...own } = JSON.parse(readFileSync(join(root, "package.json"), "utf8"));
const [folder, target] = process.argv.slice(2);

const [manifest, files] = target ? platform(named(target)) : main();
const stage = mkdtempSync(join(tmpdir(), "catgpt-pack-"));
for (const [from, to] of [...files, ["../LICENSE", "LICENSE"]]) cpSync(join(root, from), join(stage, to), { recursive: true });
writeFileSync(join(stage, "package.json"), `${JSON.stringify(manifest, null, 2)}\n`);
mkdirSync(folder, { recursive: true });
const npm = process.platform === "win32" ? "npm.cmd" : "npm";
execFileSync(npm, ["pack", "--silent", "--pack-destination", resolve(folder)], { cwd: stage, shell: npm !== "npm", stdio: "inherit" });
rmSync(stage, { recursive: true });

function main() {
  const optional = Object.keys(PLATFORMS).map((name) => [`${own.name}-${name}`, own.version]);
  return [{ ...own, optionalDependencies: Object.fromEntries(optional) }, [["dist", "dist"], ["README.md", "README.md"]]];
}

function platform(name) {
  const { os, cpu, libc } = PLATFORMS[name];
  const binary = `catgpt.${name}.node`;
  const { version, license, repository, engines } = own;
  const where = { os: [os], cpu: [cpu], ...(libc && { libc: [libc] }) };
  const description = `The native half of ${own.name} for ${name}.`;
  const manifest = { name: `${own.name}-${name}`, version, description, license, repository, engines, main: binary, files: [binary] };
  return [{ ...manifest, ...where }, [[binary, binary]]];
}

/** Builds the native half and lays it where the loader looks first. Arguments go to cargo: `--release`, `--target …`. */
import { execFileSync } from "node:child_process";
import { copyFileSync, renameSync } from "node:fs";
import { named } from "./platform.mjs";

const root = new URL("..", import.meta.url);
const args = process.argv.slice(2);
const run = (program, ...args) =>
  execFileSync(program, args, { cwd: root, encoding: "utf8", maxBuffer: 2 ** 28, stdio: ["ignore", "pipe", "inherit"] });

const cargo = process.env.CARGO ?? "cargo";
/** `zigbuild` where releases are made for machines older than the builder. */
const verb = process.env.CATGPT_CARGO_VERB ?? "build";
const lines = run(cargo, verb, "--locked", "--quiet", "-p", "catgpt-node", "--message-format", "json-render-diagnostics", ...args);
const library = lines
  .split("\n")
  .filter((line) => line.includes('"catgpt_node"'))
  .flatMap((line) => JSON.parse(line).filenames ?? [])
  .find((file) => /\.(so|dylib|dll)$/.test(file));
const asked = args[args.indexOf("--target") + 1];
const target = args.includes("--target") ? asked : /host: (\S+)/.exec(run("rustc", "-vV"))[1];
const place = new URL(`catgpt.${named(target)}.node`, root);
// A rename, because a process may have the old one open.
copyFileSync(library, new URL(`${place.href}.new`));
renameSync(new URL(`${place.href}.new`), place);

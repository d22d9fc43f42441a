/** Every bench some times in turns, each in a process of its own; medians and ratios. `npm run bench [TIMES] [WORD]` */
import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";

const [times = "3", only = ""] = process.argv.slice(2);
const cargo = ["run", "--quiet", "--release", "--locked", "-p", "catgpt-core", "--features", "testkit", "--bin", "catgpt-fake-openai"];
const fake = spawn("cargo", cargo, { cwd: new URL("../..", import.meta.url), stdio: ["ignore", "pipe", "inherit"] });
const url = String((await once(fake.stdout, "data"))[0]).split("\n")[0];

const BENCHES = [
  ["event", "burst", ["floor", "catgpt"]],
  ["event", "paced", ["floor", "catgpt"]],
  ["client", "burst", ["openai", "catgpt"]],
  ["client", "paced", ["openai", "catgpt"]],
  ["endpoint", "burst", ["tutorial", "catgpt"]],
  ["endpoint", "paced", ["tutorial", "catgpt"]],
];
const median = (numbers) => numbers.sort((a, b) => a - b)[numbers.length >> 1];

for (const [bench, mode, names] of BENCHES.filter((row) => `${row}`.includes(only))) {
  const runs = Object.fromEntries(names.map((name) => [name, []]));
  for (let n = 0; n < Number(times); n++) {
    for (const name of names) {
      const { stdout, stderr } = spawnSync(process.execPath, [`${bench}.mjs`, name, mode, url], { encoding: "utf8" });
      if (!stdout) throw new Error(`${bench} ${name} ${mode}: ${stderr}`);
      runs[name].push(JSON.parse(stdout));
    }
  }
  const of = (name, what) => median(runs[name].map((run) => run[what]));
  for (const name of names) {
    const ratio = ["process", "main"].map((what) => `${(of(name, what) / of(names[0], what)).toFixed(2)}x`);
    const each = ["process", "main"].map((what, n) => `${what} ${of(name, what)} µs (${ratio[n]})`);
    console.log(`${bench} ${mode} ${name}`.padEnd(30), ...each, `wall ${of(name, "wall_ms")} ms`);
  }
}
fake.kill();

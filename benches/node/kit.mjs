/** What the benches share: CPU time of this process, and of its main thread where Linux tells it. */
import { readFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";

const mainThread = () => {
  try {
    return Number(readFileSync(`/proc/self/task/${process.pid}/schedstat`, "utf8").split(" ")[0]) / 1e3;
  } catch {
    return NaN;
  }
};
export const cpu = () => {
  const { user, system } = process.cpuUsage();
  return { process: user + system, main: mainThread() };
};

/** Runs `work` once to warm up and once measured; it gives how many events there were. */
export async function measure(work) {
  await work();
  await sleep(100);
  const before = cpu();
  const begun = performance.now();
  const events = await work();
  const wall = performance.now() - begun;
  const after = cpu();
  const each = (name) => Number(((after[name] - before[name]) / events).toFixed(3));
  console.log(JSON.stringify({ process: each("process"), main: each("main"), wall_ms: Math.round(wall), events }));
  process.exit();
}

export const all = (count, work) => Promise.all(Array.from({ length: count }, (_, n) => work(n)));

/** One file, two languages: what Node writes the command line reads and continues, and back. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { Engine } from "catgpt-node";
import { folder, run } from "./kit/kit.js";

const root = fileURLToPath(new URL("../..", import.meta.url));
const LIMIT = { timeout: 600_000 };

async function catgpt(home, ...args) {
  const { PATH, HOME, CARGO_HOME, RUSTUP_HOME, CARGO_TARGET_DIR } = process.env;
  const env = { PATH, HOME, CARGO_HOME, RUSTUP_HOME, CARGO_TARGET_DIR, XDG_DATA_HOME: home, XDG_STATE_HOME: home };
  const cargo = ["run", "--quiet", "--locked", "-p", "catgpt-cli", "--", "--memory", `sqlite:${home}/chat.db`, ...args];
  const { code, stdout, stderr } = await run("cargo", cargo, { cwd: root, env: JSON.parse(JSON.stringify(env)), timeout: 600_000 });
  assert.equal(code, 0, stderr);
  return stdout;
}

test("a chat goes from Node to the command line and back", LIMIT, async () => {
  const home = folder();
  const open = () => new Engine({ model: "offline", memory: `sqlite:${home}/chat.db` });
  const first = open();
  const said = await (await first.local().session("trip").send("Plan three days in Kyoto")).text();
  await first.close();

  const shown = await catgpt(home, "chats", "show", "trip");
  assert.ok(shown.includes("Plan three days in Kyoto") && shown.includes(said.slice(0, 40)), shown);
  const answer = await catgpt(home, "-s", "trip", "and in one line?");

  const second = open();
  const texts = (await second.local().session("trip").history()).map((message) => message.content[0].text);
  assert.deepEqual([texts.length, texts[2], texts[3].trim()], [4, "and in one line?", answer.trim()]);
  assert.equal(await (await second.local().session("trip").send("thanks")).result().then((last) => last.status), "complete");
  await second.close();
});

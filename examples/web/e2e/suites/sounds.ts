/** Meow and purr: silent until somebody asks for it, and remembered. */

import { expect, test } from "vitest";
import { Gate, text } from "../kit/model.ts";
import type { Stage } from "../kit/stage.ts";
import { eventually, within } from "../kit/wait.ts";

/** Counts what begins to sound; no test can hear it. */
const COUNT = `
  window.started = 0;
  const start = AudioScheduledSourceNode.prototype.start;
  AudioScheduledSourceNode.prototype.start = function (...when) { window.started += 1; return start.apply(this, when); };
`;

export function sounds(stage: Stage): void {
  test("the cat is silent until somebody asks for it, then purrs while it writes and meows at the end", async () => {
    const gate = new Gate();
    stage.model.when("Purr?", text("Pu"), gate, text("rr."));
    const chat = await stage.visit();
    await chat.page.addInitScript(COUNT);
    await chat.reload();
    const started = () => chat.page.evaluate("window.started") as Promise<number>;
    await chat.talk("Quietly, please.");
    expect(await started()).toBe(0);
    await chat.get("sounds").click();
    await eventually("a first meow", async () => (await started()) === 1);
    await chat.reload();
    await expect.poll(() => chat.get("sounds").getAttribute("aria-checked")).toBe("true");
    await chat.ask("Purr?");
    await within("the answer is under way", gate.reached);
    await eventually("a purr", async () => (await started()) > 0);
    const purring = await started();
    gate.open();
    await chat.ends("complete");
    await eventually("a meow after it", async () => (await started()) > purring);
  });
}

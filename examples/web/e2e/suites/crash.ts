/** A server that dies in the middle leaves an answer that says so, and a button to go on. */

import { expect, test } from "vitest";
import { Gate, pieces } from "../kit/model.ts";
import { textOf } from "../kit/page.ts";
import type { Stage } from "../kit/stage.ts";
import { within } from "../kit/wait.ts";
import { until, words } from "./reload.ts";

export function crash(stage: Stage): void {
  test("kill -9 in the middle: interrupted, with its text, and Retry works", async () => {
    const whole = words(100);
    const gate = new Gate();
    stage.model.when("crash", ...pieces(whole, 6, [[0.5, gate]]));
    const chat = await stage.visit();
    await chat.ask("crash");
    await within("the answer is under way", gate.reached);
    await chat.shows(until(whole, 0.5, 6));
    await stage.app.kill();
    gate.open();
    await stage.app.start();
    // The dead one's lease has to run out first.
    await chat.ends("interrupted", 60_000);
    const kept = textOf((await chat.stored()).at(-1)).trim();
    expect(whole.startsWith(kept)).toBe(true);
    await chat.shows(kept);
    stage.model.when("crash", ...pieces(whole, 6));
    await chat.get("retry").last().click();
    await chat.ends("complete");
    await chat.shows(whole);
    await chat.reload();
    await chat.ends("complete");
    await chat.shows(whole);
    await expect.poll(() => chat.questions.count()).toBe(1);
  });
}

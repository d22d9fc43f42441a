/** A limit that is reached is told in words, with the time that is left; what was typed is kept. */

import { expect, test } from "vitest";
import type { Stage } from "../kit/stage.ts";
import { eventually } from "../kit/wait.ts";

/** For a stage whose application lets two messages through. */
export function limits(stage: Stage): void {
  test("the third message is refused by a banner that counts down", async () => {
    const chat = await stage.visit();
    // Its minute is the clock's: one that ends in between would let the third message through.
    await eventually("a minute that has just begun", () => Date.now() % 60_000 < 40_000);
    await chat.talk("one");
    await chat.talk("two");
    await chat.ask("three");
    const banner = chat.get("banner");
    await banner.waitFor();
    await expect.poll(() => banner.getAttribute("data-kind")).toBe("limited");
    const seconds = async () => Number(/(\d+) s/.exec(await chat.get("banner-countdown").innerText())?.[1]);
    const first = await seconds();
    expect(first).toBeGreaterThan(0);
    expect(first).toBeLessThanOrEqual(60);
    // A window that just ends takes the countdown away.
    await eventually("it counts down", async () => (await chat.get("banner-countdown").count()) === 0 || (await seconds()) < first);
    await expect.poll(() => chat.get("composer").inputValue()).toBe("three");
    await expect.poll(() => chat.questions.count()).toBe(2);
    expect(stage.model.about("three")).toHaveLength(0);
  });
}

/** Who leaves in the middle and comes back finds the answer where it is by then. */

import { expect, test } from "vitest";
import { Gate, pieces } from "../kit/model.ts";
import { textOf } from "../kit/page.ts";
import type { Stage } from "../kit/stage.ts";
import { within } from "../kit/wait.ts";

/** Numbered words: what is lost or repeated is seen at once. */
export function words(count: number): string {
  return Array.from({ length: count }, (_, n) => `w${n}`).join(" ");
}

/** What is seen of an answer that stops before this share of it. */
export function until(text: string, share: number, size: number): string {
  const chars = [...text];
  return chars.slice(0, Math.ceil((share * chars.length) / size) * size).join("").trim();
}

export function reload(stage: Stage): void {
  test("a reload at 10, 50 and 90 % goes on without a gap and without a repeat", async () => {
    const whole = words(400);
    const shares = [0.1, 0.5, 0.9] as const;
    const gates = shares.map((share): [number, Gate] => [share, new Gate()]);
    stage.model.when("reloads", ...pieces(whole, 9, gates));
    const chat = await stage.visit();
    await chat.ask("reloads");
    for (const [share, gate] of gates) {
      await within("the answer reached its gate", gate.reached);
      await chat.shows(until(whole, share, 9));
      await chat.reload();
      await chat.shows(until(whole, share, 9));
      await expect.poll(() => chat.status()).toBe("running");
      gate.open();
    }
    await chat.ends("complete");
    await chat.shows(whole);
    expect(textOf((await chat.stored()).at(-1))).toBe(whole);
    await expect.poll(() => chat.questions.count()).toBe(1);
    expect(stage.model.about("reloads")).toHaveLength(1);
  });

  test("a tab that was closed finds the whole answer after its end", async () => {
    const whole = words(60);
    const gate = new Gate();
    stage.model.when("closes", ...pieces(whole, 5, [[0.3, gate]]));
    const person = await stage.person();
    const first = await person.tab();
    await first.ask("closes");
    await within("the answer is under way", gate.reached);
    await first.id();
    const address = first.page.url();
    await first.page.close();
    gate.open();
    expect(await within("the model was heard out", stage.model.about("closes")[0]!.ended)).toBe("whole");
    const second = await person.tab(address);
    await second.ends("complete");
    await second.shows(whole);
  });
}

/** Stop reaches the model, keeps what was said, and is billed. */

import { expect, test } from "vitest";
import { Gate, pieces } from "../kit/model.ts";
import type { Chat } from "../kit/page.ts";
import type { Stage } from "../kit/stage.ts";
import { eventually, within } from "../kit/wait.ts";
import { until, words } from "./reload.ts";

export function stopping(stage: Stage): void {
  const whole = words(100);
  const cases: [name: string, share: number, before: (chat: Chat) => Promise<void>][] = [
    ["before the first word", 0, async () => {}],
    ["in the middle", 0.5, async () => {}],
    ["after a reload", 0.5, (chat) => chat.reload()],
  ];
  test.each(cases)("stop %s closes the model's connection, and the text does not grow back", async (name, share, before) => {
    const gate = new Gate();
    stage.model.when(name, ...pieces(whole, 4, [[share, gate]]));
    const chat = await stage.visit();
    await chat.ask(name);
    await within("the answer stands at its gate", gate.reached);
    const kept = until(whole, share, 4);
    await chat.shows(kept);
    await before(chat);
    await chat.shows(kept);
    await chat.get("stop").click();
    await chat.ends("cancelled");
    expect(await within("the model's caller hung up", stage.model.about(name)[0]!.ended)).toBe("hung up");
    gate.open();
    await chat.shows(kept);
    await chat.reload();
    await chat.ends("cancelled");
    await chat.shows(kept);
    await eventually("it has a row of use", async () => (await chat.usage()).some(({ calls }) => calls > 0));
    await chat.talk(`${name}, and then?`);
    await expect.poll(() => chat.answers.count()).toBe(2);
  });
}

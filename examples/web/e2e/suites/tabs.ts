/** Two tabs of one person see the same. */

import { test } from "vitest";
import { Gate, pieces, text } from "../kit/model.ts";
import type { Chat } from "../kit/page.ts";
import type { Stage } from "../kit/stage.ts";
import { eventually, within } from "../kit/wait.ts";
import { until, words } from "./reload.ts";

export function tabs(stage: Stage): void {
  test("two tabs see the same answer grow, and what either of them says", async () => {
    const whole = words(80);
    const [half, end] = [new Gate(), new Gate()];
    stage.model.when("first", ...pieces(whole, 6, [[0.5, half], [1, end]]));
    stage.model.when("second", text("Said in the other tab."));
    const person = await stage.person();
    const [a, b] = [await person.tab(), await person.tab()];
    await a.ask("first");
    await within("the answer is under way", half.reached);
    const id = await a.id();
    await eventually("the other tab lists it as running", async () => (await b.item(id).getAttribute("data-running")) === "true");
    await b.title(id).click();
    for (const tab of [a, b]) await tab.shows(until(whole, 0.5, 6));
    half.open();
    await within("the answer is at its end", end.reached);
    for (const tab of [a, b]) await tab.shows(whole);
    end.open();
    for (const tab of [a, b]) await tab.ends("complete");

    await b.talk("second");
    await a.shows("Said in the other tab.");
    const order = ["first", whole, "second", "Said in the other tab."];
    const inOrder = (tab: Chat) =>
      eventually("both see all of it in order", async () => String(await tab.get("message-text").allInnerTexts()) === String(order));
    for (const tab of [a, b]) {
      await inOrder(tab);
      await tab.reload();
      await inOrder(tab);
      await tab.ends("complete");
    }
  });
}

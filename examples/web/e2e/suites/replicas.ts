/** Two replicas behind a proxy that takes turns: what one begins, the other shows, stops and survives. */

import { expect, test } from "vitest";
import type { App } from "../kit/app.ts";
import { Gate, pieces } from "../kit/model.ts";
import { textOf } from "../kit/page.ts";
import type { Stage } from "../kit/stage.ts";
import { eventually, within } from "../kit/wait.ts";
import { until, words } from "./reload.ts";

/** `other` is the second replica; the stage's application is the first. */
export function replicas(stage: Stage, other: () => App): void {
  const whole = words(120);
  const only = (app: App) => (stage.proxy.targets = [app.port]);

  test("an answer of one replica is read at the other, and stopped from there", async () => {
    const gate = new Gate();
    stage.model.when("across", ...pieces(whole, 6, [[0.5, gate]]));
    only(stage.app);
    const person = await stage.person();
    const first = await person.tab();
    await first.ask("across");
    await within("the answer is under way", gate.reached);
    const id = await first.id();
    const address = first.page.url();
    only(other());
    const second = await person.tab(address);
    await second.shows(until(whole, 0.5, 6));
    await eventually("it is listed as running", async () => (await second.item(id).getAttribute("data-running")) === "true");
    await second.get("stop").click();
    for (const tab of [second, first]) await tab.ends("cancelled");
    expect(await within("the model's caller hung up", stage.model.about("across")[0]!.ended)).toBe("hung up");
    gate.open();
    for (const tab of [second, first]) await tab.shows(until(whole, 0.5, 6));
  });

  test("a replica that is killed leaves its answer to the other", async () => {
    const gate = new Gate();
    stage.model.when("killed", ...pieces(whole, 6, [[0.5, gate]]));
    only(stage.app);
    const chat = await stage.visit();
    await chat.ask("killed");
    await within("the answer is under way", gate.reached);
    await chat.shows(until(whole, 0.5, 6));
    stage.proxy.targets = [stage.app.port, other().port];
    await stage.app.kill();
    gate.open();
    only(other());
    // The lease of the dead has to run out: 15 s in Postgres.
    await chat.ends("interrupted", 60_000);
    const kept = textOf((await chat.stored()).at(-1)).trim();
    expect(until(whole, 0.5, 6).startsWith(kept)).toBe(true);
    await chat.shows(kept);
    stage.model.when("killed", ...pieces(whole, 6));
    await chat.get("retry").last().click();
    await chat.ends("complete");
    await chat.shows(whole);
    await stage.app.start();
  });

  test("connections that change replicas all the time lose nothing", async () => {
    const gates = [0.2, 0.4, 0.6, 0.8].map((share): [number, Gate] => [share, new Gate()]);
    stage.model.when("round robin", ...pieces(whole, 6, gates));
    stage.proxy.targets = [stage.app.port, other().port];
    const chat = await stage.visit();
    await chat.ask("round robin");
    for (const [share, gate] of gates) {
      await within("the answer reached its gate", gate.reached);
      stage.proxy.cut();
      await chat.shows(until(whole, share, 6));
      gate.open();
    }
    await chat.ends("complete");
    await chat.shows(whole);
    await expect.poll(() => chat.questions.count()).toBe(1);
  });
}

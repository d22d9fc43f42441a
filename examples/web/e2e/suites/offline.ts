/** A network that goes away and comes back costs nothing but time. */

import { expect, test } from "vitest";
import { Gate, pieces, text } from "../kit/model.ts";
import type { Stage } from "../kit/stage.ts";
import { eventually, within } from "../kit/wait.ts";
import { words } from "./reload.ts";

const AWAY_MS = 5_000;

export function offline(stage: Stage): void {
  test("five seconds without a network in the middle of an answer", async () => {
    const whole = words(120);
    const gate = new Gate();
    stage.model.when("offline", ...pieces(whole, 7, [[0.4, gate]]));
    const chat = await stage.visit();
    await chat.ask("offline");
    await within("the answer is under way", gate.reached);
    stage.proxy.down();
    await eventually("the page tells", () => chat.get("connection").isVisible());
    gate.open();
    expect(await within("the model was heard out", stage.model.about("offline")[0]!.ended)).toBe("whole");
    await chat.page.waitForTimeout(AWAY_MS);
    stage.proxy.up();
    await chat.ends("complete");
    await chat.shows(whole);
    await expect.poll(() => chat.questions.count()).toBe(1);
    await eventually("the page is calm again", async () => !(await chat.get("connection").isVisible()));
  });

  test("a browser that knows that it is offline says so, and is calm at once when it is back", async () => {
    const gate = new Gate();
    stage.model.when("tunnel", ...pieces(words(60), 7, [[0.4, gate]]));
    const chat = await stage.visit();
    await chat.ask("tunnel");
    await within("the answer is under way", gate.reached);
    await chat.person.context.setOffline(true);
    await eventually("the page tells", async () => (await chat.get("connection").getAttribute("data-state")) === "offline");
    gate.open();
    await chat.person.context.setOffline(false);
    await chat.ends("complete");
    await chat.shows(words(60));
    await eventually("the page is calm again", async () => !(await chat.get("connection").isVisible()));
  });

  test("what is said without a network is sent once, when it is back", async () => {
    stage.model.when("into the void", text("Heard."));
    const chat = await stage.visit();
    await chat.talk("hello");
    stage.proxy.down();
    await chat.ask("into the void");
    await eventually("the question is shown", async () => (await chat.questions.count()) === 2);
    stage.proxy.up();
    await chat.shows("Heard.", 40_000);
    await expect.poll(() => chat.questions.count()).toBe(2);
    expect((await chat.stored()).map(({ role }) => role)).toEqual(["user", "assistant", "user", "assistant"]);
    expect(stage.model.about("into the void")).toHaveLength(1);
  });

  test("a connection that is cut at every few words", async () => {
    const whole = words(90);
    const gates = [0.2, 0.4, 0.6, 0.8].map((share): [number, Gate] => [share, new Gate()]);
    stage.model.when("cuts", ...pieces(whole, 3, gates));
    const chat = await stage.visit();
    await chat.ask("cuts");
    for (const [, gate] of gates) {
      await within("the answer reached its gate", gate.reached);
      stage.proxy.cut();
      gate.open();
    }
    await chat.ends("complete");
    await chat.shows(whole);
  });
}

/** Edit and regenerate make branches; the one that is chosen stays chosen. */

import { expect, test } from "vitest";
import { Gate, pieces, text } from "../kit/model.ts";
import type { Stage } from "../kit/stage.ts";
import { eventually, within } from "../kit/wait.ts";
import { words } from "./reload.ts";

export function branches(stage: Stage): void {
  test("an edit is a second branch, and the selection stays over a reload", async () => {
    stage.model.when("Which cat?", text("A black one."));
    stage.model.when("Which dog?", text("None."));
    const chat = await stage.visit();
    await chat.talk("Which cat?");
    await chat.questions.last().hover();
    await chat.questions.last().getByTestId("edit").click();
    await chat.get("edit-input").fill("Which dog?");
    await chat.get("edit-send").click();
    await chat.shows("None.");
    await chat.ends("complete");
    const label = chat.questions.last().getByTestId("branch-label");
    await eventually("there are two branches", async () => (await label.innerText()).trim() === "2/2");
    await chat.questions.last().getByTestId("branch-prev").click();
    await chat.shows("A black one.");
    await eventually("the first is shown", async () => (await label.innerText()).trim() === "1/2");
    await chat.reload();
    await chat.shows("A black one.");
    await eventually("the first is shown", async () => (await label.innerText()).trim() === "1/2");
    await chat.questions.last().getByTestId("branch-next").click();
    await chat.shows("None.");
    await expect.poll(() => chat.questions.count()).toBe(1);
  });

  test("another answer is a branch of the answer", async () => {
    stage.model.when("Again?", text("Once."));
    const chat = await stage.visit();
    await chat.talk("Again?");
    stage.model.when("Again?", text("Twice."));
    await chat.answers.last().hover();
    await chat.answers.last().getByTestId("regenerate").click();
    await chat.shows("Twice.");
    await chat.ends("complete");
    const label = chat.answers.last().getByTestId("branch-label");
    await eventually("there are two answers", async () => (await label.innerText()).trim() === "2/2");
    await chat.answers.last().getByTestId("branch-prev").click();
    await chat.shows("Once.");
    await chat.reload();
    await chat.shows("Once.");
    await expect.poll(() => chat.questions.count()).toBe(1);
  });

  test("a chat that is deleted while it is answered is gone, and its model is let go", async () => {
    const gate = new Gate();
    stage.model.when("doomed", ...pieces(words(40), 4, [[0.5, gate]]));
    const chat = await stage.visit();
    await chat.ask("doomed");
    await within("the answer is under way", gate.reached);
    const id = await chat.id();
    const address = chat.page.url();
    await chat.item(id).waitFor();
    await chat.menu(id, "chat-delete");
    await chat.get("confirm-yes").click();
    await eventually("it is not listed", async () => (await chat.item(id).count()) === 0);
    expect(await within("the model's caller hung up", stage.model.about("doomed")[0]!.ended)).toBe("hung up");
    gate.open();
    await chat.page.goto(address);
    await chat.reload();
    await chat.get("chat-missing").waitFor();
    expect(await chat.item(id).count()).toBe(0);
  });
}

/** A title appears by itself; a person's own wins; without a model's there is the beginning of what was said. */

import { afterEach, expect, test } from "vitest";
import { Gate, text } from "../kit/model.ts";
import type { Stage } from "../kit/stage.ts";
import { eventually, within } from "../kit/wait.ts";

export function titles(stage: Stage): void {
  afterEach(() => {
    stage.model.title = () => [text("A title by the model")];
  });

  test("a title appears without a reload", async () => {
    stage.model.title = (question) => [text(`About ${question}`)];
    const chat = await stage.visit();
    await chat.talk("whiskers");
    const id = await chat.id();
    await eventually("the side bar has it", async () => (await chat.title(id).innerText()).includes("About whiskers"));
    await eventually("the heading has it", async () => (await chat.get("chat-title").innerText()).includes("About whiskers"));
  });

  test("a person's title wins over one that comes later", async () => {
    const gate = new Gate();
    stage.model.title = () => [gate, text("Too late")];
    const chat = await stage.visit();
    await chat.talk("paws");
    await within("a title is being made", gate.reached);
    const id = await chat.id();
    await chat.rename(id, "Mine");
    await eventually("it is renamed", async () => (await chat.title(id).innerText()).includes("Mine"));
    gate.open();
    await within("the title was made", stage.model.asked.findLast(({ isTitle }) => isTitle)!.ended);
    await chat.talk("more paws");
    await expect.poll(() => chat.title(id).innerText()).toContain("Mine");
    await chat.reload();
    await eventually("it is still that", async () => (await chat.title(id).innerText()).includes("Mine"));
  });

  test("a title that cannot be made is the first words", async () => {
    stage.model.title = () => [{ refuse: 500 }];
    const chat = await stage.visit();
    await chat.talk("Do cats dream of mice?");
    const id = await chat.id();
    await eventually("the side bar has the words", async () => (await chat.title(id).innerText()).includes("Do cats dream"));
  });
}

/** For back ends whose titles are the first words. */
export function renaming(stage: Stage): void {
  test("the first words are the title until a person gives one", async () => {
    const chat = await stage.visit();
    await chat.talk("Do cats dream of mice?");
    const id = await chat.id();
    await eventually("the side bar has the words", async () => (await chat.title(id).innerText()).includes("Do cats dream"));
    await chat.rename(id, "Dreams");
    await eventually("it is renamed", async () => (await chat.title(id).innerText()).includes("Dreams"));
    await chat.talk("And birds?");
    await chat.reload();
    await eventually("it is still that", async () => (await chat.title(id).innerText()).includes("Dreams"));
  });
}

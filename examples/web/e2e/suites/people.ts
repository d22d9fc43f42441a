/** The page for all kinds of people: without a mouse, by ear, in the dark, on a phone. */

import { expect, test } from "vitest";
import type { TestId } from "../../src/ui/testids.ts";
import { Gate, pieces, text } from "../kit/model.ts";
import type { Stage } from "../kit/stage.ts";
import { eventually, within } from "../kit/wait.ts";
import { until, words } from "./reload.ts";

export function people(stage: Stage): void {
  test("all of a conversation with keys alone", async () => {
    stage.model.when("one\ntwo", text("Three."));
    const gate = new Gate();
    stage.model.when("long", ...pieces(words(50), 5, [[0.5, gate]]));
    const chat = await stage.visit();
    const { keyboard } = chat.page;
    const focused = (id: string) => eventually(`${id} has the focus`, () => chat.get(id as "composer").evaluate((element) => element === document.activeElement));
    await keyboard.press("Control+Shift+O");
    await focused("composer");
    await keyboard.type("one");
    await keyboard.press("Shift+Enter");
    await keyboard.type("two");
    await keyboard.press("Enter");
    await chat.shows("Three.");
    await chat.ends("complete");
    await focused("composer");
    await keyboard.type("long");
    await keyboard.press("Enter");
    await within("the answer is under way", gate.reached);
    await eventually("stop is there", () => chat.get("stop").isVisible());
    await keyboard.press("Escape");
    await chat.ends("cancelled");
    gate.open();
    await keyboard.press("Control+Shift+O");
    await focused("composer");
    await expect.poll(() => chat.get("chat").getAttribute("data-chat")).toBe("new");
    await keyboard.press("Control+K");
    await focused("search");
    await keyboard.type("Three");
    await eventually("it is found", async () => (await chat.get("search-hit").count()) > 0);
    await reach(keyboard, () => chat.page.evaluate(() => document.activeElement?.closest('[data-testid="search-hit"]') != null));
    await keyboard.press("Enter");
    await chat.ends("cancelled");
    await expect.poll(() => chat.questions.count()).toBe(2);
  });

  test("menus and dialogs take the focus, and give it back", async () => {
    const chat = await stage.visit();
    await chat.talk("menus");
    const id = await chat.id();
    const { keyboard } = chat.page;
    const focused = (name: TestId) =>
      eventually(`${name} has the focus`, () => chat.page.evaluate((it) => (document.activeElement as HTMLElement).dataset["testid"] === it, name));
    const button = chat.item(id).getByTestId("chat-menu");
    await button.focus();
    await keyboard.press("Enter");
    await focused("chat-rename");
    await keyboard.press("Escape");
    await focused("chat-menu");
    await expect.poll(() => button.getAttribute("aria-expanded")).toBe("false");
    await keyboard.press("Enter");
    await focused("chat-rename");
    await keyboard.press("Enter");
    await focused("chat-rename-input");
    await keyboard.type("By keys");
    await keyboard.press("Enter");
    await focused("chat-open");
    await expect.poll(() => chat.title(id).innerText()).toBe("By keys");
    await button.focus();
    await keyboard.press("Enter");
    await focused("chat-rename");
    await keyboard.press("End");
    await focused("chat-delete");
    await keyboard.press("Enter");
    // What cannot be undone is not what a second Enter does.
    await focused("confirm-no");
    await keyboard.press("Escape");
    await focused("chat-menu");
    expect(await chat.item(id).count()).toBe(1);
  });

  test("what is being composed with an input method is not sent", async () => {
    const chat = await stage.visit();
    await chat.get("composer").fill("にほんご");
    await chat.get("composer").dispatchEvent("keydown", { key: "Enter", isComposing: true, keyCode: 229 });
    expect(await chat.questions.count()).toBe(0);
    await expect.poll(() => chat.get("composer").inputValue()).toBe("にほんご");
  });

  test("an answer is read out once, when it is whole", async () => {
    stage.model.when("aloud", ...pieces("One two three four five six.", 2));
    const chat = await stage.visit();
    await chat.get("announcer").evaluate((region) => {
      const said: string[] = ((window as unknown as { said: string[] }).said = []);
      const note = () => region.textContent && said.at(-1) !== region.textContent && said.push(region.textContent);
      new MutationObserver(note).observe(region, { childList: true, characterData: true, subtree: true });
    });
    await chat.talk("aloud");
    await eventually("it was said", () => chat.page.evaluate(() => (window as unknown as { said: string[] }).said.length > 0));
    const said = await chat.page.evaluate(() => (window as unknown as { said: string[] }).said);
    expect(said).toHaveLength(1);
    expect(said[0]).toContain("One two three four five six.");
    expect(await chat.page.locator('[aria-live="polite"]:not([data-testid="announcer"])').count()).toBe(0);
  });

  test("the theme is remembered, and dark is dark", async () => {
    const chat = await stage.visit({ colorScheme: "light" });
    const dark = () => chat.page.evaluate(() => document.documentElement.dataset["theme"] ?? "system");
    const brightness = () =>
      chat.page.evaluate(() => {
        const rgb = getComputedStyle(document.body).backgroundColor.match(/[\d.]+/g)?.slice(0, 3).map(Number) ?? [];
        return rgb.reduce((sum, part) => sum + part, 0) / 3;
      });
    await expect.poll(brightness).toBeGreaterThan(128);
    for (let clicks = 0; (await dark()) !== "dark" && clicks < 3; clicks += 1) await chat.get("theme").click();
    await eventually("it is dark", async () => (await dark()) === "dark");
    await eventually("it looks dark", async () => (await brightness()) < 128);
    await chat.reload();
    await expect.poll(dark).toBe("dark");
    await expect.poll(brightness).toBeLessThan(128);
  });

  test("an answer that grows stays in sight, unless its reader has scrolled away", async () => {
    const [half, end] = [new Gate(), new Gate()];
    const lines = Array.from({ length: 120 }, (_, n) => `line ${n}\n\n`).join("");
    stage.model.when("scroll", ...pieces(lines, 12, [[0.5, half], [0.9, end]]));
    const chat = await stage.visit();
    const below = () => chat.get("messages").evaluate((it) => it.scrollHeight - it.scrollTop - it.clientHeight);
    await chat.ask("scroll");
    await within("the answer is half there", half.reached);
    // All of it, so that nothing grows below the reader while the wheel turns.
    await chat.shows(until(lines, 0.5, 12));
    await eventually("its end is in sight", async () => (await below()) < 1);
    await chat.get("messages").hover();
    await chat.page.mouse.wheel(0, -600);
    // A wheel may turn smoothly: where it comes to rest is a whole turn away.
    await eventually("the reader is elsewhere", async () => (await below()) > 599);
    const top = () => chat.get("messages").evaluate((it) => it.scrollTop);
    const there = await top();
    half.open();
    await within("the answer goes on", end.reached);
    await eventually("more of it is there", async () => (await chat.said()).includes("line 105"));
    expect(Math.abs((await top()) - there)).toBeLessThan(5);
    await chat.get("jump").click();
    await eventually("its end is in sight again", async () => (await below()) < 60);
    end.open();
    await chat.ends("complete");
    await eventually("and stays there", async () => (await below()) < 60);
  });

  test("on a phone nothing sticks out, and the side bar is a drawer", async () => {
    stage.model.when("phone", text(`A very long line: ${"x".repeat(400)}\n\n\`\`\`\n${"y".repeat(400)}\n\`\`\`\n\n| a | b |\n| - | - |\n| ${"z".repeat(80)} | 2 |`));
    const chat = await stage.visit({ viewport: { width: 390, height: 844 }, hasTouch: true, isMobile: true });
    const fits = () => chat.page.evaluate(() => document.documentElement.scrollWidth <= window.innerWidth);
    await expect.poll(fits).toBe(true);
    // On a phone Enter is a new line.
    await chat.get("composer").fill("phone");
    await chat.get("send").tap();
    await chat.ends("complete");
    await expect.poll(fits).toBe(true);
    await expect.poll(() => chat.get("sidebar").getAttribute("data-open")).toBe("false");
    await chat.get("sidebar-open").tap();
    await eventually("the drawer is open", async () => (await chat.get("sidebar").getAttribute("data-open")) === "true");
    const id = await chat.id();
    await eventually("the chat is in it", () => chat.item(id).isVisible());
    await expect.poll(fits).toBe(true);
    await chat.get("new-chat").tap();
    await eventually("the drawer is closed", async () => (await chat.get("sidebar").getAttribute("data-open")) === "false");
    await expect.poll(fits).toBe(true);
  });
}

/** Presses Tab, and then Shift+Tab, until it is there: whatever stands between, it can be reached. */
async function reach(keyboard: { press(key: string): Promise<void> }, there: () => Promise<boolean>): Promise<void> {
  for (const key of ["Tab", "Shift+Tab"]) {
    for (let steps = 0; steps < 40; steps += 1) {
      if (await there()) return;
      await keyboard.press(key);
    }
  }
  throw new Error("it cannot be reached with Tab");
}

/** What the model said is what is stored and what is seen, character for character. */

import { expect, test } from "vitest";
import { pieces, reasoning, text } from "../kit/model.ts";
import { textOf } from "../kit/page.ts";
import type { Stage } from "../kit/stage.ts";
import { eventually } from "../kit/wait.ts";

const CODE = 'def purr(n):\n\n\tif n < 0:\n        return "data: no"\n    return "🐈‍⬛" * n  # <b>&amp;</b>\n';
const ANSWER = [
  "First line.\nSecond line, same paragraph.\n\nA new paragraph with data: and id: 7 in it.\n\n",
  "```python\n" + CODE + "```\n\n",
  "- one\n- two\n\n",
  "مرحبا بالعالم، هذه قطة.\n\n",
  "שלום עולם 👩‍👩‍👧‍👦 ",
  "é e\u0301 𝕏 🐾",
].join("");

export function fidelity(stage: Stage): void {
  test("newlines, code, emoji and right-to-left text are seen as they are stored", async () => {
    // A piece a character: emoji are cut between the parts of which they consist.
    stage.model.when("fidelity", reasoning("Let me think."), ...pieces(ANSWER, 1));
    const chat = await stage.visit();
    await chat.talk("fidelity");
    await eventually("its end is seen", async () => (await chat.said()).endsWith("🐾"));
    const live = await chat.said();
    const [question, answer] = (await chat.stored()).slice(-2);
    expect(textOf(question)).toBe("fidelity");
    expect(textOf(answer)).toBe(ANSWER);
    const shown = chat.answers.last().getByTestId("message-text");
    // The newline before the closing fence ends the line; a page may show it or not.
    await expect.poll(async () => (await shown.locator("pre code").textContent())?.replace(/\n$/, "")).toBe(CODE.replace(/\n$/, ""));
    await expect.poll(() => shown.locator("li").allTextContents()).toEqual(["one", "two"]);
    for (const words of ["مرحبا بالعالم، هذه قطة.", "שלום עולם 👩‍👩‍👧‍👦 é e\u0301 𝕏 🐾", "A new paragraph with data: and id: 7 in it."]) {
      expect(live).toContain(words);
    }
    await chat.reload();
    await chat.ends("complete");
    await chat.shows(live);
  });

  test("a question is kept as it was typed", async () => {
    const question = "line one\n\n  indented <script>alert(1)</script> **no markdown** 🐈\nline three";
    stage.model.when(question, text("Understood."));
    const chat = await stage.visit();
    await chat.talk(question);
    await expect.poll(() => chat.questions.last().getByTestId("message-text").textContent()).toBe(question);
    await eventually("it is stored", async () => textOf((await chat.stored()).at(-2)) === question);
  });

  test("a script in an answer stays text", async () => {
    const evil = [
      "<script>window.pwned = 1</script>",
      '<img src="x" onerror="window.pwned = 2">',
      "[click](javascript:window.pwned=3) ![x](javascript:window.pwned=4)",
      '<svg onload="window.pwned=5"></svg><iframe srcdoc="<script>parent.pwned=6</script>"></iframe>',
      "[data](data:text/html,<script>window.pwned=7</script>)",
    ].join("\n\n");
    stage.model.when("evil", ...pieces(evil, 7));
    const chat = await stage.visit();
    await chat.talk("evil");
    for (const when of ["live", "reloaded"]) {
      const inside = chat.get("messages");
      expect(await inside.locator("script, iframe, svg[onload], [onerror], img[src='x']").count(), when).toBe(0);
      const links = await inside.locator("a").evaluateAll((all) => all.map((link) => link.getAttribute("href") ?? ""));
      expect(links.filter((href) => /^\s*(javascript|data):/i.test(href)), when).toEqual([]);
      for (const link of await inside.locator("a").all()) await link.click({ timeout: 2_000, noWaitAfter: true }).catch(() => {});
      expect(await chat.page.evaluate(() => (window as { pwned?: number }).pwned), when).toBe(undefined);
      await chat.reload();
      await chat.ends("complete");
    }
    expect(textOf((await chat.stored()).at(-1))).toBe(evil);
  });
}

/** A long chat opens at its end, at once, and scrolls to its beginning; a long answer leaves the keys alone. */

import { expect, test } from "vitest";
import { pieces } from "../kit/model.ts";
import type { Stage } from "../kit/stage.ts";
import { eventually } from "../kit/wait.ts";

export const LONG = { id: "4242", messages: 2_000 };

/** Fifty answers take a minute on a machine that is shared, and no wait among them has this as its deadline. */
const FIFTY_MS = 300_000;

/** The long chat, in the engine's own form of exports. */
export function longChat(): string {
  const { id, messages } = LONG;
  const now = Date.UTC(2026, 0, 1);
  const head = { type: "session", v: 1, messages, id, title: "A long chat", head: messages, created_ms: now, updated_ms: now };
  const lines: object[] = [head];
  for (let seq = 1; seq <= messages; seq += 1) {
    const role = seq % 2 ? "user" : "assistant";
    const said = role === "user" ? `Question ${seq}` : `Answer ${seq}.\n\n\`\`\`js\nconst n = ${seq};\n\`\`\`\n\nAnd **some** more words about it.`;
    lines.push({ type: "message", seq, parent: seq === 1 ? null : seq - 1, role, status: "complete", content: [{ type: "text", text: said }], created_ms: now + seq });
  }
  return `${lines.map((line) => JSON.stringify(line)).join("\n")}\n`;
}

/** For a stage whose store has the long chat. */
export function long(stage: Stage): void {
  test("2 000 messages open within a second and scroll to the first one", async () => {
    const chat = await stage.visit();
    await chat.item(LONG.id).waitFor();
    const newest = chat.page.locator(`[data-testid="message"][data-seq="${LONG.messages}"]`);
    const began = Date.now();
    await chat.title(LONG.id).click();
    await newest.waitFor();
    const took = Date.now() - began;
    console.info(`a chat of ${LONG.messages} messages opened in ${took} ms`);
    // A second is the promise; on a machine that tests share with others, its order of magnitude.
    expect(took).toBeLessThan(5_000);
    await expect.poll(() => newest.getByTestId("message-text").innerText()).toContain(`Answer ${LONG.messages}.`);
    const first = chat.page.locator('[data-testid="message"][data-seq="1"]');
    const scroller = chat.get("messages");
    await eventually(
      "the first message is reached",
      async () => {
        await scroller.evaluate((element) => (element.scrollTop = 0));
        return (await first.count()) === 1;
      },
      45_000,
    );
    // Far messages keep their place and not their words.
    const drawn = await chat.get("message-text").count();
    console.info(`${drawn} of them are drawn at its beginning`);
    expect(drawn).toBeLessThan(200);
    await expect.poll(() => first.getByTestId("message-text").innerText()).toBe("Question 1");
  });

  test("an answer of 10 000 words leaves typing smooth", async () => {
    const whole = Array.from({ length: 10_000 }, (_, n) => (n % 20 === 19 ? `w${n}\n\n` : `w${n} `)).join("");
    stage.model.when("ten thousand", ...pieces(whole, 40));
    const chat = await stage.visit();
    await chat.ask("ten thousand");
    await eventually("it is under way", async () => (await chat.said()).includes("w100"));
    const began = Date.now();
    await chat.get("composer").pressSequentially("typed meanwhile");
    console.info(`15 keys while an answer runs: ${Date.now() - began} ms`);
    await expect.poll(() => chat.get("composer").inputValue()).toBe("typed meanwhile");
    await chat.ends("complete", 60_000);
    expect((await chat.said()).split(/\s+/)).toEqual(whole.trim().split(/\s+/));
  });

  test("fifty answers leave the page's memory nearly as it was", async () => {
    const answer = `${"Purr, purr. ".repeat(150)}\n\n\`\`\`js\nmeow();\n\`\`\``;
    stage.model.when("once more", ...pieces(answer, 200));
    const chat = await stage.visit();
    const heap = await chat.page.context().newCDPSession(chat.page);
    const used = async (): Promise<number> => {
      await heap.send("HeapProfiler.collectGarbage");
      return (await heap.send("Runtime.getHeapUsage")).usedSize;
    };
    for (let n = 0; n < 10; n += 1) await chat.talk("once more");
    const early = await used();
    for (let n = 0; n < 40; n += 1) await chat.talk("once more");
    const each = ((await used()) - early) / 40;
    console.info(`the page keeps ${Math.round(each / 1024)} KiB an answer`);
    // Its text and its place, and not every state that it went through.
    expect(each).toBeLessThan(128 * 1024);
  }, FIFTY_MS);
}

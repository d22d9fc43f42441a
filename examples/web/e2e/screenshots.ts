/**
 * `npm run screenshots`: each application at both themes and both widths, into `target/screenshots/`.
 * `APPS=mychatgpt,axum` makes those of some.
 */

import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { type Name, ROOT } from "./kit/apps.ts";
import { Gate, reasoning, text } from "./kit/model.ts";
import type { Chat } from "./kit/page.ts";
import { stage, type Stage } from "./kit/stage.ts";
import { within } from "./kit/wait.ts";

const FOLDER = join(ROOT, "target/screenshots");
const PAGES: Name[] = ["catgpt-fastapi", "mychatgpt", "codhechat", "chat-redis", "node-express", "axum"];
const APPS = process.env["APPS"]?.split(",") ?? [...PAGES, "streamlit"];

const SIZES = { desktop: { width: 1280, height: 800 }, phone: { width: 390, height: 844 } };

const ANSWER = `Three quiet days, then. A sketch:

1. **Higashiyama** before breakfast, when the lanes are empty
2. The *Philosopher's Path*, and the cats that live on it
3. Fushimi Inari at dusk

\`\`\`python
def pack(days: int) -> list[str]:
    """Less than you think."""
    return ["socks"] * days + ["umbrella"]
\`\`\`

| day | where | cats |
| --- | --- | --- |
| 1 | Gion | 2 |
| 2 | Kurama | 5 |

> Trains leave on time. So should you.`;

type Theme = "light" | "dark";
type Shoot = (stage: Stage, theme: Theme, size: string, viewport: { width: number; height: number }) => Promise<void>;

const chosen: [Name, Shoot][] = [...PAGES.map((name): [Name, Shoot] => [name, shoot]), ["streamlit", shootStreamlit]];
describe.each(chosen.filter(([name]) => APPS.includes(name)))("%s", (name, shot) => {
  const it = stage(name);
  test.each(["light", "dark"] as const)("%s", async (theme) => {
    await mkdir(FOLDER, { recursive: true });
    for (const [size, viewport] of Object.entries(SIZES)) await shot(it, theme, size, viewport);
  });
});

/** Streamlit draws its own page. */
async function shootStreamlit(stage: Stage, colorScheme: Theme, size: string, viewport: { width: number; height: number }): Promise<void> {
  const { context } = await stage.person({ colorScheme, viewport });
  const page = await context.newPage();
  await page.goto(stage.proxy.url);
  stage.model.when("Plan three days in Kyoto", text(ANSWER));
  const box = page.getByTestId("stChatInputTextArea");
  await box.fill("Plan three days in Kyoto");
  await box.press("Enter");
  await page.getByText("So should you.").waitFor();
  await page.screenshot({ animations: "disabled", path: join(FOLDER, `${stage.name}-answer-${size}-${colorScheme}.png`) });
}

async function shoot(stage: Stage, colorScheme: Theme, size: string, viewport: { width: number; height: number }): Promise<void> {
  const phone = size === "phone";
  const chat = await stage.visit({ colorScheme, reducedMotion: "reduce", viewport, isMobile: phone, hasTouch: phone, deviceScaleFactor: phone ? 2 : 1 });
  const take = (scene: string) => chat.page.screenshot({ animations: "disabled", path: join(FOLDER, `${stage.name}-${scene}-${size}-${colorScheme}.png`) });
  await take("empty");
  stage.model.when("Plan three days in Kyoto", reasoning("They like quiet places. Early mornings, then."), text(ANSWER));
  await say(chat, "Plan three days in Kyoto");
  await chat.ends("complete");
  await take("answer");
  const gate = new Gate();
  stage.model.when("And if it rains?", reasoning("Rain…"), text("Then the covered market of **Nishiki**, and after that"), gate);
  await say(chat, "And if it rains?");
  await within("the answer is under way", gate.reached);
  await chat.shows("Then the covered market of Nishiki, and after that");
  await take("running");
  await chat.get("stop").click();
  await chat.ends("cancelled");
  if (phone) await drawer(chat);
  await take("chats");
  await chat.page.goto(`${stage.proxy.url}/#/usage`);
  await chat.get("usage-by-day").waitFor();
  await take("usage");
  expect(stage.broken).toEqual([]);
}

async function say(chat: Chat, text: string): Promise<void> {
  await chat.get("composer").fill(text);
  await chat.get("send").click();
}

async function drawer(chat: Chat): Promise<void> {
  await chat.get("sidebar-open").click();
  await chat.page.locator('[data-testid="sidebar"][data-open="true"]').waitFor();
}

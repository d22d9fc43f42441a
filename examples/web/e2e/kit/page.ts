/** The page as a person uses it, by the names of `src/ui/testids.ts`. */

import type { Locator, Page } from "playwright-core";
import { expect } from "vitest";
import type { TestId } from "../../src/ui/testids.ts";
import type { Capabilities, History, Message, Spent } from "../../src/api/types.ts";
import type { Person } from "./stage.ts";
import { DEADLINE_MS, eventually } from "./wait.ts";

export class Chat {
  constructor(
    readonly page: Page,
    readonly person: Person,
  ) {
    page.setDefaultTimeout(DEADLINE_MS);
  }

  get(id: TestId): Locator {
    return this.page.getByTestId(id);
  }

  async ready(): Promise<void> {
    await this.page.locator('[data-testid="app"][data-ready="true"]').waitFor();
  }

  async reload(): Promise<void> {
    await this.page.reload();
    await this.ready();
  }

  /** Says something, with Enter. */
  async ask(text: string): Promise<void> {
    await this.get("composer").fill(text);
    await this.get("composer").press("Enter");
  }

  /** Says something and waits for the whole answer. Gives the answer's text. */
  async talk(text: string): Promise<string> {
    const before = await this.answers.count();
    await this.ask(text);
    await eventually(`an answer to ${text}`, async () => (await this.answers.count()) > before);
    await this.ends("complete");
    return this.said();
  }

  get questions(): Locator {
    return this.page.locator('[data-testid="message"][data-role="user"]');
  }

  get answers(): Locator {
    return this.page.locator('[data-testid="message"][data-role="assistant"]');
  }

  /** The text of the newest answer, as it is seen. */
  async said(): Promise<string> {
    const text = this.answers.last().getByTestId("message-text");
    return (await text.count()) === 0 ? "" : (await text.innerText()).trim();
  }

  async status(): Promise<string | null> {
    return (await this.answers.count()) === 0 ? null : this.answers.last().getAttribute("data-status");
  }

  /** Waits until the newest answer has this status. */
  async ends(status: string, timeout = DEADLINE_MS): Promise<void> {
    await expect.poll(() => this.status(), { timeout, message: `the answer is ${status}` }).toBe(status);
  }

  /** Waits until the newest answer shows exactly this: that a model has said it does not mean that it is painted. */
  async shows(text: string, timeout = DEADLINE_MS): Promise<void> {
    await expect.poll(() => this.said(), { timeout, message: "the answer shows its text" }).toBe(text);
  }

  /** The chat that is shown; it has an id once its first answer began. */
  async id(): Promise<string> {
    let id = "new";
    await eventually("the chat has an id", async () => (id = (await this.get("chat").getAttribute("data-chat")) ?? "new") !== "new");
    return id;
  }

  /** Its entry in the side bar. */
  item(id: string): Locator {
    return this.page.locator(`[data-testid="chat-item"][data-chat="${id}"]`);
  }

  title(id: string): Locator {
    return this.item(id).getByTestId("chat-open");
  }

  /** What stands in the menu of a chat's entry. */
  async menu(id: string, choice: TestId): Promise<void> {
    await this.item(id).hover();
    await this.item(id).getByTestId("chat-menu").click();
    await this.get(choice).click();
  }

  async rename(id: string, title: string): Promise<void> {
    await this.menu(id, "chat-rename");
    await this.get("chat-rename-input").fill(title);
    await this.get("chat-rename-input").press("Enter");
  }

  /** A call of this person's own, as the page would make it. */
  async call<T>(path: (api: string) => string): Promise<T> {
    const { origin } = new URL(this.page.url());
    const capabilities = (await (await this.person.context.request.get(`${origin}/capabilities`)).json()) as Capabilities;
    const token = await this.page.evaluate(
      (slot) => (JSON.parse(localStorage.getItem(slot) ?? "{}") as { access_token?: string }).access_token,
      `catgpt.guest.${capabilities.app}`,
    );
    const headers = token === undefined ? {} : { authorization: `Bearer ${token}` };
    const response = await this.person.context.request.get(origin + path(capabilities.api), { headers });
    expect(response.ok(), `${path(capabilities.api)}: ${response.status()}`).toBe(true);
    return (await response.json()) as T;
  }

  /** The messages of the branch that is shown, as they are stored. */
  async stored(): Promise<Message[]> {
    const id = await this.id();
    return (await this.call<History>((api) => `${api}/sessions/${encodeURIComponent(id)}/messages?last=200`)).messages;
  }

  async usage(): Promise<Spent[]> {
    return (await this.call<{ usage: Spent[] }>((api) => `${api}/usage?by=day,model`)).usage;
  }
}

/** The text of a stored message. */
export function textOf(message: Message | undefined): string {
  return (message?.content ?? []).map((part) => (part.type === "text" ? part.text : "")).join("");
}

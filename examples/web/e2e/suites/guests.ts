/** Guests: whose token ends, who become somebody, and who look where they may not. */

import { expect, test } from "vitest";
import { Gate, pieces, text } from "../kit/model.ts";
import type { Chat } from "../kit/page.ts";
import type { Stage } from "../kit/stage.ts";
import { eventually, within } from "../kit/wait.ts";
import { words } from "./reload.ts";

export function foreign(stage: Stage): void {
  test("another guest's link opens nothing", async () => {
    stage.model.when("my secret", text("I keep it."));
    const owner = await stage.visit();
    await owner.talk("my secret");
    const address = owner.page.url();
    const stranger = await (await stage.person()).tab(address);
    await stranger.get("chat-missing").waitFor();
    expect(await stranger.page.content()).not.toContain("my secret");
    expect(await stranger.get("chat-item").count()).toBe(0);
  });

  test("a guest stays the same over a reload and in a second tab", async () => {
    const person = await stage.person();
    const chat = await person.tab();
    await chat.talk("remember me");
    const id = await chat.id();
    await chat.reload();
    await chat.item(id).waitFor();
    await (await person.tab()).item(id).waitFor();
  });
}

async function account(chat: Chat, name: string, password: string, button: "account-submit" | "account-register"): Promise<void> {
  await chat.get("open-account").click();
  await chat.get("account-name").fill(name);
  await chat.get("account-password").fill(password);
  await chat.get(button).click();
  await eventually(`${name} is signed in`, async () => (await chat.get("open-account").innerText()).includes(name));
}

export function accounts(stage: Stage): void {
  test("a guest who makes an account keeps the chats, in any browser", async () => {
    stage.model.when("before", text("As a guest."));
    stage.model.when("after", text("As somebody."));
    const first = await stage.visit();
    await first.talk("before");
    const id = await first.id();
    await account(first, "tom", "a long password", "account-register");
    await first.item(id).waitFor();
    await first.title(id).click();
    await first.shows("As a guest.");
    await first.talk("after");

    const second = await stage.visit();
    await account(second, "tom", "a long password", "account-submit");
    await second.item(id).waitFor();
    await second.title(id).click();
    await second.shows("As somebody.");
    await expect.poll(() => second.questions.count()).toBe(2);
  });

  test("a wrong password is told and changes nothing", async () => {
    const chat = await stage.visit();
    await chat.talk("mine");
    const id = await chat.id();
    await account(await stage.visit(), "ada", "the right password", "account-register");
    await chat.get("open-account").click();
    await chat.get("account-name").fill("ada");
    await chat.get("account-password").fill("a wrong password");
    await chat.get("account-submit").click();
    await chat.page.getByRole("alert").waitFor();
    await chat.reload();
    await chat.item(id).waitFor();
  });
}

/** For a stage whose tokens last `seconds`. */
export function expiry(stage: Stage, seconds: number): void {
  test("a token that ends in the middle of an answer is renewed, and nobody notices", async () => {
    const whole = words(80);
    const gate = new Gate();
    stage.model.when("patience", ...pieces(whole, 5, [[0.5, gate]]));
    const chat = await stage.visit();
    await chat.ask("patience");
    await within("the answer is under way", gate.reached);
    const first = await token(chat);
    await eventually("there is another token", async () => (await token(chat)).access_token !== first.access_token);
    await eventually("the first one has ended", () => Date.now() > first.ends_ms + 500, seconds * 1000 + 5_000);
    gate.open();
    await chat.ends("complete");
    await chat.shows(whole);
    expect((await token(chat)).user_id).toBe(first.user_id);
  });

  test("a token that cannot be renewed in time closes the socket, and the answer goes on with the next one", async () => {
    const whole = words(80);
    const gate = new Gate();
    stage.model.when("late", ...pieces(whole, 5, [[0.5, gate]]));
    const person = await stage.person();
    const chat = await person.tab();
    await chat.ask("late");
    await within("the answer is under way", gate.reached);
    const first = await token(chat);
    await person.context.route("**/auth/refresh", (route) => route.abort());
    await eventually("the page is not connected", () => chat.get("connection").isVisible(), seconds * 1000 + 10_000);
    await person.context.unroute("**/auth/refresh");
    gate.open();
    await chat.ends("complete");
    await chat.shows(whole);
    expect((await token(chat)).user_id).toBe(first.user_id);
    await expect.poll(() => chat.questions.count()).toBe(1);
  });
}

interface Token {
  access_token: string;
  user_id: string;
  ends_ms: number;
}

async function token(chat: Chat): Promise<Token> {
  const kept = await chat.page.evaluate(() => {
    const slot = Object.keys(localStorage).find((name) => name.startsWith("catgpt.guest."));
    return slot === undefined ? null : localStorage.getItem(slot);
  });
  return JSON.parse(kept ?? "{}") as Token;
}

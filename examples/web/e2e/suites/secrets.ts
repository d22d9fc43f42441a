/** The key of the model is known to the server alone. */

import { expect, test } from "vitest";
import { KEY } from "../kit/model.ts";
import type { Stage } from "../kit/stage.ts";

export function secrets(stage: Stage): void {
  test("the key is nowhere: not in the page, its storage, addresses, answers or logs, also when the model fails", async () => {
    stage.model.when("fails", { refuse: 401 });
    const person = await stage.person();
    const bodies: Promise<string>[] = [];
    const addresses: string[] = [];
    person.context.on("request", (request) => addresses.push(request.url()));
    person.context.on("response", (response) => bodies.push(response.text().catch(() => "")));
    const chat = await person.tab();
    chat.page.on("websocket", (socket) => {
      addresses.push(socket.url());
      socket.on("framereceived", ({ payload }) => bodies.push(Promise.resolve(String(payload))));
    });
    await chat.reload();
    await chat.talk("works");
    await chat.ask("fails");
    await chat.ends("failed");
    expect(stage.model.asked.at(-1)?.authorization).toBe(`Bearer ${KEY}`);
    const kept = await chat.page.evaluate(() => JSON.stringify([localStorage, sessionStorage, document.cookie]));
    const state = JSON.stringify(await person.context.storageState());
    const places = { page: await chat.page.content(), kept, state, addresses: addresses.join("\n"), log: stage.app.log };
    for (const [place, text] of Object.entries(places)) expect(text.includes(KEY), place).toBe(false);
    // A stream that still runs, such as the feed, has no whole body.
    await chat.page.close();
    for (const body of await Promise.all(bodies)) expect(body.includes(KEY)).toBe(false);
  });

  test("a token stands in no address", async () => {
    const person = await stage.person();
    const addresses: string[] = [];
    person.context.on("request", (request) => addresses.push(request.url()));
    const chat = await person.tab();
    chat.page.on("websocket", (socket) => addresses.push(socket.url()));
    await chat.reload();
    await chat.talk("hello");
    const tokens = await chat.page.evaluate(() => JSON.stringify(localStorage).match(/eyJ[\w-]+\.[\w-]+\.[\w-]+/g) ?? []);
    for (const token of tokens) expect(addresses.some((address) => address.includes(token))).toBe(false);
    expect(chat.page.url()).not.toContain("eyJ");
  });
}

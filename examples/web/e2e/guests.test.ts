/** Identity by token: accounts, and tokens that end. */

import { describe } from "vitest";
import { stage } from "./kit/stage.ts";
import { accounts, expiry, foreign } from "./suites/guests.ts";

describe("codhechat", () => {
  const it = stage("codhechat");
  for (const suite of [foreign, accounts]) suite(it);
});

describe("chat-redis", () => foreign(stage("chat-redis")));

const SECONDS = 9;
describe("tokens of a few seconds", () => expiry(stage("codhechat", { env: { TOKEN_MINUTES: String(SECONDS / 60) } }), SECONDS));

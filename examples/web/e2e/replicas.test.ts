/** 003 as it is meant to run: two replicas, Redis between them, a plain proxy before them. */

import { afterAll, beforeAll, describe } from "vitest";
import { App } from "./kit/app.ts";
import { type Redis, redis } from "./kit/redis.ts";
import { Stage, stageOf } from "./kit/stage.ts";
import { replicas } from "./suites/replicas.ts";

describe("chat-redis with two replicas", () => {
  const env: Record<string, string> = {};
  const it = new Stage("chat-redis", { env });
  let between: Redis;
  let other: App;
  beforeAll(async () => {
    between = await redis();
    env["REDIS_URL"] = between.url;
    // The scratch server of `cargo xtask test`; without one, a file that both replicas open.
    const { DATABASE_URL } = process.env;
    if (DATABASE_URL?.startsWith("postgres")) env["DATABASE_URL"] = DATABASE_URL;
  });
  stageOf(it);
  beforeAll(async () => {
    other = await App.start("chat-redis", it.model, { env, folder: it.app.folder });
  });
  replicas(it, () => other);
  afterAll(async () => {
    await other?.stop();
    await between?.close();
  });
});

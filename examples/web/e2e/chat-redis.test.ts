/** 003: a web socket with task ids. */

import { describe } from "vitest";
import { stage } from "./kit/stage.ts";
import { fidelity } from "./suites/fidelity.ts";
import { offline } from "./suites/offline.ts";
import { reload } from "./suites/reload.ts";
import { secrets } from "./suites/secrets.ts";
import { stopping } from "./suites/stopping.ts";
import { tabs } from "./suites/tabs.ts";
import { renaming } from "./suites/titles.ts";

describe("chat-redis", () => {
  const it = stage("chat-redis");
  for (const suite of [fidelity, reload, tabs, stopping, offline, renaming, secrets]) suite(it);
});

/** 002: a web socket with request ids, and guests. */

import { describe } from "vitest";
import { stage } from "./kit/stage.ts";
import { branches } from "./suites/branches.ts";
import { fidelity } from "./suites/fidelity.ts";
import { offline } from "./suites/offline.ts";
import { reload } from "./suites/reload.ts";
import { secrets } from "./suites/secrets.ts";
import { stopping } from "./suites/stopping.ts";
import { tabs } from "./suites/tabs.ts";
import { renaming } from "./suites/titles.ts";

describe("codhechat", () => {
  const it = stage("codhechat");
  for (const suite of [fidelity, reload, tabs, stopping, offline, branches, renaming, secrets]) suite(it);
});

/** 001: a stream of bare text. */

import { describe } from "vitest";
import { stage } from "./kit/stage.ts";
import { branches } from "./suites/branches.ts";
import { crash } from "./suites/crash.ts";
import { fidelity } from "./suites/fidelity.ts";
import { reload } from "./suites/reload.ts";
import { secrets } from "./suites/secrets.ts";
import { stopping } from "./suites/stopping.ts";
import { tabs } from "./suites/tabs.ts";
import { titles } from "./suites/titles.ts";

describe("mychatgpt", () => {
  const it = stage("mychatgpt");
  for (const suite of [fidelity, reload, tabs, stopping, crash, branches, titles, secrets]) suite(it);
});

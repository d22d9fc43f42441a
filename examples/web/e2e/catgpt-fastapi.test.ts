/** 000 on FastAPI: server-sent events. */

import { describe } from "vitest";
import { stage } from "./kit/stage.ts";
import { crash } from "./suites/crash.ts";
import { fidelity } from "./suites/fidelity.ts";
import { offline } from "./suites/offline.ts";
import { pictures } from "./suites/pictures.ts";
import { reload } from "./suites/reload.ts";
import { secrets } from "./suites/secrets.ts";
import { stopping } from "./suites/stopping.ts";
import { tabs } from "./suites/tabs.ts";

describe("catgpt-fastapi", () => {
  const it = stage("catgpt-fastapi");
  for (const suite of [fidelity, reload, tabs, stopping, offline, crash, secrets, pictures]) suite(it);
});

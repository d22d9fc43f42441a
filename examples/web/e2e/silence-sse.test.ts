/** The idle connection of a thinking model, over server-sent events. */

import { describe } from "vitest";
import { stage } from "./kit/stage.ts";
import { IDLE_MS, silence } from "./suites/silence.ts";

describe("catgpt-fastapi behind an impatient proxy", () => {
  silence(stage("catgpt-fastapi", { idleMs: IDLE_MS }));
});

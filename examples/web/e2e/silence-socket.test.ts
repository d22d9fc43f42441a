/** The idle connection of a thinking model, over a web socket. */

import { describe } from "vitest";
import { stage } from "./kit/stage.ts";
import { IDLE_MS, silence } from "./suites/silence.ts";

describe("codhechat behind an impatient proxy", () => {
  silence(stage("codhechat", { idleMs: IDLE_MS }));
});

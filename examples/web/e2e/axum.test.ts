/** The contract of 000 in Rust. */

import { describe } from "vitest";
import { stage } from "./kit/stage.ts";
import { crash } from "./suites/crash.ts";
import { fidelity } from "./suites/fidelity.ts";
import { pictures } from "./suites/pictures.ts";
import { reload } from "./suites/reload.ts";
import { secrets } from "./suites/secrets.ts";
import { stopping } from "./suites/stopping.ts";
import { tabs } from "./suites/tabs.ts";

describe("axum", () => {
  const it = stage("axum");
  for (const suite of [fidelity, reload, tabs, stopping, crash, secrets, pictures]) suite(it);
});

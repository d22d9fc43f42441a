/** A model that thinks for a minute and a half without a word, and a proxy before the application that ends what is idle for one. */

import { expect, test } from "vitest";
import { reasoning, text } from "../kit/model.ts";
import type { Stage } from "../kit/stage.ts";

export const IDLE_MS = 60_000;
const THINKING_MS = 90_000;

/** For a stage whose proxy ends connections that are idle for `IDLE_MS`. */
export function silence(stage: Stage): void {
  test(
    "90 s of silence are no broken connection",
    async () => {
      stage.model.when("think", { silence: THINKING_MS }, reasoning("Hm…"), text("Forty-two."));
      const chat = await stage.visit();
      await chat.ask("think");
      await chat.ends("complete", THINKING_MS + 30_000);
      await chat.shows("Forty-two.");
      await expect.poll(() => chat.questions.count()).toBe(1);
      expect(stage.model.about("think")).toHaveLength(1);
    },
    THINKING_MS + 60_000,
  );
}

/** A picture instead of words. */

import { expect, test } from "vitest";
import { PIXEL } from "../kit/model.ts";
import type { Stage } from "../kit/stage.ts";
import { eventually } from "../kit/wait.ts";

export function pictures(stage: Stage): void {
  test("a picture is drawn, shown and kept", async () => {
    const chat = await stage.visit();
    await chat.get("image-mode").click();
    await expect.poll(() => chat.get("image-mode").getAttribute("aria-pressed")).toBe("true");
    await chat.ask("a cat on a bicycle");
    const picture = chat.answers.last().locator("img");
    for (const when of ["live", "reloaded"]) {
      await chat.ends("complete");
      await eventually(`it is shown, ${when}`, async () => (await picture.getAttribute("src"))?.endsWith(PIXEL) ?? false);
      await expect.poll(() => picture.evaluate((image: HTMLImageElement) => image.naturalWidth), { message: when }).toBe(1);
      await chat.reload();
    }
  });
}

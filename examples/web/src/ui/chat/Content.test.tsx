import { renderToStaticMarkup } from "react-dom/server";
import { expect, it } from "vitest";
import type { Part } from "../../api/types";
import { Content } from "./Content";

const html = (...content: Part[]) => renderToStaticMarkup(<Content content={content} role="assistant" live={false} />);

const SIGNATURE: Part = { type: "provider", provider: "anthropic", value: { type: "thinking", signature: "c2lnbmVk" } };
const LATER = { type: "hologram", size: 3 } as unknown as Part;

it("shows nothing of what only a provider can read, nor of what a later version stored", () => {
  const [thought, said]: Part[] = [{ type: "reasoning", text: "Hm" }, { type: "text", text: "Sunny." }];
  const shown = html(thought!, SIGNATURE, LATER, said!);
  expect(shown).toBe(html(thought!, said!));
  expect(shown).toContain("Sunny.");
  expect(html(SIGNATURE, LATER)).toBe("");
});

/** What the fake back end says, so that every kind of content can be looked at. */
import type { Message, Part } from "./types";

export const ANSWER = `Cats **purr** by moving the muscles of the larynx about 25 to 150 times a second. Here is the short version, *with whiskers*.

## What happens

1. A rhythm begins in the brain.
2. The larynx opens and closes the glottis.
3. Air vibrates, while breathing **in** and **out**.

| Mood | Sound | Hertz |
| --- | --- | ---: |
| content | purr | 25 |
| hungry | *solicitation* purr | 220–520 |
| greeting | trill | 300 |

A few lines of Python make the sound of it:

\`\`\`python
import math, struct, wave

def purr(path: str, seconds: float = 2.0, rate: int = 44_100) -> None:
    """Writes a purr: 27 Hz, breathing twice a second."""
    with wave.open(path, "wb") as file:
        file.setparams((1, 2, rate, 0, "NONE", ""))
        for n in range(int(seconds * rate)):
            breath = 0.6 + 0.4 * math.sin(2 * math.pi * 0.5 * n / rate)
            file.writeframes(struct.pack("<h", int(9_000 * breath * math.sin(2 * math.pi * 27 * n / rate))))
\`\`\`

> A cat that purrs is not always happy; some purr to calm themselves.

Read more in [this article](https://example.com/purr), and mind that \`<script>alert(1)</script>\` is only text: <b>not bold</b>. שלום, こんにちは, 🐈‍⬛!`;

export const REASONING = "The question is about purring. I should explain the mechanism first, then give a table of moods, and a small program.";

export const CITATIONS: Part[] = [
  { type: "citation", url: "https://example.com/purr", title: "How cats purr" },
  { type: "citation", url: "https://example.org/larynx", title: "The feline larynx" },
];

const DRAWING =
  "data:image/svg+xml;utf8," +
  encodeURIComponent(
    '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 320 200"><rect width="320" height="200" fill="#f4d7b5"/><circle cx="160" cy="112" r="56" fill="#d9803a"/><path d="M114 84l6-46 34 24zM206 84l-6-46-34 24z" fill="#d9803a"/><circle cx="140" cy="106" r="7"/><circle cx="180" cy="106" r="7"/><path d="M150 128q10 10 20 0" fill="none" stroke="#000" stroke-width="4"/></svg>',
  );
export const PICTURE: Part = { type: "image", url: DRAWING, alt: "A drawing of an orange cat" };

/** A finished chat: `count` messages of people and cats by turns. */
export function dialogue(count: number, now: number): Message[] {
  return Array.from({ length: count }, (_, index): Message => {
    const user = index % 2 === 0;
    const text = user ? `Question ${index / 2 + 1}: why do cats do that?` : `${short(index)}\n\n${index % 12 === 1 ? ANSWER : ""}`.trim();
    return {
      seq: index,
      parent: index === 0 ? null : index - 1,
      role: user ? "user" : "assistant",
      status: "complete",
      content: [{ type: "text", text }],
      created_ms: now - (count - index) * 60_000,
      ...(user ? {} : { model: "offline", usage: { input_tokens: 120, output_tokens: 64 }, cost: 0.0004 }),
    };
  });
}

const short = (index: number): string =>
  ["Because the box is **theirs**.", "Mostly for warmth, partly for `attention`.", "- to hunt\n- to rest\n- to be admired"][index % 3] ?? "";

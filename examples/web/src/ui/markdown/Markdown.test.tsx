import { renderToStaticMarkup } from "react-dom/server";
import { expect, it } from "vitest";
import { Markdown } from "./Markdown";

const html = (text: string, live = false) => renderToStaticMarkup(<Markdown text={text} live={live} />);

it.each([
  "<script>alert(1)</script>",
  "<img src=x onerror=alert(1)>",
  "text <iframe src='https://example.com'></iframe>",
  "<svg onload=alert(1)>",
  "<style>*{display:none}</style>",
])("shows HTML as text: %j", (text) => {
  const shown = html(text);
  expect(shown).not.toMatch(/<(script|iframe|svg|style|img)/);
  expect(shown).toContain("&lt;");
});

it.each(["javascript:alert(1)", "JaVaScRiPt:alert(1)", "data:text/html,x", "vbscript:x", "file:///etc/passwd", "//example.com", "/path", "#top", " javascript:x"])(
  "gives no link to %j",
  (url) => {
    expect(html(`[x](<${url}>)`)).not.toContain("href");
  },
);

it("opens links elsewhere, without telling from where", () => {
  expect(html("[x](https://example.com)")).toContain('<a href="https://example.com" target="_blank" rel="noopener noreferrer nofollow">');
  expect(html("[x](mailto:a@example.com)")).toContain("mailto:");
});

it("shows pictures of https and of the text itself only", () => {
  expect(html("![x](https://example.com/a.png)")).toContain("<img");
  expect(html("![x](data:image/png;base64,AAAA)")).toContain("<img");
  for (const url of ["http://example.com/a.png", "data:text/html,x", "javascript:x"]) expect(html(`![alt](<${url}>)`)).not.toContain("<img");
});

it("keeps every character of code, also of code that is still written", () => {
  const code = "if (a < b && c) {\n\n\t`x` // ```\n}";
  for (const text of [`\`\`\`\`js\n${code}\n\`\`\`\``, `\`\`\`\`js\n${code}`]) {
    expect(html(text, true)).toContain("<code>if (a &lt; b &amp;&amp; c) {\n\n\t`x` // ```\n}</code>");
  }
});

it("shows what is half there as it will be", () => {
  expect(html("so **bol", true)).toContain("<strong>bol</strong>");
  expect(html("so **bol", false)).not.toContain("<strong>");
  expect(html("| a | b |", true)).toContain("<table>");
  expect(html("```js\n**x\n\n`y\n```\nso **bol", true)).toMatch(/<code>\*\*x\n\n`y<\/code>.*<strong>bol<\/strong>/s);
});

/** A block of code: its language, a button that copies it, and colours once it is whole. */
import { memo, useMemo, useSyncExternalStore } from "react";
import { CopyButton } from "../parts/CopyButton";

type Highlight = typeof import("./highlight").highlight;

/** More than this stays plain: colours are not worth a page that stands still. */
const LONGEST = 60_000;

let loaded: Highlight | null = null;
let loading: Promise<unknown> | null = null;

const current = (): Highlight | null => loaded;

function subscribe(changed: () => void): () => void {
  loading ??= import("./highlight").then((module) => (loaded = module.highlight));
  if (loaded === null) void loading.then(changed, () => {});
  return () => {};
}

export const CodeBlock = memo(function CodeBlock({ code, language, open }: { code: string; language: string; open: boolean }) {
  const highlight = useSyncExternalStore(subscribe, current, current);
  const coloured = useMemo(
    () => (open || code.length > LONGEST ? null : highlight?.(code, language.toLowerCase())),
    [highlight, code, language, open],
  );
  return (
    <figure className="code">
      <figcaption>
        <span>{language || "text"}</span>
        {!open && <CopyButton text={code} testId="code-copy" label="Copy code" />}
      </figcaption>
      <pre tabIndex={0}>
        <code>{coloured ?? code}</code>
      </pre>
    </figure>
  );
});

/** Copies a text, and says so for two seconds. */
import { useEffect, useState } from "react";
import { Icon } from "./Icon";
import { id, type TestId } from "../testids";

export function CopyButton({ text, testId, label }: { text: string; testId: TestId; label: string }) {
  const [copied, setCopied] = useState(false);
  useEffect(() => {
    if (!copied) return;
    const timer = setTimeout(() => setCopied(false), 2_000);
    return () => clearTimeout(timer);
  }, [copied]);
  const copy = () => write(text).then(() => setCopied(true), () => setCopied(false));
  return (
    <button type="button" className="icon small" {...id(testId)} title={label} aria-label={copied ? "Copied" : label} onClick={copy}>
      <Icon name={copied ? "check" : "copy"} />
    </button>
  );
}

/** Pages without https have no clipboard; the old way still works there. */
async function write(text: string): Promise<void> {
  if (navigator.clipboard !== undefined) return navigator.clipboard.writeText(text);
  const area = document.createElement("textarea");
  area.value = text;
  document.body.append(area);
  area.select();
  document.execCommand("copy");
  area.remove();
}

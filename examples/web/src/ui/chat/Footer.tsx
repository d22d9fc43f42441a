/** Below a message: its branches, its buttons, what it cost. */
import { useState } from "react";
import type { Message, Part } from "../../api/types";
import { textOf } from "../../state/content";
import { useApp } from "../../state/store";
import { useActions, useCan } from "../context";
import { CopyButton } from "../parts/CopyButton";
import { Icon, type IconName } from "../parts/Icon";
import { SummaryDialog } from "../parts/SummaryDialog";
import { id, type TestId } from "../testids";
import { money, short } from "../words";

interface Props {
  message: Message;
  content: Part[];
  last: boolean;
}

export function Footer({ message, content, last }: Props) {
  const app = useActions();
  const busy = useApp((state) => state.conversation.pending !== null || state.conversation.live !== null);
  const can = { edit: useCan("edit"), regenerate: useCan("regenerate"), summary: useCan("summary") };
  const [summary, setSummary] = useState(false);
  const text = textOf(content);
  const user = message.role === "user";
  const failed = message.status === "failed" || message.status === "interrupted";
  const edit = () => app.store.dispatch({ type: "editing", editing: { seq: message.seq, text } });
  const again = () => void app.turns.regenerate(message.seq);
  return (
    <div className="footer" data-last={last}>
      <Branches seq={message.seq} busy={busy} />
      {can.regenerate && failed && (
        <button type="button" className="retry" {...id("retry")} disabled={busy} onClick={again}>
          <Icon name="retry" /> Retry
        </button>
      )}
      {text !== "" && <CopyButton text={text} testId="copy" label="Copy message" />}
      {can.edit && user && <Action name="edit" icon="edit" label="Edit message" busy={busy} act={edit} />}
      {can.regenerate && !user && !failed && <Action name="regenerate" icon="retry" label="Another answer" busy={busy} act={again} />}
      {can.summary && !user && last && <Action name="summarize" icon="list" label="Summarise the chat" busy={busy} act={() => setSummary(true)} />}
      <Badge message={message} />
      {summary && <SummaryDialog close={() => setSummary(false)} />}
    </div>
  );
}

const Action = ({ name, icon, label, busy, act }: { name: TestId; icon: IconName; label: string; busy: boolean; act: () => void }) => (
  <button type="button" className="icon small" {...id(name)} title={label} aria-label={label} disabled={busy} onClick={act}>
    <Icon name={icon} />
  </button>
);

function Branches({ seq, busy }: { seq: number; busy: boolean }) {
  const app = useActions();
  const shown = useCan("branches");
  const siblings = useApp((state) => state.conversation.siblings[seq]);
  if (!shown || siblings === undefined || siblings.length < 2) return null;
  const at = siblings.indexOf(seq);
  const go = (by: number) => {
    const to = siblings[at + by];
    if (to !== undefined) void app.turns.select(to);
  };
  return (
    <div className="branches" role="group" aria-label="Versions" {...id("branches")}>
      <button type="button" className="icon small" {...id("branch-prev")} aria-label="Version before" disabled={busy || at <= 0} onClick={() => go(-1)}>
        <Icon name="left" />
      </button>
      <span {...id("branch-label")} aria-label={`Version ${at + 1} of ${siblings.length}`}>
        {at + 1}/{siblings.length}
      </span>
      <button type="button" className="icon small" {...id("branch-next")} aria-label="Next version" disabled={busy || at >= siblings.length - 1} onClick={() => go(1)}>
        <Icon name="right" />
      </button>
    </div>
  );
}

function Badge({ message: { usage, cost, model } }: { message: Message }) {
  if (usage === undefined) return null;
  const about = usage.estimated ? "about " : "";
  const title = `${about}${usage.input_tokens} tokens in, ${usage.output_tokens} out${model === undefined ? "" : `, ${model}`}`;
  return (
    <span className="badge" {...id("usage-badge")} title={title}>
      {about}
      {short(usage.input_tokens + usage.output_tokens)} tokens
      {cost !== undefined && cost > 0 && ` · $${money(cost)}`}
    </span>
  );
}

/** Has the chat summarised, and shows what comes. */
import { useEffect, useState } from "react";
import type { Failure } from "../../api/types";
import { asFailure } from "../../state/failure";
import { useActions } from "../context";
import { Markdown } from "../markdown/Markdown";
import { wordsFor } from "../words";
import { CopyButton } from "./CopyButton";
import { Dialog } from "./Dialog";

export function SummaryDialog({ close }: { close: () => void }) {
  const app = useActions();
  const [text, setText] = useState<string | null>(null);
  const [failure, setFailure] = useState<Failure | null>(null);
  useEffect(() => {
    let gone = false;
    const { chat } = app.store.get().conversation;
    if (chat === null) return;
    app.api.summarize(chat).then(
      (summary) => gone || setText(summary),
      (thrown: unknown) => gone || setFailure(asFailure(thrown)),
    );
    return () => void (gone = true);
  }, [app]);
  return (
    <Dialog testId="summary" title="Summary" close={close}>
      {failure !== null && <p role="alert">{wordsFor(failure).title}. {wordsFor(failure).advice}</p>}
      {failure === null && text === null && <p aria-busy="true">Reading the chat…</p>}
      {text !== null && (
        <>
          <div className="markdown">
            <Markdown text={text} />
          </div>
          <div className="buttons">
            <CopyButton text={text} testId="copy" label="Copy summary" />
          </div>
        </>
      )}
    </Dialog>
  );
}

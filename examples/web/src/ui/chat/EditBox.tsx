/** A message of the person's own, while it is changed. The old one stays, as another version. */
import { useLayoutEffect, useRef } from "react";
import { useActions } from "../context";
import { id } from "../testids";
import { isEnter } from "./Composer";

export function EditBox({ editing }: { editing: { seq: number; text: string } }) {
  const app = useActions();
  const field = useRef<HTMLTextAreaElement>(null);
  const close = () => {
    app.store.dispatch({ type: "editing", editing: null });
    document.getElementById("composer")?.focus();
  };
  const send = () => {
    const text = field.current?.value.trim() ?? "";
    if (text === "") return;
    void app.turns.edit(editing.seq, text);
    document.getElementById("composer")?.focus();
  };
  useLayoutEffect(() => {
    field.current?.focus();
    field.current?.setSelectionRange(editing.text.length, editing.text.length);
  }, [editing.text]);
  return (
    <form
      className="edit"
      onSubmit={(event) => {
        event.preventDefault();
        send();
      }}
    >
      <textarea
        ref={field}
        {...id("edit-input")}
        aria-label="Edit message"
        dir="auto"
        defaultValue={editing.text}
        onKeyDown={(event) => {
          if (event.key === "Escape") {
            event.stopPropagation();
            close();
          } else if (isEnter(event)) {
            event.preventDefault();
            send();
          }
        }}
      />
      <div className="buttons">
        <button type="button" {...id("edit-cancel")} onClick={close}>
          Cancel
        </button>
        <button type="submit" className="primary" {...id("edit-send")}>
          Send
        </button>
      </div>
    </form>
  );
}

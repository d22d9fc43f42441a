/** The browser's own dialog: it holds the focus, closes with Escape, and gives the focus back. */
import { useEffect, useRef, type ReactNode } from "react";
import { Icon } from "./Icon";
import { id, type TestId } from "../testids";

interface Props {
  testId: TestId;
  title: string;
  close: () => void;
  children: ReactNode;
}

export function Dialog({ testId, title, close, children }: Props) {
  const dialog = useRef<HTMLDialogElement>(null);
  useEffect(() => {
    const element = dialog.current;
    element?.showModal();
    return () => element?.close();
  }, []);
  return (
    <dialog
      ref={dialog}
      className="dialog"
      aria-label={title}
      {...id(testId)}
      onCancel={(event) => {
        event.preventDefault();
        close();
      }}
      onKeyDown={(event) => event.key === "Escape" && event.stopPropagation()}
      onClick={(event) => event.target === dialog.current && close()}
    >
      <div className="sheet">
        <header>
          <h2>{title}</h2>
          <button type="button" className="icon small" aria-label="Close" onClick={close}>
            <Icon name="close" />
          </button>
        </header>
        {children}
      </div>
    </dialog>
  );
}

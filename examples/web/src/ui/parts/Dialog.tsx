/** The browser's own dialog: it holds the focus (first on `data-first`), closes with Escape, and gives the focus back. */
import { useLayoutEffect, useRef, type ReactNode } from "react";
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
  // Closed while it is still in the page: one that is taken out of it gives no focus back.
  useLayoutEffect(() => {
    const element = dialog.current;
    element?.showModal();
    element?.querySelector<HTMLElement>("[data-first]")?.focus();
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

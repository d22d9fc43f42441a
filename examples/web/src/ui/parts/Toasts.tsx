/** Short notices; each goes by itself, unless it is looked at. */
import { useEffect, useState } from "react";
import type { Toast } from "../../state/state";
import { href } from "../../state/route";
import { useApp } from "../../state/store";
import { useActions } from "../context";
import { Icon } from "./Icon";
import { id } from "../testids";

const SHOWN_MS = 6_000;

export function Toasts() {
  const toasts = useApp((state) => state.toasts);
  return (
    <div className="toasts" role="status">
      {toasts.map((toast) => (
        <One key={toast.id} toast={toast} />
      ))}
    </div>
  );
}

function One({ toast }: { toast: Toast }) {
  const app = useActions();
  const [held, setHeld] = useState(false);
  useEffect(() => {
    if (held) return;
    const timer = setTimeout(() => app.store.dispatch({ type: "untoast", id: toast.id }), SHOWN_MS);
    return () => clearTimeout(timer);
  }, [app, toast.id, held]);
  const close = () => app.store.dispatch({ type: "untoast", id: toast.id });
  return (
    <div className="toast" {...id("toast")} onPointerEnter={() => setHeld(true)} onPointerLeave={() => setHeld(false)}>
      <span>{toast.text}</span>
      {toast.chat !== null && (
        <a className="button" {...id("toast-action")} href={href({ page: "chat", chat: toast.chat })} onClick={close}>
          Open
        </a>
      )}
      <button type="button" className="icon small" {...id("toast-close")} aria-label="Close" onClick={close}>
        <Icon name="close" />
      </button>
    </div>
  );
}

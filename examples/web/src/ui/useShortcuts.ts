/** The keys of the page. They are listed by `?`, in `parts/Shortcuts.tsx`. */
import { useEffect } from "react";
import { useActions } from "./context";
import { NARROW } from "./sidebar/Sidebar";

interface Doors {
  drawer: boolean;
  setDrawer: (open: boolean) => void;
  setHelp: (open: boolean) => void;
}

export function useShortcuts({ drawer, setDrawer, setHelp }: Doors): void {
  const app = useActions();
  useEffect(() => {
    const pressed = (event: KeyboardEvent) => {
      if (event.isComposing) return;
      const act = actionOf(event);
      if (act === null) return;
      event.preventDefault();
      act();
    };
    function actionOf(event: KeyboardEvent): (() => void) | null {
      const command = event.ctrlKey || event.metaKey;
      const key = event.key.toLowerCase();
      if (command && event.shiftKey && key === "o") return newChat;
      if (command && key === "k") return search;
      if (key === "escape") return escape();
      if (command || event.altKey || isWriting(event.target)) return null;
      if (key === "/") return () => focus("composer");
      return key === "?" ? () => setHelp(true) : null;
    }
    function newChat(): void {
      location.hash = "#/";
      focus("composer");
    }
    function search(): void {
      if (!matchMedia(NARROW).matches) return focus("search");
      setDrawer(true);
      // The drawer's content takes the focus only once it is shown.
      requestAnimationFrame(() => focus("search"));
    }
    /** Closes what is open, else stops what runs. */
    function escape(): (() => void) | null {
      if (document.querySelector("dialog[open], [popover]:popover-open") !== null) return null;
      if (drawer) return () => setDrawer(false);
      const { live, pending } = app.store.get().conversation;
      return live === null && pending === null ? null : () => void app.turns.stop();
    }
    addEventListener("keydown", pressed);
    return () => removeEventListener("keydown", pressed);
  }, [app, drawer, setDrawer, setHelp]);
}

const focus = (name: string): void => document.getElementById(name)?.focus();

const isWriting = (target: EventTarget | null): boolean =>
  target instanceof HTMLElement && (target.isContentEditable || /^(input|textarea|select)$/i.test(target.tagName));

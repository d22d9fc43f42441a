/** The side bar: new chat, search, the chats, and what belongs to the whole page. On a phone it is a drawer. */
import { useEffect, useRef, useState } from "react";
import { useActions, useCan } from "../context";
import { Logo } from "../parts/Cat";
import { Icon } from "../parts/Icon";
import { id } from "../testids";
import { ChatList } from "./ChatList";
import { Foot } from "./Foot";
import { SearchHits } from "./SearchHits";

/** Where the side bar is a drawer; the style sheets say the same. */
export const NARROW = "(max-width: 760px)";

export function Sidebar({ open, close }: { open: boolean; close: () => void }) {
  const app = useActions();
  const { name, skin } = app.api.capabilities;
  const canSearch = useCan("search");
  const [question, setQuestion] = useState("");
  const bar = useRef<HTMLElement>(null);
  useDrawer(bar, open);
  return (
    <nav className="sidebar" ref={bar} aria-label="Chats" {...id("sidebar")} data-open={open}>
      <header className="brand">
        <Logo skin={skin} size={30} />
        <strong>{name}</strong>
        <button type="button" className="icon drawer" {...id("sidebar-close")} aria-label="Close" onClick={close}>
          <Icon name="close" />
        </button>
      </header>
      <a
        className="button new"
        href="#/"
        {...id("new-chat")}
        onClick={() => {
          close();
          document.getElementById("composer")?.focus();
        }}
      >
        <Icon name="plus" /> New chat
      </a>
      {canSearch && <SearchField question={question} ask={setQuestion} />}
      {question.trim() === "" ? <ChatList close={close} /> : <SearchHits question={question.trim()} close={close} />}
      <Foot close={close} />
    </nav>
  );
}

function SearchField({ question, ask }: { question: string; ask: (question: string) => void }) {
  return (
    <label className="search">
      <Icon name="search" />
      <input
        id="search"
        type="search"
        {...id("search")}
        placeholder="Search"
        aria-label="Search chats"
        value={question}
        onChange={(event) => ask(event.target.value)}
        onKeyDown={(event) => {
          if (event.key !== "Escape" || question === "") return;
          event.stopPropagation();
          ask("");
        }}
      />
    </label>
  );
}

/** An open drawer takes the focus; a closed one gives it back, and cannot be reached. */
function useDrawer(bar: React.RefObject<HTMLElement | null>, open: boolean): void {
  const before = useRef<Element | null>(null);
  useEffect(() => {
    const narrow = matchMedia(NARROW);
    const apply = () => bar.current?.toggleAttribute("inert", narrow.matches && !open);
    apply();
    narrow.addEventListener("change", apply);
    if (narrow.matches && open) {
      before.current = document.activeElement;
      bar.current?.querySelector<HTMLElement>("button, a")?.focus();
    } else if (before.current instanceof HTMLElement) {
      before.current.focus();
      before.current = null;
    }
    return () => narrow.removeEventListener("change", apply);
  }, [bar, open]);
}

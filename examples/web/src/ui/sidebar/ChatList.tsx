/** The chats: the pinned, then by day; more of them come while scrolling. */
import { useEffect, useRef, useState } from "react";
import type { Chat } from "../../api/types";
import { useApp } from "../../state/store";
import { useActions, useCan } from "../context";
import { Confirm, type Question } from "../parts/Confirm";
import { download } from "../parts/download";
import { Menu, type Item } from "../parts/Menu";
import { id } from "../testids";
import { ChatItem } from "./ChatItem";
import { ageOf } from "./ages";

export function ChatList({ close }: { close: () => void }) {
  const chats = useApp((state) => state.chats.items);
  const loaded = useApp((state) => state.chats.loaded);
  const selected = useApp((state) => state.chats.selected);
  const shown = useApp((state) => (state.page === "chat" ? state.conversation.chat : null));
  const [question, ask] = useState<Question | null>(null);
  return (
    <>
      {selected === null ? <ListHead ask={ask} /> : <Selecting selected={selected} ask={ask} />}
      <div className="chats">
        <ul {...id("chat-list")} aria-busy={!loaded}>
          {chats.map((chat, index) => (
            <Group key={chat.id} chat={chat} before={chats[index - 1]}>
              <ChatItem chat={chat} shown={chat.id === shown} selected={selected?.has(chat.id) ?? null} ask={ask} close={close} />
            </Group>
          ))}
        </ul>
        {loaded && chats.length === 0 && <p className="nothing">No chats yet</p>}
        <Sentinel />
      </div>
      {question !== null && <Confirm question={question} close={() => ask(null)} />}
    </>
  );
}

/** A heading where another age begins. */
function Group({ chat, before, children }: { chat: Chat; before: Chat | undefined; children: React.ReactNode }) {
  const age = ageOf(chat);
  return (
    <>
      {(before === undefined || ageOf(before) !== age) && (
        <li className="age">
          {age}
        </li>
      )}
      {children}
    </>
  );
}

function ListHead({ ask }: { ask: (question: Question) => void }) {
  const app = useActions();
  const can = { batch: useCan("batch-delete"), empty: useCan("delete-empty"), export: useCan("export") };
  const items: Item[] = [];
  if (can.batch) {
    items.push({ testId: "select-start", label: "Select chats", icon: "check", act: () => app.store.dispatch({ type: "selecting", on: true }) });
  }
  if (can.empty) {
    const act = () => void app.removeEmpty();
    const question = { title: "Clean up empty chats?", text: "Chats without a message are deleted.", yes: "Clean up", act };
    items.push({ testId: "delete-empty", label: "Clean up empty chats", icon: "trash", act: () => ask(question) });
  }
  if (can.export) {
    const save = () => void app.attempt(() => download(app.api, null, "jsonl", "chats"));
    items.push({ testId: "export-all", label: "Save all chats", icon: "download", act: save });
  }
  return (
    <div className="list-head">
      <h2>Chats</h2>
      <Menu testId="list-menu" label="More about chats" items={items} />
    </div>
  );
}

function Selecting({ selected, ask }: { selected: ReadonlySet<string>; ask: (question: Question) => void }) {
  const app = useActions();
  const stop = () => app.store.dispatch({ type: "selecting", on: false });
  const remove = async () => {
    await app.remove([...selected]);
    stop();
  };
  const many = selected.size === 1 ? "1 chat" : `${selected.size} chats`;
  return (
    <div className="list-head" role="group" aria-label="Selection">
      <h2>{many}</h2>
      <button
        type="button"
        className="danger"
        disabled={selected.size === 0}
        {...id("delete-selected")}
        onClick={() => ask({ title: `Delete ${many}?`, text: "They cannot be brought back.", yes: "Delete", act: () => void remove() })}
      >
        Delete
      </button>
      <button type="button" {...id("select-cancel")} onClick={stop}>
        Cancel
      </button>
    </div>
  );
}

/** Asks for the next page when the end of the list comes near. */
function Sentinel() {
  const app = useActions();
  const next = useApp((state) => state.chats.next);
  const end = useRef<HTMLDivElement>(null);
  useEffect(() => {
    if (end.current === null || next === null) return;
    const observer = new IntersectionObserver((entries) => entries.some((entry) => entry.isIntersecting) && void app.more(), {
      root: end.current.parentElement,
      rootMargin: "400px",
    });
    observer.observe(end.current);
    return () => observer.disconnect();
  }, [app, next]);
  return <div ref={end} className="sentinel" />;
}

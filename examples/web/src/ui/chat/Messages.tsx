/** The list of messages: a window over a long chat that follows the end, and yields to the reader. */
import { useCallback, useEffect, useLayoutEffect, useMemo, useRef, useState } from "react";
import type { Message } from "../../api/types";
import type { Conversation } from "../../state/conversation";
import { useApp } from "../../state/store";
import { useActions } from "../context";
import { Icon } from "../parts/Icon";
import { id } from "../testids";
import { NearnessContext, nearness, Row, type Nearness } from "./Row";
import { useScroll } from "./useScroll";

/** So many of the newest are drawn before anything was measured. */
const EAGER = 12;

export function Messages() {
  const app = useActions();
  const scroller = useRef<HTMLDivElement>(null);
  const older = useCallback(() => void app.turns.older(), [app]);
  const scroll = useScroll(scroller, older);
  const place = usePlace(scroller);
  const messages = useApp((state) => state.conversation.messages);
  const pending = useApp((state) => state.conversation.pending);
  const liveSeq = useApp((state) => state.conversation.live?.seq ?? null);
  const more = useApp((state) => state.conversation.more);
  const loading = useApp((state) => state.conversation.phase === "loading");
  const rows = useMemo(() => shown(messages, pending), [messages, pending]);
  const key = pending?.ask.key;

  useLayoutEffect(() => {
    if (loading || key !== undefined) scroll.toEnd();
  }, [loading, key, scroll.toEnd]);
  useTarget(scroller, messages, more, scroll.show);

  return (
    <div className="messages" ref={scroller} {...id("messages")} tabIndex={-1}>
      <NearnessContext value={place}>
        <div className="column">
          {more && <p className="earlier">Loading earlier messages…</p>}
          {rows.map(({ message, waiting }, index) => (
            <Row
              key={message.seq}
              message={message}
              eager={index >= rows.length - EAGER}
              live={message.seq === liveSeq || (waiting && message.role === "assistant")}
              pending={waiting}
              last={index === rows.length - 1}
            />
          ))}
        </div>
      </NearnessContext>
      {scroll.away && (
        <button type="button" className="jump" {...id("jump")} onClick={() => scroll.toEnd(true)} aria-label="Jump to latest" title="Jump to latest">
          <Icon name="down" />
        </button>
      )}
    </div>
  );
}

interface Shown {
  message: Message;
  waiting: boolean;
}

/** What is held, and what was asked a moment ago. */
function shown(messages: Message[], pending: Conversation["pending"]): Shown[] {
  const held = messages.map((message) => ({ message, waiting: false }));
  if (pending === null) return held;
  const { ask, from } = pending;
  const kept = from === null ? held : held.filter(({ message }) => message.seq < from);
  const base = { parent: kept.at(-1)?.message.seq ?? null, created_ms: Date.now() };
  const reply: Message = { ...base, seq: -1, role: "assistant", status: "running", content: [] };
  if (ask.type === "regenerate") return [...kept, { message: reply, waiting: true }];
  const user: Message = { ...base, seq: -2, role: "user", status: "complete", content: [{ type: "text", text: ask.text }] };
  return [...kept, { message: user, waiting: true }, { message: reply, waiting: true }];
}

function usePlace(scroller: React.RefObject<HTMLElement | null>): Nearness | null {
  const [place, setPlace] = useState<Nearness | null>(null);
  useEffect(() => {
    if (scroller.current === null) return;
    const made = nearness(scroller.current);
    setPlace(made);
    return made.end;
  }, [scroller]);
  return place;
}

/** Brings a message into view that a search has found; pages are read until it is there. */
function useTarget(scroller: React.RefObject<HTMLElement | null>, messages: Message[], more: boolean, show: (row: Element) => void): void {
  const app = useActions();
  const target = useApp((state) => state.target);
  useEffect(() => {
    if (target === null || messages.length === 0) return;
    const row = scroller.current?.querySelector(`[data-seq="${target}"]`);
    if (row == null && more) return void app.turns.older();
    if (row != null) {
      show(row);
      row.classList.add("found");
    }
    app.store.dispatch({ type: "target", seq: null });
  }, [app, target, messages, more, scroller, show]);
}

/** A message's place in the list. Far from view it is an empty box of the same height, so long chats stay light. */
import { createContext, memo, useContext, useEffect, useLayoutEffect, useRef, useState } from "react";
import type { Message } from "../../api/types";
import { textOf } from "../../state/content";
import { useApp } from "../../state/store";
import { id } from "../testids";
import { MessageView } from "./MessageView";

/** Tells rows whether they are near the view. */
export interface Nearness {
  watch(row: Element, told: (near: boolean) => void): () => void;
}

export const NearnessContext = createContext<Nearness | null>(null);

export function nearness(root: Element): Nearness & { end(): void } {
  const told = new WeakMap<Element, (near: boolean) => void>();
  const observer = new IntersectionObserver((entries) => entries.forEach((entry) => told.get(entry.target)?.(entry.isIntersecting)), {
    root,
    rootMargin: "1000px 0px",
  });
  return {
    watch(row, tell) {
      told.set(row, tell);
      observer.observe(row);
      return () => observer.unobserve(row);
    },
    end: () => observer.disconnect(),
  };
}

export interface RowProps {
  message: Message;
  /** Drawn at once, without waiting to be told that it is near: the newest ones. */
  eager: boolean;
  live: boolean;
  pending: boolean;
  last: boolean;
}

export const Row = memo(function Row({ message, eager, live, pending, last }: RowProps) {
  const place = useContext(NearnessContext);
  const row = useRef<HTMLElement>(null);
  const [near, setNear] = useState(eager);
  const [height, setHeight] = useState(() => estimate(message));
  const content = useApp((state) => (live ? state.conversation.live?.content : undefined)) ?? message.content;

  useEffect(() => {
    const element = row.current;
    if (element === null || place === null) return;
    return place.watch(element, (isNear) => {
      if (!isNear && !element.contains(document.activeElement)) setHeight(element.getBoundingClientRect().height);
      setNear(isNear || element.contains(document.activeElement));
    });
  }, [place]);
  const shown = near || live;
  useLayoutEffect(() => {
    if (row.current !== null) row.current.style.height = shown ? "" : `${height}px`;
  }, [shown, height]);

  const status = pending ? "pending" : message.status;
  return (
    <article
      ref={row}
      className="row"
      {...id("message")}
      data-seq={pending ? "pending" : message.seq}
      data-role={message.role}
      data-status={status}
      aria-label={label(message)}
    >
      {shown && <MessageView message={message} content={content} live={live} pending={pending} last={last} />}
    </article>
  );
});

const label = ({ role }: Message): string => ({ user: "You", assistant: "Answer", system: "Instruction", summary: "Summary" })[role];

/** Near enough for the scroll bar, until the row was measured. */
const estimate = (message: Message): number => 64 + Math.ceil(textOf(message.content).length / 80) * 26;

/** One chat of the side bar: its link, whether it is running, its menu; renamed in its place. */
import { memo, useRef, useState } from "react";
import { flushSync } from "react-dom";
import type { Chat } from "../../api/types";
import { titleOf } from "../../state/chats";
import { href } from "../../state/route";
import { useActions, useCan } from "../context";
import type { Question } from "../parts/Confirm";
import { Icon } from "../parts/Icon";
import { Menu, type Item } from "../parts/Menu";
import { id } from "../testids";

interface Props {
  chat: Chat;
  shown: boolean;
  /** Null while nothing is being selected. */
  selected: boolean | null;
  ask: (question: Question) => void;
  close: () => void;
}

export const ChatItem = memo(function ChatItem({ chat, shown, selected, ask, close }: Props) {
  const [renaming, setRenaming] = useState(false);
  const item = useRef<HTMLLIElement>(null);
  const items = useItems(chat, ask, () => setRenaming(true));
  const named = (byKey: boolean) => {
    flushSync(() => setRenaming(false));
    if (byKey) item.current?.querySelector("a")?.focus();
  };
  return (
    <li ref={item} className="chat-item" {...id("chat-item")} data-chat={chat.id} data-running={chat.running !== null} data-pinned={chat.pinned} data-shown={shown}>
      {selected !== null && <Check chat={chat} selected={selected} />}
      {renaming ? (
        <Rename chat={chat} close={named} />
      ) : (
        <a href={href({ page: "chat", chat: chat.id })} {...id("chat-open")} aria-current={shown ? "page" : undefined} title={titleOf(chat)} onClick={close}>
          {chat.pinned && <Icon name="pin" />}
          <span className="title" dir="auto">{titleOf(chat)}</span>
          {chat.running !== null && <i className="dot" role="img" aria-label="An answer is being written" {...id("chat-running")} />}
        </a>
      )}
      {selected === null && !renaming && <Menu testId="chat-menu" label={`More about ${titleOf(chat)}`} items={items} />}
    </li>
  );
});

function useItems(chat: Chat, ask: (question: Question) => void, rename: () => void): Item[] {
  const app = useActions();
  const can = { rename: useCan("rename"), pin: useCan("pin"), delete: useCan("delete") };
  const items: Item[] = [];
  if (can.rename) items.push({ testId: "chat-rename", label: "Rename", icon: "edit", act: rename });
  if (can.pin) {
    items.push({ testId: "chat-pin", label: chat.pinned ? "Unpin" : "Pin", icon: "pin", act: () => void app.pin(chat.id, !chat.pinned) });
  }
  if (can.delete) {
    const question = {
      title: "Delete this chat?",
      text: `“${titleOf(chat)}” and all its messages are deleted. They cannot be brought back.`,
      yes: "Delete",
      act: () => void app.remove([chat.id]),
    };
    items.push({ testId: "chat-delete", label: "Delete", icon: "trash", danger: true, act: () => ask(question) });
  }
  return items;
}

function Check({ chat, selected }: { chat: Chat; selected: boolean }) {
  const app = useActions();
  return (
    <input
      type="checkbox"
      {...id("chat-select")}
      aria-label={`Select ${titleOf(chat)}`}
      checked={selected}
      onChange={(event) => app.store.dispatch({ type: "marked", chat: chat.id, on: event.target.checked })}
    />
  );
}

/** Enter and leaving keep the name, Escape does not. `close` hears whether a key did it: then the focus stays here. */
function Rename({ chat, close }: { chat: Chat; close: (byKey: boolean) => void }) {
  const app = useActions();
  const [title, setTitle] = useState(chat.title ?? "");
  const keep = (byKey: boolean) => {
    const name = title.trim();
    if (name !== "" && name !== chat.title) void app.rename(chat.id, name);
    close(byKey);
  };
  return (
    <input
      className="rename"
      {...id("chat-rename-input")}
      aria-label="Name of the chat"
      dir="auto"
      autoFocus
      maxLength={200}
      value={title}
      onFocus={(event) => event.target.select()}
      onChange={(event) => setTitle(event.target.value)}
      onBlur={() => keep(false)}
      onKeyDown={(event) => {
        if (event.key === "Enter" && !event.nativeEvent.isComposing) keep(true);
        if (event.key !== "Escape") return;
        event.stopPropagation();
        close(true);
      }}
    />
  );
}

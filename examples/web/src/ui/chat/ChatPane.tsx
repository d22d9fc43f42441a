/** The shown chat: title bar, messages, composer. */
import { useActions, useCan } from "../context";
import { useApp } from "../../state/store";
import { titleOf } from "../../state/chats";
import { Icon } from "../parts/Icon";
import { Menu, type Item } from "../parts/Menu";
import { download } from "../parts/download";
import { id } from "../testids";
import { BannerBar } from "./BannerBar";
import { Composer } from "./Composer";
import { Greeting } from "./Greeting";
import { Messages } from "./Messages";

export function ChatPane({ openSidebar }: { openSidebar: () => void }) {
  const chat = useApp((state) => state.conversation.chat);
  const phase = useApp((state) => state.conversation.phase);
  const live = useApp((state) => state.conversation.live?.turn ?? "");
  const empty = useApp((state) => state.conversation.messages.length === 0 && state.conversation.pending === null);
  return (
    <main className="chat" id="main" tabIndex={-1} {...id("chat")} data-chat={chat ?? "new"} data-loading={phase === "loading"} data-live={live}>
      <TitleBar openSidebar={openSidebar} />
      {phase === "missing" ? <Missing /> : empty && phase === "ready" ? <Greeting /> : <Messages />}
      <div className="dock">
        <BannerBar />
        {phase !== "missing" && <Composer />}
      </div>
    </main>
  );
}

function TitleBar({ openSidebar }: { openSidebar: () => void }) {
  const app = useActions();
  const chat = useApp((state) => state.conversation.chat);
  const missing = useApp((state) => state.conversation.phase === "missing");
  const title = useApp((state) => {
    const found = state.chats.items.find((one) => one.id === state.conversation.chat);
    return found === undefined ? "" : titleOf(found);
  });
  const exports = useCan("export") && chat !== null && !missing;
  const save = (format: "markdown" | "jsonl") => void app.attempt(() => download(app.api, chat, format, title));
  const items: Item[] = exports
    ? [
        { testId: "export-markdown", label: "Save as Markdown", icon: "download", act: () => save("markdown") },
        { testId: "export-jsonl", label: "Save as JSON lines", icon: "download", act: () => save("jsonl") },
      ]
    : [];
  return (
    <header className="bar">
      <button type="button" className="icon drawer" {...id("sidebar-open")} aria-label="Chats" onClick={openSidebar}>
        <Icon name="menu" />
      </button>
      <h1 dir="auto" {...id("chat-title")}>{missing ? "Not found" : title || app.api.capabilities.name}</h1>
      <ConnectionPill />
      <Menu testId="chat-export" label="Save this chat" icon="download" items={items} />
    </header>
  );
}

export function ConnectionPill() {
  const connection = useApp((state) => state.connection);
  const words = { online: "", connecting: "Connecting…", offline: "No connection, trying again…" }[connection];
  return (
    <span className="connection" role="status" {...id("connection")} data-state={connection}>
      {words}
    </span>
  );
}

const Missing = () => (
  <section className="empty" {...id("chat-missing")}>
    <h2>This chat is not here</h2>
    <p>It was deleted, or it belongs to somebody else.</p>
    <a className="button" href="#/">
      New chat
    </a>
  </section>
);

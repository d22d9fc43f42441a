/** The page: side bar and what is shown beside it, shortcuts, notices, the one live region. */
import { useEffect, useState } from "react";
import { parse } from "../state/route";
import { useApp } from "../state/store";
import { ChatPane } from "./chat/ChatPane";
import { useActions } from "./context";
import { Shortcuts } from "./parts/Shortcuts";
import { Toasts } from "./parts/Toasts";
import { Sidebar } from "./sidebar/Sidebar";
import { useSounds } from "./sounds/useSounds";
import { id } from "./testids";
import { UsagePage } from "./usage/UsagePage";
import { useShortcuts } from "./useShortcuts";
import { announcement } from "./words";

export function Page() {
  const app = useActions();
  const { skin, app: name } = app.api.capabilities;
  const [drawer, setDrawer] = useState(false);
  const [help, setHelp] = useState(false);
  const page = useApp((state) => state.page);
  const ready = useApp((state) => state.chats.loaded);
  useSounds();
  useShortcuts({ drawer, setDrawer, setHelp });
  useEffect(() => {
    const changed = () => {
      setDrawer(false);
      void app.go(parse(location.hash));
    };
    addEventListener("hashchange", changed);
    return () => removeEventListener("hashchange", changed);
  }, [app]);

  return (
    <div className="app" {...id("app")} data-skin={skin} data-app={name} data-ready={ready}>
      <a className="skip" href="#main" onClick={toContent}>
        To the content
      </a>
      <Sidebar open={drawer} close={() => setDrawer(false)} />
      {drawer && <div className="veil" onClick={() => setDrawer(false)} />}
      {page === "usage" ? <UsagePage openSidebar={() => setDrawer(true)} /> : <ChatPane openSidebar={() => setDrawer(true)} />}
      <Toasts />
      <Announcer />
      {help && <Shortcuts close={() => setHelp(false)} />}
    </div>
  );
}

/** The address belongs to the chats; the link only moves the focus: to the message field, where there is one. */
function toContent(event: React.MouseEvent): void {
  event.preventDefault();
  (document.getElementById("composer") ?? document.getElementById("main"))?.focus();
}

/** Says an answer once, when it ended: a reader who listens is not told every token. */
function Announcer() {
  const announced = useApp((state) => state.announced);
  return (
    <div className="unseen" aria-live="polite" aria-atomic="true" {...id("announcer")}>
      {announced === null ? "" : announcement(announced.status, announced.text)}
    </div>
  );
}

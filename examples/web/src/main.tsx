/** The entry: learns what the back end can, then shows the page over it. */
import { StrictMode } from "react";
import { flushSync } from "react-dom";
import { createRoot, type Root } from "react-dom/client";
import { connect } from "./api/connect";
import type { Api } from "./api/types";
import { App } from "./state/app";
import { asFailure } from "./state/failure";
import { recall, showTheme, type Theme } from "./state/prefs";
import { StoreContext } from "./state/store";
import { AppContext } from "./ui/context";
import { Fatal } from "./ui/Fatal";
import { Page } from "./ui/Page";
import "./styles/base.css";
import "./styles/page.css";
import "./styles/sidebar.css";
import "./styles/chat.css";
import "./styles/composer.css";
import "./styles/markdown.css";
import "./styles/parts.css";
import "./styles/usage.css";

const screen = {
  paint: (work: () => void) => flushSync(work),
  replace: (hash: string) => history.replaceState(null, "", hash),
  newKey: () => crypto.randomUUID?.() ?? Array.from(crypto.getRandomValues(new Uint32Array(4)), String).join("-"),
};

async function open(): Promise<Api> {
  const query = new URLSearchParams(location.search);
  // While developing, and in `vite build --mode fake`; the build that is served has none of it.
  if ((import.meta.env.DEV || import.meta.env.MODE === "fake") && query.has("fake")) {
    const { Fake } = await import("./api/fake");
    return new Fake({ skin: query.get("fake") === "plain" ? "plain" : "cat" });
  }
  return connect(import.meta.env["VITE_API_URL"] as string | undefined);
}

async function begin(root: Root): Promise<void> {
  try {
    const app = new App(await open(), screen);
    document.title = app.api.capabilities.name;
    document.documentElement.dataset["skin"] = app.api.capabilities.skin;
    show(root, app);
    app.start(location.hash);
  } catch (thrown) {
    root.render(<Fatal failure={asFailure(thrown)} retry={() => void begin(root)} />);
  }
}

function show(root: Root, app: App): void {
  root.render(
    <StrictMode>
      <AppContext value={app}>
        <StoreContext value={app.store}>
          <Page />
        </StoreContext>
      </AppContext>
    </StrictMode>,
  );
}

showTheme((recall("theme") ?? "system") as Theme);
void begin(createRoot(document.getElementById("root")!));

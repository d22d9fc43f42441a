/** What belongs to the whole page: usage, account, sounds, looks. */
import { useState } from "react";
import { recall, remember, showTheme, type Theme } from "../../state/prefs";
import { useApp } from "../../state/store";
import { useCan } from "../context";
import { AccountDialog } from "../parts/AccountDialog";
import { Icon, type IconName } from "../parts/Icon";
import { setSounds, useSoundsOn } from "../sounds/useSounds";
import { id } from "../testids";

export function Foot({ close }: { close: () => void }) {
  const usage = useCan("usage");
  const shown = useApp((state) => state.page === "usage");
  return (
    <footer className="foot">
      <Account />
      {usage && (
        <a className="icon" href="#/usage" {...id("open-usage")} title="Usage" aria-label="Usage" aria-current={shown ? "page" : undefined} onClick={close}>
          <Icon name="chart" />
        </a>
      )}
      <Sounds />
      <ThemeButton />
    </footer>
  );
}

function Account() {
  const can = useCan("accounts");
  const account = useApp((state) => state.account);
  const [open, setOpen] = useState(false);
  if (!can) return <span className="who" />;
  return (
    <>
      <button type="button" className="who" {...id("open-account")} onClick={() => setOpen(true)}>
        <Icon name="user" /> <span>{account?.name ?? "Sign in"}</span>
      </button>
      {open && <AccountDialog close={() => setOpen(false)} />}
    </>
  );
}

function Sounds() {
  const can = useCan("sounds");
  const on = useSoundsOn();
  if (!can) return null;
  return (
    <button type="button" className="icon" role="switch" aria-checked={on} {...id("sounds")} title="Meow and purr" aria-label="Meow and purr" onClick={() => setSounds(!on)}>
      <Icon name={on ? "sound" : "mute"} />
    </button>
  );
}

const NEXT: Record<Theme, Theme> = { system: "light", light: "dark", dark: "system" };
const ICONS: Record<Theme, IconName> = { system: "system", light: "sun", dark: "moon" };

function ThemeButton() {
  const [theme, setTheme] = useState(() => (recall("theme") ?? "system") as Theme);
  const next = () => {
    setTheme(NEXT[theme]);
    showTheme(NEXT[theme]);
    remember("theme", NEXT[theme]);
  };
  const label = `Looks: ${theme === "system" ? "as the system" : theme}`;
  return (
    <button type="button" className="icon" {...id("theme")} data-theme={theme} title={label} aria-label={label} onClick={next}>
      <Icon name={ICONS[theme]} />
    </button>
  );
}

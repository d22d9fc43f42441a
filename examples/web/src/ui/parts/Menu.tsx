/** A button with a menu in the top layer: the browser closes it (Escape, a click elsewhere), arrows move in it. */
import { useId, useLayoutEffect, useRef, useState, type KeyboardEvent } from "react";
import { Icon, type IconName } from "./Icon";
import { id, type TestId } from "../testids";

export interface Item {
  testId: TestId;
  label: string;
  icon: IconName;
  act: () => void;
  danger?: boolean;
}

interface Props {
  testId: TestId;
  label: string;
  icon?: IconName;
  items: Item[];
}

export function Menu({ testId, label, icon = "more", items }: Props) {
  const button = useRef<HTMLButtonElement>(null);
  const list = useRef<HTMLDivElement>(null);
  const [open, setOpen] = useState(false);
  const name = useId();
  // Its items are there once it is known to be open, and not when the browser says so.
  useLayoutEffect(() => {
    if (open) list.current?.querySelector<HTMLElement>("[role=menuitem]")?.focus();
  }, [open]);
  if (items.length === 0) return null;
  const close = () => list.current?.hidePopover();
  return (
    <>
      <button ref={button} type="button" className="icon small" {...id(testId)} title={label} aria-label={label} aria-haspopup="menu" aria-expanded={open} popoverTarget={name}>
        <Icon name={icon} />
      </button>
      <div
        ref={list}
        id={name}
        popover="auto"
        role="menu"
        className="menu"
        aria-label={label}
        onBeforeToggle={(event) => event.newState === "open" && place(event.currentTarget, button.current, items.length)}
        onToggle={(event) => setOpen(event.newState === "open")}
        onKeyDown={move}
      >
        {open &&
          items.map((item) => (
            <button
              key={item.label}
              type="button"
              role="menuitem"
              tabIndex={-1}
              className={item.danger ? "danger" : ""}
              {...id(item.testId)}
              onClick={() => {
                close();
                item.act();
              }}
            >
              <Icon name={item.icon} /> {item.label}
            </button>
          ))}
      </div>
    </>
  );
}

/** Below its button, or above if there is no room; never out of the window. */
function place(list: HTMLElement, button: HTMLElement | null, items: number): void {
  if (button === null) return;
  const box = button.getBoundingClientRect();
  const height = items * 40 + 16;
  const below = box.bottom + height + 8 < innerHeight;
  list.style.top = `${below ? box.bottom + 4 : Math.max(8, box.top - height - 4)}px`;
  list.style.left = `${Math.max(8, Math.min(box.right - 216, innerWidth - 224))}px`;
}

function move(event: KeyboardEvent<HTMLDivElement>): void {
  // The focus goes back to the button, and from there on.
  if (event.key === "Tab") return event.currentTarget.hidePopover();
  const steps: Record<string, number> = { ArrowDown: 1, ArrowUp: -1, Home: -Infinity, End: Infinity };
  const step = steps[event.key];
  if (step === undefined) return;
  event.preventDefault();
  const items = [...event.currentTarget.querySelectorAll<HTMLElement>("[role=menuitem]")];
  const at = items.indexOf(document.activeElement as HTMLElement);
  const to = Number.isFinite(step) ? (at + step + items.length) % items.length : step > 0 ? items.length - 1 : 0;
  items[to]?.focus();
}

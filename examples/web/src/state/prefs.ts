/** What the browser remembers: looks, sounds, drafts. A browser that forbids it forgets, and nothing else happens. */
export type Theme = "system" | "light" | "dark";

const PREFIX = "catgpt.";

export function recall(name: string): string | null {
  try {
    return localStorage.getItem(PREFIX + name);
  } catch {
    return null;
  }
}

export function remember(name: string, value: string | null): void {
  try {
    if (value === null || value === "") localStorage.removeItem(PREFIX + name);
    else localStorage.setItem(PREFIX + name, value);
  } catch {
    // Private windows and full stores: the page works without.
  }
}

/** All drafts, by chat. */
export function recallDrafts(): Record<string, string> {
  const drafts: Record<string, string> = {};
  try {
    for (const key of Object.keys(localStorage)) {
      if (key.startsWith(`${PREFIX}draft.`)) drafts[key.slice(PREFIX.length + 6)] = localStorage.getItem(key) ?? "";
    }
  } catch {
    // As above.
  }
  return drafts;
}

export const rememberDraft = (chat: string, text: string): void => remember(`draft.${chat}`, text);

/** `system` leaves it to `prefers-color-scheme`; the style sheet does the rest. */
export function showTheme(theme: Theme): void {
  if (theme === "system") delete document.documentElement.dataset["theme"];
  else document.documentElement.dataset["theme"] = theme;
}

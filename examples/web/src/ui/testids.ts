/**
 * The names by which browser tests find things: `data-testid`s and what stands beside them. They are a promise.
 *
 * Page
 *   app                 root; data-skin="cat|plain", data-app=capabilities.app, data-ready="true" once the chats are loaded
 *   fatal               instead of the app, when /capabilities could not be read; has a button "Try again"
 *   connection          what the connection does; data-state="online|connecting|offline"; visible unless online
 *   announcer           the one polite live region: text of an answer, once, when it ended
 *   toast               a short notice (role=status); toast-action is its button, toast-close closes it
 *   theme               button in the side bar's foot that goes on to the next theme; data-theme="system|light|dark".
 *                       <html data-theme> is "light" or "dark" if forced
 *   sounds              switch (role=switch), aria-checked; off by default
 *
 * Side bar (nav "Chats"; on a phone a drawer)
 *   sidebar             data-open="true|false" (matters on a phone)
 *   sidebar-open, sidebar-close   buttons of the drawer
 *   new-chat            button
 *   search              input; search-hit: one result, data-chat, data-seq; the words found are <mark>
 *   chat-list           the list
 *   chat-item           data-chat=id, data-running="true|false", data-pinned, aria-current="page" on its link if shown
 *   chat-open           its link, with the title as text
 *   chat-running        the dot of a running answer, inside its chat-item
 *   chat-menu           button of its menu; in the menu: chat-rename, chat-pin, chat-delete
 *   chat-rename-input   while renamed: Enter keeps, Escape leaves
 *   chat-select         checkbox while selecting
 *   list-menu           button of the list's menu; in it: select-start, delete-empty, export-all
 *   delete-selected     button while selecting; select-cancel
 *   open-usage          link to #/usage
 *   open-account        button; account: the dialog; in it account-name, account-password, account-submit, account-register
 *   confirm             dialog that asks before deleting; confirm-yes, confirm-no
 *
 * Chat (main)
 *   chat                data-chat=id or "new", data-loading="true|false", data-live=turn or ""
 *   chat-title          heading; chat-export beside it: menu with export-markdown, export-jsonl
 *   chat-missing        shown for a chat that is not there or not yours
 *   messages            the scroller
 *   message             article; data-seq (or "pending"), data-role="user|assistant|system|summary",
 *                       data-status="running|complete|cancelled|interrupted|failed|paused|pending"
 *   message-text        the text of a message as shown; of a person's message its exact text, of an answer Markdown
 *   message-error       the words of a failed answer; data-kind=error kind
 *   message-note        "Stopped", "Interrupted" and so on
 *   reasoning           <details> of the reasoning
 *   citations, tool     lists of sources; a call of a tool
 *   copy, edit, regenerate, retry, summarize        buttons of a message (by what its back end can)
 *   edit-input, edit-send, edit-cancel              while a message is edited
 *   branches            "‹ 2/3 ›"; branch-label has "2/3"; branch-prev, branch-next
 *   usage-badge         tokens and cost of an answer
 *   code-copy           button of a code block
 *   jump                "jump to latest"
 *   banner              role=alert; data-kind=error kind; banner-retry, banner-close; banner-countdown has the seconds
 *   greeting, suggestion   the empty state
 *   summary             dialog with a summary
 *
 * Composer
 *   composer            the textarea
 *   composer-hint       why nothing can be sent now (or empty)
 *   send, stop          buttons; stop stands in the place of send while an answer runs
 *   image-mode          toggle, aria-pressed
 *   model, persona      <select>
 *
 * Usage (#/usage)
 *   usage               the page; usage-by-day, usage-by-model, usage-limit (each limit; data-name)
 *
 * Shortcuts: Ctrl/Cmd+Shift+O new chat, Ctrl/Cmd+K search, / composer, Escape stops or closes, ? lists them.
 */
export const ids = [
  "app", "fatal", "connection", "announcer", "toast", "toast-action", "toast-close", "theme", "sounds",
  "sidebar", "sidebar-open", "sidebar-close", "new-chat", "search", "search-hit", "chat-list", "chat-item", "chat-open",
  "chat-running", "chat-menu", "chat-rename", "chat-pin", "chat-export", "chat-delete", "chat-rename-input", "chat-select",
  "list-menu", "select-start", "delete-empty", "export-all", "delete-selected", "select-cancel", "open-usage", "open-account",
  "account", "account-name", "account-password", "account-submit", "account-register", "confirm", "confirm-yes", "confirm-no",
  "chat", "chat-title", "chat-missing", "messages", "message", "message-text", "message-error", "message-note", "reasoning",
  "citations", "tool", "copy", "edit", "regenerate", "retry", "summarize", "edit-input", "edit-send", "edit-cancel",
  "branches", "branch-label", "branch-prev", "branch-next", "usage-badge", "code-copy", "jump",
  "banner", "banner-retry", "banner-close", "banner-countdown", "greeting", "suggestion", "summary",
  "composer", "composer-hint", "send", "stop", "image-mode", "model", "persona",
  "export-markdown", "export-jsonl", "usage", "usage-by-day", "usage-by-model", "usage-limit", "shortcuts",
] as const;

export type TestId = (typeof ids)[number];

/** `<div {...id("composer")}>`: a name that is not in the list does not compile. */
export const id = (name: TestId) => ({ "data-testid": name });

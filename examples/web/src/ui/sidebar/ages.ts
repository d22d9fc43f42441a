/** Under which heading a chat stands. */
import type { Chat } from "../../api/types";

const DAY_MS = 86_400_000;

export function ageOf(chat: Chat, now = new Date()): string {
  if (chat.pinned) return "Pinned";
  const midnight = new Date(now.getFullYear(), now.getMonth(), now.getDate()).getTime();
  if (chat.updated_ms >= midnight) return "Today";
  if (chat.updated_ms >= midnight - DAY_MS) return "Yesterday";
  if (chat.updated_ms >= midnight - 7 * DAY_MS) return "Last seven days";
  return new Date(chat.updated_ms).toLocaleDateString(undefined, { month: "long", year: "numeric" });
}

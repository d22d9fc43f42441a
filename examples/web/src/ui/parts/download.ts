/** Saves an export as a file of the browser's. */
import type { Api } from "../../api/types";

export async function download(api: Api, chat: string | null, format: "markdown" | "jsonl", title: string): Promise<void> {
  const blob = await api.export(chat, format);
  const link = document.createElement("a");
  link.href = URL.createObjectURL(blob);
  link.download = `${fileName(title)}.${format === "markdown" ? "md" : "jsonl"}`;
  link.click();
  // The download has begun by then; the address is only memory.
  setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
}

const fileName = (title: string): string => title.replace(/[^\p{L}\p{N} -]+/gu, "").trim().slice(0, 60) || "chat";

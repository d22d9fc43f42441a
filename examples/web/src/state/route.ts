/** What the address says after `#`: which chat, or the usage. Nothing secret ever stands there. */
export type Route = { page: "chat"; chat: string | null } | { page: "usage" };

export function parse(hash: string): Route {
  if (hash === "#/usage") return { page: "usage" };
  const chat = /^#\/c\/(.+)$/.exec(hash)?.[1];
  return { page: "chat", chat: chat === undefined ? null : decode(chat) };
}

export const href = (route: Route): string =>
  route.page === "usage" ? "#/usage" : route.chat === null ? "#/" : `#/c/${encodeURIComponent(route.chat)}`;

/** An address that somebody cut in the middle of an escape is taken as it stands. */
function decode(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

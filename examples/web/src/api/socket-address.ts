/** Where a socket is, and who opens it: the token goes as a subprotocol, because a browser lets no header be set. */

import type { Http } from "./http.ts";

export async function address(http: Http, path: string): Promise<{ url: string; protocols: string[] }> {
  const url = new URL(http.base + path, globalThis.location?.href);
  url.protocol = url.protocol === "https:" ? "wss:" : "ws:";
  const token = await http.auth?.token();
  return { url: url.href, protocols: token === undefined ? ["catgpt"] : ["catgpt", token] };
}

/** The token has run out (4401), or is another user's (4403): the next connection has a new one. */
export async function refusedToken(http: Http, code: number): Promise<void> {
  if (code === 4401 || code === 4403) await http.auth?.renew(await http.auth.token());
}

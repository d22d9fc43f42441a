/** Asks a back end what it is, and gives the adapter that speaks its language. */

import { Auth, type Store } from "./auth.ts";
import { onWake } from "./backoff.ts";
import { Http } from "./http.ts";
import { Link } from "./link.ts";
import { SseApi } from "./sse-send.ts";
import { TextApi } from "./text.ts";
import type { Api, Capabilities } from "./types.ts";
import { WsRequestApi } from "./ws-request.ts";
import { WsTaskApi } from "./ws-task.ts";

const ADAPTERS = { sse: SseApi, text: TextApi, "ws-request": WsRequestApi, "ws-task": WsTaskApi };

const NOTHING = () => {};

/** The browser's storage; where it is forbidden, a guest lasts as long as the page. */
function storage(): Store {
  try {
    return globalThis.localStorage;
  } catch {
    return { getItem: () => null, setItem: NOTHING, removeItem: NOTHING };
  }
}

/** `base` is the back end's address if it is not the page's own, without a slash at its end. */
export async function connect(base = ""): Promise<Api> {
  const link = new Link();
  const capabilities = await new Http(base, link).json<Capabilities>("GET", "/capabilities");
  const auth = capabilities.auth === "guest" ? new Auth(base, `catgpt.guest.${capabilities.app}`, storage()) : null;
  const http = new Http(base, link, auth);
  // A stream that has outlived the break says nothing for seconds; somebody has to ask whether the server is there.
  onWake(() => void http.open("GET", "/capabilities").catch(NOTHING));
  return new ADAPTERS[capabilities.transport](capabilities, http);
}

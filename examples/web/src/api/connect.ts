/** Asks a back end what it is, and gives the adapter that speaks its language. */

import { Auth } from "./auth.ts";
import { Http } from "./http.ts";
import { Link } from "./link.ts";
import { SseApi } from "./sse-send.ts";
import { TextApi } from "./text.ts";
import type { Api, Capabilities } from "./types.ts";
import { WsRequestApi } from "./ws-request.ts";
import { WsTaskApi } from "./ws-task.ts";

const ADAPTERS = { sse: SseApi, text: TextApi, "ws-request": WsRequestApi, "ws-task": WsTaskApi };

/** `base` is the back end's address if it is not the page's own, without a slash at its end. */
export async function connect(base = ""): Promise<Api> {
  const link = new Link();
  const capabilities = await new Http(base, link).json<Capabilities>("GET", "/capabilities");
  const auth = capabilities.auth === "guest" ? new Auth(base, `catgpt.guest.${capabilities.app}`) : null;
  return new ADAPTERS[capabilities.transport](capabilities, new Http(base, link, auth));
}

/** `sse`: `POST /chat` answers with the engine's events; the page invents the session's id. */

import { fresh } from "./fresh.ts";
import { RestApi } from "./rest.ts";
import type { Ask, Watch } from "./types.ts";
import { Place, type Source } from "./watch.ts";

export class SseApi extends RestApi {
  ask(ask: Ask, signal: AbortSignal): Watch {
    const [path, body] = this.request(ask);
    const begin: Source = (_place, signal) => this.events("POST", path, body, signal);
    // Until `started` is heard, the same question with the same key: it is the same turn, however often it is asked.
    return this.watch((place, signal) => (place.turn === null ? begin : this.follow)(place, signal), new Place(null, 0), signal);
  }

  protected request(ask: Ask): [path: string, body: object] {
    if (ask.type !== "send") return this.again(ask);
    const { text: message, key, image, model, persona } = ask;
    return ["/chat", { sessionId: ask.chat ?? fresh(), message, key, ...(image && { image }), ...(model && { model }), ...(persona && { persona }) }];
  }

  /** Edit and regenerate are the engine's own. */
  protected again({ chat, ...ask }: Exclude<Ask, { type: "send" }>): [path: string, body: object] {
    return [`${this.capabilities.api}${this.session(chat)}/turns`, ask];
  }
}

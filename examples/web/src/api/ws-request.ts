/** `ws-request`: one socket for all, each question with a request id that comes back on its frames. */

import { offline, readFailure } from "./failure.ts";
import { fresh } from "./fresh.ts";
import type { Http } from "./http.ts";
import { RestApi } from "./rest.ts";
import { type Frame, Socket, type SocketOptions } from "./socket.ts";
import { address, refusedToken } from "./socket-address.ts";
import type { Ask, Capabilities, ChatEvent, Watch } from "./types.ts";
import { Place, type Source } from "./watch.ts";

export class WsRequestApi extends RestApi {
  readonly #socket: Socket;

  constructor(capabilities: Capabilities, http: Http, create?: SocketOptions["create"]) {
    super(capabilities, http);
    const { auth, link } = http;
    this.#socket = new Socket({
      link,
      address: () => address(http, "/ws"),
      onClose: (code) => refusedToken(http, code),
      ping: { type: "ping", requestId: "ping" },
      ...(create && { create }),
    });
    auth?.onToken((token, isOther) => {
      // A fresh token keeps the socket as it is; another person must not.
      if (isOther) this.#socket.reconnect();
      else this.#socket.send({ type: "refresh", requestId: fresh(), token: token.access_token });
    });
  }

  ask(ask: Ask, signal: AbortSignal): Watch {
    const first = { ...command(ask), key: ask.key };
    return this.watch(this.#source(first), new Place(null, 0), signal);
  }

  override attach(_chat: string, turn: string, offset: number, signal: AbortSignal): Watch {
    return this.watch(this.#source(null), new Place(turn, offset), signal);
  }

  override async stop(chat: string, turn: string): Promise<void> {
    const signal = AbortSignal.timeout(3_000);
    try {
      for await (const frame of this.#request({ type: "stop", turn }, signal)) if (frame.done) return;
    } catch (error) {
      const refused = readFailure(error);
      if (refused && refused.kind !== "offline") throw refused;
    }
    // The socket is away, and stopping is urgent: it works over HTTP as well.
    await super.stop(chat, turn);
  }

  #source(first: Frame | null): Source {
    const source = this;
    return async function* (place, signal) {
      const again = { type: "attach", turn: place.turn, offset: place.offset };
      const frame = place.turn === null && first ? first : again;
      for await (const answer of source.#request(frame, signal)) {
        const event = read(answer);
        if (event) yield event;
      }
    };
  }

  async *#request(frame: Frame, signal: AbortSignal): AsyncGenerator<Frame> {
    const requestId = fresh();
    for await (const answer of this.#socket.exchange({ ...frame, requestId }, signal)) {
      if (answer.requestId !== requestId) continue;
      if (answer.error !== undefined) throw readFailure(answer.error) ?? offline();
      yield answer;
    }
  }
}

function command(ask: Ask): Frame {
  // A new conversation is named by the back end, after the key: a question that is repeated makes no second one.
  if (ask.type === "send") return { type: "message", conversationId: ask.chat, content: ask.text };
  const { type, chat: conversationId, seq } = ask;
  return { type, conversationId, seq, ...(ask.type === "edit" && { content: ask.text }) };
}

function read(frame: Frame): ChatEvent | null {
  if (frame.event) return frame.event as ChatEvent;
  if (typeof frame.content !== "string") return null;
  return { type: "text", text: frame.content, offset: Number(frame.offset) };
}

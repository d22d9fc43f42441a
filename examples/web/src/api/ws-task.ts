/** `ws-task`: the socket of one user, whose frames carry the id of the task that they belong to. */

import { readFailure } from "./failure.ts";
import type { Http } from "./http.ts";
import { RestApi } from "./rest.ts";
import { type Frame, Socket, type SocketOptions } from "./socket.ts";
import { address, refusedToken } from "./socket-address.ts";
import type { Ask, Capabilities, ChatEvent, Status, Usage, Watch } from "./types.ts";
import { Place, type Source } from "./watch.ts";

export class WsTaskApi extends RestApi {
  readonly #socket: Socket;

  constructor(capabilities: Capabilities, http: Http, create?: SocketOptions["create"]) {
    super(capabilities, http);
    const { auth, link } = http;
    this.#socket = new Socket({
      link,
      address: async () => address(http, `/ws/${encodeURIComponent((await auth?.user()) ?? "")}`),
      onClose: (code) => refusedToken(http, code),
      ping: { action: "ping" },
      ...(create && { create }),
    });
    auth?.onToken((_token, isOther) => isOther && this.#socket.reconnect());
  }

  ask(ask: Ask, signal: AbortSignal): Watch {
    return this.watch(this.#source(command(ask)), new Place(null, 0), signal);
  }

  override attach(_chat: string, turn: string, offset: number, signal: AbortSignal): Watch {
    return this.watch(this.#source(null), new Place(turn, offset), signal);
  }

  override async stop(chat: string, turn: string): Promise<void> {
    // The frame has no answer of its own; the call has one, and does nothing to a turn that has stopped.
    this.#socket.send({ action: "stop", task_id: turn });
    await super.stop(chat, turn);
  }

  #source(first: Frame | null): Source {
    const socket = this.#socket;
    return async function* (place, signal) {
      const again = { action: "attach", task_id: place.turn, offset: place.offset };
      const frame = place.turn === null && first ? first : again;
      const task = new Task(frame);
      for await (const answer of socket.exchange(frame, signal)) {
        if (!task.owns(answer)) continue;
        if (answer.type === "error") throw readFailure({ error: answer }) ?? new Error("a refusal without a kind");
        const event = read(answer);
        if (event) yield event;
      }
    };
  }
}

/** Which frames answer a command: those of its task, which its first answer names by the command's key. */
class Task {
  readonly #key: unknown;
  readonly #chat: unknown;
  #id: unknown;

  constructor(frame: Frame) {
    this.#key = frame.key;
    this.#chat = frame.chat_id;
    this.#id = frame.task_id;
  }

  owns(frame: Frame): boolean {
    if (this.#id === undefined && this.#begins(frame)) this.#id = frame.task_id;
    if (frame.key !== undefined && frame.key === this.#key) return true;
    return this.#id !== undefined && frame.task_id === this.#id;
  }

  /** A session has one running turn, so what starts in it while we ask is what we asked for. */
  #begins(frame: Frame): boolean {
    if (frame.type === "error") return false;
    if (frame.key !== undefined) return frame.key === this.#key;
    const event = frame.event as ChatEvent | undefined;
    return event?.type === "started" && frame.chat_id === this.#chat;
  }
}

function command(ask: Ask): Frame {
  const { key } = ask;
  // A new chat is named by the back end, after the key: a question that is repeated makes no second one.
  if (ask.type === "send") return { action: "send_message", chat_id: ask.chat, content: ask.text, response_model: false, key };
  const frame = { action: ask.type, chat_id: ask.chat, message_id: String(ask.seq), key };
  return ask.type === "edit" ? { ...frame, content: ask.text } : frame;
}

function read(frame: Frame): ChatEvent | null {
  switch (frame.type) {
    case "event":
      return frame.event as ChatEvent;
    case "token":
      return { type: "text", text: String(frame.token), offset: Number(frame.offset) };
    case "generation_complete":
      return finished(frame);
    default:
      return null;
  }
}

function finished(frame: Frame): ChatEvent {
  const stored = Number(frame.stored);
  const error = frame.error ? readFailure(frame.error) : null;
  const usage = (frame.usage ?? null) as Usage | null;
  return { type: "finished", status: frame.status as Status, usage, stored, offset: stored, ...(error && { error }) };
}

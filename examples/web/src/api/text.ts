/**
 * `text`: `POST /api/chat` answers with the bare text of the reply. It tells neither the other parts, nor offsets, nor how
 * it ended: the turn itself does, which is followed from there to its end, also when the bare text broke off.
 */

import { isGone, offline } from "./failure.ts";
import { chunks } from "./sse.ts";
import { SseApi } from "./sse-send.ts";
import type { Ask, ChatEvent, Watch } from "./types.ts";
import { insist, Place } from "./watch.ts";

type Send = Ask & { type: "send" };

interface Heard {
  started: ChatEvent & { type: "started" };
  body: ReadableStream<Uint8Array>;
}

export class TextApi extends SseApi {
  override ask(ask: Ask, signal: AbortSignal): Watch {
    if (ask.type !== "send") return super.ask(ask, signal);
    return this.#send(ask, signal);
  }

  async *#send(ask: Send, signal: AbortSignal): Watch {
    const heard = await insist(() => this.#open(ask, signal), this.http.link, signal);
    if (!heard) return;
    yield heard.started;
    let read = 0;
    try {
      for await (const text of texts(heard.body)) {
        read += size(text);
        yield { type: "text", text, offset: read };
      }
    } catch (error) {
      if (signal.aborted) return;
      if (!isGone(error)) throw error;
    }
    yield* this.#rest(heard.started.turn, read, signal);
  }

  async #open(ask: Send, signal: AbortSignal): Promise<Heard> {
    // A new chat is numbered by the back end, after the key: a question that is repeated makes no second one.
    const body = { message: ask.text, key: ask.key, ...(ask.chat !== null && { chat_id: Number(ask.chat) }) };
    const response = await this.http.open("POST", "/api/chat", { body, signal });
    const [chat, turn] = ["x-chat-id", "x-turn-id"].map((name) => response.headers.get(name));
    if (!response.body || !chat || !turn) throw offline("this is not an answer of the back end");
    return { started: await this.#started(chat, turn), body: response.body };
  }

  /** Which messages these are: the history knows, and the bare text does not. */
  async #started(chat: string, turn: string): Promise<Heard["started"]> {
    const { messages } = await this.history(chat);
    const reply = messages.findLast((message) => message.turn === turn && message.role === "assistant");
    if (!reply) throw offline("the turn does not stand in the history");
    const model = reply.model === undefined ? {} : { model: reply.model };
    return { type: "started", turn, session: chat, user_seq: reply.parent, reply_seq: reply.seq, offset: 0, ...model };
  }

  /** The turn, without so many bytes of its text, and without what was thought before them. */
  async *#rest(turn: string, read: number, signal: AbortSignal): Watch {
    let left = read;
    for await (const event of this.watch(this.follow, new Place(turn, 0), signal)) {
      if (event.type === "started" || (event.type === "reasoning" && left > 0)) continue;
      if (event.type !== "text" || left === 0) {
        yield event;
        continue;
      }
      const bytes = new TextEncoder().encode(event.text);
      const text = new TextDecoder().decode(bytes.subarray(left));
      left = Math.max(0, left - bytes.length);
      if (text) yield { ...event, text };
    }
  }
}

/** A body as text; a character that is cut waits for its other half. */
async function* texts(body: ReadableStream<Uint8Array>): AsyncGenerator<string> {
  const decoder = new TextDecoder("utf-8", { ignoreBOM: true });
  for await (const bytes of chunks(body)) {
    const text = decoder.decode(bytes, { stream: true });
    if (text) yield text;
  }
}

function size(text: string): number {
  return new TextEncoder().encode(text).length;
}

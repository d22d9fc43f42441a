/** The calls of one owner at one engine. */
import { hub, type Answer, type Arrived } from "./hub.js";
import type { NativeEngine } from "./native.js";
import { Reply } from "./reply.js";

export class Scope {
  constructor(
    readonly engine: NativeEngine,
    readonly owner: string | null,
  ) {}

  /** A call that gives a turn to watch. */
  async reply(call: object, signal: AbortSignal | undefined): Promise<Reply> {
    return this.#reply((await this.#call(call, signal)) as Arrived, signal);
  }

  /** A call that may give a turn to watch. */
  async resumed(call: object, signal: AbortSignal | undefined): Promise<Reply | null> {
    const answer = await this.#call(call, signal);
    return "stream" in answer ? this.#reply(answer, signal) : null;
  }

  /** A call that gives a turn to watch as frames, or one frame. */
  async *frames(call: object, signal: AbortSignal | undefined): AsyncGenerator<string, void> {
    const answer = await this.#call(call, signal);
    if ("stream" in answer) yield* this.#reply(answer, signal).frames();
    else yield answer.data as string;
  }

  #reply(arrived: Arrived, signal: AbortSignal | undefined): Reply {
    return new Reply({ engine: this.engine, owner: this.owner, signal, ...arrived });
  }

  /** A call that gives data. */
  async data<T>(call: object, signal: AbortSignal | undefined): Promise<T> {
    const answer = (await this.#call(call, signal)) as { data: T };
    return answer.data;
  }

  #call(call: object, signal: AbortSignal | undefined): Promise<Answer> {
    return hub().call(this.engine, { ...call, owner: this.owner }, signal);
  }
}

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
    const answer = (await this.#call(call, signal)) as Arrived;
    return new Reply({ engine: this.engine, owner: this.owner, signal, ...answer });
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

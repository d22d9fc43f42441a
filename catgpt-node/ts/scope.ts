/** The calls of one owner at one engine. */
import type { ExportFormat } from "./data.js";
import { hub, type Answer, type Arrived, type Served } from "./hub.js";
import type { NativeEngine } from "./native.js";
import type { OnProgress } from "./options.js";
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

  /** A call that gives a response of the HTTP API. */
  async served(call: object, signal: AbortSignal | undefined): Promise<Served> {
    return (await this.#call(call, signal)) as Served;
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
    else yield (answer as { data: string }).data;
  }

  #reply(arrived: Arrived, signal: AbortSignal | undefined): Reply {
    return new Reply({ engine: this.engine, owner: this.owner, signal, ...arrived });
  }

  /** A call that gives data. */
  async data<T>(call: object, signal: AbortSignal | undefined, onProgress?: OnProgress): Promise<T> {
    const answer = (await this.#call(call, signal, onProgress)) as { data: T };
    return answer.data;
  }

  /** The pieces of an export of a session; one that was `listed` and is gone has nothing to say. */
  async *pages(session: string, format: ExportFormat | undefined, listed: boolean, signal: AbortSignal | undefined) {
    for (let mark: unknown = null; ; ) {
      const page: { text: string; next: unknown } = await this.data({ do: "export_page", session, format, mark, listed }, signal);
      yield page.text;
      if ((mark = page.next) === null) return;
    }
  }

  #call(call: object, signal: AbortSignal | undefined, onProgress?: OnProgress): Promise<Answer> {
    return hub().call(this.engine, { ...call, owner: this.owner }, signal, onProgress);
  }
}

/** A web socket whose other end is the test. */

import type { Frame, Wire } from "../socket.ts";

export class FakeWire implements Wire {
  onopen: (() => void) | null = null;
  onclose: ((event: { code: number }) => void) | null = null;
  onmessage: ((event: { data: string }) => void) | null = null;
  readonly sent: Frame[] = [];
  closed: number | null = null;
  /** What the server does with a frame. */
  answer: (frame: Frame, wire: FakeWire) => void = () => {};

  constructor(
    readonly url: string,
    readonly protocols: string[],
  ) {}

  send(data: string): void {
    const frame = JSON.parse(data) as Frame;
    this.sent.push(frame);
    this.answer(frame, this);
  }

  close(code = 1000): void {
    this.closed ??= code;
  }

  open(): this {
    this.onopen?.();
    return this;
  }

  say(frame: Frame): void {
    this.onmessage?.({ data: JSON.stringify(frame) });
  }

  drop(code = 1006): void {
    this.closed ??= code;
    this.onclose?.({ code });
  }
}

/** Makes wires that open by themselves and are answered by `serve`, which gets the number of the connection. */
export function wires(serve: (frame: Frame, wire: FakeWire, connection: number) => void = () => {}) {
  const all: FakeWire[] = [];
  const create = (url: string, protocols: string[]) => {
    const wire = new FakeWire(url, protocols);
    const connection = all.push(wire) - 1;
    wire.answer = (frame) => serve(frame, wire, connection);
    queueMicrotask(() => wire.open());
    return wire;
  };
  return { all, create };
}

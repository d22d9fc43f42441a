import { describe, expect, test } from "vitest";
import { events, SseParser } from "./sse.ts";
import { body } from "./testing/server.ts";

const TEXT = [
  ": a comment\n\n",
  "id: t:1\ndata: {\"a\":\"🐈\"}\n\n",
  "id: t:2\r\ndata: one\r\ndata: two\r\n\r\n",
  "event: ignored\rid:t:3\rdata:no space\r\r",
  "id: 9\n\n",
  "data\n\n",
  "data: שלום\nretry: 5\n\n",
].join("");

const WHOLE = [
  { id: "t:1", data: '{"a":"🐈"}' },
  { id: "t:2", data: "one\ntwo" },
  { id: "t:3", data: "no space" },
  { id: "9", data: "" },
  { id: "9", data: "שלום" },
];

describe("server-sent events", () => {
  const bytes = new TextEncoder().encode(TEXT);

  test("are read whole, and byte by byte", () => {
    expect(new SseParser().push(bytes)).toEqual(WHOLE);
    const parser = new SseParser();
    expect([...bytes].flatMap((byte) => parser.push(Uint8Array.of(byte)))).toEqual(WHOLE);
  });

  test("are the same wherever they are cut", () => {
    for (let cut = 0; cut <= bytes.length; cut += 1) {
      const parser = new SseParser();
      const read = [...parser.push(bytes.subarray(0, cut)), ...parser.push(bytes.subarray(cut))];
      expect(read, `cut at ${cut}`).toEqual(WHOLE);
    }
  });

  test("an id without data is kept and not shown", () => {
    const parser = new SseParser();
    expect(parser.push(new TextEncoder().encode("id: 17\n\n"))).toEqual([]);
    expect(parser.lastId).toBe("17");
  });

  test("an event that was cut off is none", async () => {
    const read: string[] = [];
    const reading = (async () => {
      for await (const event of events(body(["data: a\n\ndata: b\n"], true))) read.push(event.data);
    })();
    await expect(reading).rejects.toMatchObject({ kind: "offline" });
    expect(read).toEqual(["a"]);
  });

  test("silence that is not even filled is a dead connection", async () => {
    const silent = new ReadableStream<Uint8Array>({ pull: () => new Promise(() => {}) });
    await expect(events(silent, new SseParser(), 5).next()).rejects.toMatchObject({ kind: "offline" });
  });
});

/** A Redis for a test: that of `REDIS_URL`, or one of its own without a disk. */

import { spawn } from "node:child_process";
import { once } from "node:events";
import { connect } from "node:net";
import { freePort } from "./app.ts";
import { eventually } from "./wait.ts";

export interface Redis {
  url: string;
  close(): Promise<void>;
}

export async function redis(): Promise<Redis> {
  const given = process.env["REDIS_URL"];
  if (given) return { url: given, close: async () => {} };
  const port = await freePort();
  const server = spawn("redis-server", ["--port", String(port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"], { stdio: "ignore" });
  const gone = once(server, "exit");
  await eventually("redis answers", async () => {
    const socket = connect(port, "127.0.0.1");
    await once(socket, "connect");
    socket.destroy();
    return true;
  });
  const close = async () => {
    server.kill();
    await gone;
  };
  return { url: `redis://127.0.0.1:${port}`, close };
}

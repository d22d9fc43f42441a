/** The HTTP API that comes with the engine, for servers that speak `Request` and `Response`, and for those of Node. */
import { onAbort } from "./abort.js";
import { streamOf, writeTo, type ServerResponseLike } from "./encoded.js";
import { crossing } from "./errors.js";
import { hub, type Served } from "./hub.js";
import { spelledLimits } from "./limits.js";
import { native } from "./native.js";
import type { Scope } from "./scope.js";
import type { SendOptions } from "./session.js";

/** How to answer a request of the HTTP API. */
export interface HttpOptions {
  /** Where the API is mounted: `/api`. */
  base?: string | undefined;
  /** What the application decides about each send: the model, the persona, the limits of the owner's plan. */
  options?: Omit<SendOptions, "signal"> | undefined;
}

/** What is used of an `IncomingMessage`. */
export interface IncomingMessageLike extends AsyncIterable<Uint8Array | string> {
  readonly method?: string | undefined;
  readonly url?: string | undefined;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  /** What a body parser of Express has read already. */
  readonly body?: unknown;
}

/** What is used of a `ServerResponse`. */
export interface HttpResponseLike extends ServerResponseLike {
  statusCode: number;
  destroy(): unknown;
}

interface Head {
  status: number;
  headers: [name: string, value: string][];
  whole: boolean;
}

/** Answers a web `Request`. Who goes away ends what is watched, and no turn. */
export async function serve(scope: Scope, request: Request, { base, options }: HttpOptions): Promise<Response> {
  const { method, headers, signal } = request;
  const told = (name: string) => headers.get(name) ?? undefined;
  const body = await read(request.body ?? []);
  const served = await ask(scope, { method, url: request.url, base, told, body, options }, signal);
  const { status, headers: fields } = JSON.parse(served.served.head) as Head;
  const [next, end] = bytes(served, signal);
  return new Response(status === 204 ? null : streamOf(next, end), { status, headers: fields });
}

/**
 * Answers a request of `node:http`, Express or Fastify (`raw`). What is missing at the end of a body breaks the connection
 * off, so that nobody takes what came for all.
 */
export async function handle(
  scope: Scope,
  request: IncomingMessageLike,
  response: HttpResponseLike,
  { base, options }: HttpOptions,
): Promise<void> {
  const gone = new AbortController();
  const left = () => gone.abort();
  response.once("close", left);
  try {
    const told = (name: string) => [request.headers[name]].flat()[0];
    const { method = "GET", url = "/" } = request;
    const body = parsed(request.body) ?? (await read(request));
    const served = await ask(scope, { method, url, base, told, body, options }, gone.signal);
    const { status, headers } = JSON.parse(served.served.head) as Head;
    response.statusCode = status;
    await writeTo(response, Object.fromEntries(headers), ...bytes(served, undefined));
  } catch (error) {
    if (response.headersSent) response.destroy();
    else if (!response.destroyed) throw error;
  } finally {
    response.off("close", left);
  }
}

interface Told {
  method: string;
  url: string;
  base: string | undefined;
  told: (name: string) => string | undefined;
  body: string;
  options: object | undefined;
}

function ask(scope: Scope, { method, url, base = "", told, body, options = {} }: Told, signal: AbortSignal): Promise<Served> {
  // What stands before the path does not matter, and in a server of Node it is not there.
  const { pathname, search } = new URL(url, "http://localhost");
  // What is not below the base is no path of the API.
  const path = pathname.startsWith(`${base}/`) ? pathname.slice(base.length) : "";
  const request = { method, path, query: search.slice(1), body, last_event_id: told("last-event-id"), accept: told("accept") };
  return scope.served({ do: "serve", request, options: spelledLimits(options) }, signal);
}

/** What a body parser left, as text again; nothing if there was none. */
function parsed(body: unknown): string | undefined {
  if (body === undefined || typeof body === "string") return body;
  return body instanceof Uint8Array ? Buffer.from(body).toString() : JSON.stringify(body);
}

/** The body, as far as the core looks at it: it refuses one that is longer. */
async function read(body: AsyncIterable<Uint8Array | string> | Iterable<never>): Promise<string> {
  const pieces: Uint8Array[] = [];
  let length = 0;
  for await (const piece of body) {
    const bytes = typeof piece === "string" ? Buffer.from(piece) : piece;
    pieces.push(bytes);
    if ((length += bytes.length) > native.maxBody()) break;
  }
  return Buffer.concat(pieces).toString();
}

/** The next bytes of a response, and what ends it. */
function bytes({ id, served }: Served, signal: AbortSignal | undefined): [() => Promise<Uint8Array | undefined>, () => void] {
  let over = false;
  const end = () => {
    if (over) return;
    over = true;
    unwatch();
    served.close();
    hub().unpark(id);
    hub().rung(id);
  };
  const unwatch = onAbort(signal, end);
  const next = async () => {
    let piece: Uint8Array | null = null;
    try {
      while (!over && (piece = crossing(() => served.pollBytes())) === null) {
        await new Promise<void>((resolve) => hub().park(id, resolve));
      }
    } catch (error) {
      end();
      throw error;
    }
    if (piece?.length) return piece;
    end();
    return undefined;
  };
  return [next, end];
}

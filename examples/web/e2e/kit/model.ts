/**
 * A model server in the test's own process: OpenAI's chat completions, with an answer for each question that a test
 * expects. It goes on when the test says so, tells what it was asked, and when its caller hung up.
 */

import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { once } from "node:events";

export const MODEL = "scripted-1";
export const TITLE_MODEL = "scripted-titles";
/** The key of all applications under test: it must not be seen anywhere but here. */
export const KEY = "sk-e2e-6f1d0c59b7e84f2a93";

/** What it draws: one transparent pixel, as PNG. */
export const PIXEL = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==";

export type Step =
  | { text: string }
  | { reasoning: string }
  /** Waits for the test. */
  | Gate
  /** Says nothing for so long: the one step that takes real time. */
  | { silence: number }
  /** Answers with this status instead; only as the first step. */
  | { refuse: number }
  /** Hangs up in the middle. */
  | { cut: true };

export const text = (text: string): Step => ({ text });
export const reasoning = (reasoning: string): Step => ({ reasoning });

/** `text` in pieces of so many characters, with a gate after each of these shares of them. */
export function pieces(text: string, size: number, gates: [share: number, gate: Gate][] = []): Step[] {
  const chars = [...text];
  const steps: Step[] = [];
  const left = [...gates];
  for (let at = 0; at < chars.length; at += size) {
    while (left[0] && at >= left[0][0] * chars.length) steps.push(left.shift()![1]);
    steps.push({ text: chars.slice(at, at + size).join("") });
  }
  return [...steps, ...left.map(([, gate]) => gate)];
}

/** A place where an answer stops until the test opens it. */
export class Gate {
  #open: () => void = () => {};
  #reach: () => void = () => {};
  readonly opened = new Promise<void>((resolve) => (this.#open = resolve));
  /** The answer has come to it. */
  readonly reached = new Promise<void>((resolve) => (this.#reach = resolve));

  open(): void {
    this.#open();
  }

  reach(): Promise<void> {
    this.#reach();
    return this.opened;
  }
}

export interface Asked {
  question: string;
  model: string;
  authorization: string | undefined;
  isTitle: boolean;
  messages: { role: string; content: string }[];
  /** The caller hung up, or the answer was whole. */
  ended: Promise<"hung up" | "whole">;
}

export class Model {
  readonly asked: Asked[] = [];
  /** How titles are answered: words, or a step that fails. */
  title: (question: string) => Step[] = () => [text("A title by the model")];
  readonly #scripts = new Map<string, Step[]>();

  private constructor(private readonly server: Server) {}

  static async start(): Promise<Model> {
    const server = createServer();
    const model = new Model(server);
    server.on("request", (request, response) => void model.#serve(request, response).catch(() => response.destroy()));
    await once(server.listen(0, "127.0.0.1"), "listening");
    return model;
  }

  /** What the applications get as `OPENAI_BASE_URL`. */
  get url(): string {
    return `http://127.0.0.1:${(this.server.address() as AddressInfo).port}/v1`;
  }

  /** Answers this question, each time, with these steps. */
  when(question: string, ...steps: Step[]): void {
    this.#scripts.set(question, steps);
  }

  /** The questions that were asked so far, or those like this one. */
  about(question: string): Asked[] {
    return this.asked.filter((asked) => asked.question === question && !asked.isTitle);
  }

  async close(): Promise<void> {
    this.server.closeAllConnections();
    await new Promise((resolve) => this.server.close(resolve));
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    if (request.url?.endsWith("/models")) return json(response, 200, { object: "list", data: [{ id: MODEL, object: "model" }] });
    if (request.url?.endsWith("/images/generations")) return json(response, 200, { data: [{ b64_json: PIXEL }] });
    const body = JSON.parse(await read(request)) as Body;
    const asked = this.#note(body, request, response);
    const steps = asked.isTitle ? this.title(asked.question) : (this.#scripts.get(asked.question) ?? [text(`You said: ${asked.question}`)]);
    const [first] = steps;
    if (first && "refuse" in first) return json(response, first.refuse, { error: { message: "scripted", type: "scripted" } });
    await (body.stream ? stream(response, steps) : whole(response, steps));
  }

  #note(body: Body, request: IncomingMessage, response: ServerResponse): Asked {
    const messages = body.messages.map(({ role, content }) => ({ role, content: plain(content) }));
    const newest = messages.findLast(({ role }) => role === "user")?.content ?? "";
    const title = /^Message:\n(.*)\n\nTitle:$/s.exec(newest)?.[1];
    const { authorization } = request.headers;
    const ended = new Promise<"hung up" | "whole">((resolve) => {
      response.on("close", () => resolve(response.writableFinished ? "whole" : "hung up"));
    });
    const asked = { question: title ?? newest, model: body.model, authorization, isTitle: title !== undefined, messages, ended };
    this.asked.push(asked);
    return asked;
  }
}

interface Body {
  model: string;
  stream?: boolean;
  messages: { role: string; content: unknown }[];
}

function plain(content: unknown): string {
  if (typeof content === "string") return content;
  if (!Array.isArray(content)) return "";
  return content.map((part: { text?: string }) => part.text ?? "").join("");
}

async function read(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks).toString();
}

function json(response: ServerResponse, status: number, body: unknown): void {
  response.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify(body));
}

const USAGE = { prompt_tokens: 11, completion_tokens: 7, total_tokens: 18 };

async function stream(response: ServerResponse, steps: Step[]): Promise<void> {
  response.writeHead(200, { "content-type": "text/event-stream" });
  response.flushHeaders();
  const send = (delta: object, finish_reason: string | null = null) => {
    const chunk = { id: "c", object: "chat.completion.chunk", model: MODEL, choices: [{ index: 0, delta, finish_reason }] };
    response.write(`data: ${JSON.stringify(chunk)}\n\n`);
  };
  // A model that thinks in silence has not said yet that it is the assistant who speaks.
  if (!steps[0] || !("silence" in steps[0])) send({ role: "assistant", content: "" });
  for (const step of steps) {
    if (response.destroyed) return;
    if ("cut" in step) return void response.destroy();
    if ("text" in step) send({ content: step.text });
    else if ("reasoning" in step) send({ reasoning_content: step.reasoning });
    else await held(step, response);
  }
  send({}, "stop");
  response.write(`data: ${JSON.stringify({ id: "c", object: "chat.completion.chunk", choices: [], usage: USAGE })}\n\n`);
  response.end("data: [DONE]\n\n");
}

async function whole(response: ServerResponse, steps: Step[]): Promise<void> {
  let content = "";
  for (const step of steps) {
    if ("text" in step) content += step.text;
    else if (!("reasoning" in step)) await held(step, response);
  }
  const choices = [{ index: 0, message: { role: "assistant", content }, finish_reason: "stop" }];
  json(response, 200, { id: "c", object: "chat.completion", model: MODEL, choices, usage: USAGE });
}

/** Waits at a gate or in silence, unless the caller hangs up. */
async function held(step: Step, response: ServerResponse): Promise<void> {
  const over = step instanceof Gate ? step.reach() : "silence" in step ? after(step.silence) : Promise.resolve();
  await Promise.race([over, new Promise((resolve) => response.once("close", resolve))]);
}

function after(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

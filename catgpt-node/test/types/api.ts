/** The public types as users write against them; `types.test.js` compiles this and never runs it. */
import {
  BusyError,
  CatgptError,
  Engine,
  ERRORS,
  Image,
  Images,
  Persona,
  errorResponse,
  tool,
  type CallAt,
  type ChatModel,
  type ErrorKind,
  type Event,
  type Finished,
  type Hook,
  type Limit,
  type LimitState,
  type Memory,
  type Message,
  type ModelInfo,
  type ModelRequest,
  type Part,
  type Reply,
  type Spent,
  type User,
} from "catgpt-node";
import { Scripted } from "catgpt-node/testing";

type Same<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false;
const same = <A, B>(_: Same<A, B>): void => {};

export const drawing = new Engine({ model: { image: new Images({ size: "1024x1024" }), mine: () => "Meow", "*": "gpt-4o-mini" } });
const engine = new Engine({ model: "gpt-4o-mini", memory: "sqlite:chat.db", persona: Persona.cat() });
const session = engine.user("alice").session("trip");
const signal = new AbortController().signal;

export async function stream(): Promise<void> {
  await using reply = await session.send("Plan three days in Kyoto", { signal, key: "1", busy: "queue", onDrop: "cancel" });
  for await (const event of reply) {
    same<typeof event, Event>(true);
    if (event.type === "text") same<typeof event.text, string>(true);
  }
  same<Awaited<ReturnType<typeof reply.text>>, string>(true);
  same<Awaited<ReturnType<typeof reply.result>>, Finished>(true);
  same<Awaited<ReturnType<typeof session.history>>, Message[]>(true);
  await reply.cancel({ signal });
}

/** Each method of a hook may be left out, be async or not, and answer nothing. */
export const hooks: Hook[] = [
  { beforePrompt: (at, branch) => [{ text: at.turn, part: branch.at(-1)!.content[0]! }], timeoutMs: 1000 },
  { async beforeModel(_at, attempt, request) { return attempt > 1 ? { model: "other" } : { messages: request.messages }; } },
  { onDeltas: (_at, parts) => void parts.length, afterTurn: async (_at, reply) => void same<typeof reply, Message>(true) },
];
export const hooked = new Engine({ hooks });

/** The union is closed: a missing case is an error of the compiler. */
export function show(event: Event): string {
  switch (event.type) {
    case "started":
      return event.turn + event.reply_seq.toFixed();
    case "text":
    case "reasoning":
      return event.text;
    case "tool_call":
      return event.name;
    case "tool_result":
      return String(event.output);
    case "part":
      return event.part.type;
    case "retrying":
      return event.error.kind;
    case "title":
      return event.title;
    case "finished":
      return event.status + (event.error?.message ?? event.usage?.output_tokens ?? "");
    default:
      return event satisfies never;
  }
}

/** And so are the parts of a message. */
export function words(part: Part): string {
  switch (part.type) {
    case "text":
    case "reasoning":
      return part.text;
    case "tool_call":
      return part.name;
    case "tool_result":
      return String(part.output);
    case "image":
    case "citation":
      return part.url;
    case "provider":
      return part.provider;
    default:
      return part satisfies never;
  }
}

/** A tool knows which call it serves. */
export const booked = tool<{ train: string }>({ name: "book" }, ({ train }, at) => {
  same<typeof at, CallAt>(true);
  return [train, at.owner, at.session, at.turn, at.id, at.key, at.signal.aborted];
});

/** A message may hold pictures, and a model may show some. */
export async function pictures(): Promise<void> {
  await session.send(["What is this?", { type: "image", url: "https://example.org/cat.png", detail: "low" }]);
  await session.edit(1, [Image.load("cat.png", { alt: "a cat" })]);
  // @ts-expect-error: there is no such detail
  await session.send([{ type: "image", url: "ref:1", detail: "most" }]);
  same<Awaited<ReturnType<typeof engine.models>>, ModelInfo[]>(true);
  new Engine({ cache: { ttlMs: 1 }, model: () => [{ part: { type: "chart", points: [1] } }, { part: Image.load("a.png") }] });
}

export const POST = async (request: Request): Promise<Response> => {
  try {
    return (await session.send(await request.text())).toResponse({ status: 200, keepAliveMs: 5_000 });
  } catch (error) {
    return errorResponse(error);
  }
};

export function caught(error: unknown): string {
  if (error instanceof BusyError) same<typeof error.code, "busy">(true);
  if (error instanceof CatgptError) return error.code satisfies ErrorKind;
  return ERRORS.not_found.name;
}

const model: ChatModel = {
  name: "mine",
  async *stream({ messages }: ModelRequest, signal) {
    yield "text";
    yield { reasoning: String(messages.length) };
    if (!signal.aborted) yield { finish: "stop" };
  },
};
new Engine({ model });
new Engine({ model: async ({ turn }) => turn ?? "none" });
new Engine({ model: Scripted.reply("Hi"), memory: {} as Memory, windowMessages: 10 });
new Scripted([{ text: "a" }, { gate: "g" }, { error: "unavailable" }, { delay_ms: 1 }, { hang: true }]);

export const bytes = (reply: Reply): ReadableStream<Uint8Array> => reply.toByteStream({ minIntervalMs: 10 });

const daily: Limit = { name: "daily", unit: "tokens", max: 1_000, windowMs: 86_400_000 };
new Engine({ prices: { "gpt-4o*": { input: 2.5, output: 10 } }, limits: [daily], maxRunning: 2 });
void session.send("Hi", { limits: [{ ...daily, per: { key: "ip" } }], limitKeys: { ip: "192.0.2.1" } });
const [spent] = await engine.local().usage({ by: ["day", "model"], fromMs: 0 });
same<typeof spent, Spent | undefined>(true);
same<LimitState[], Awaited<ReturnType<User["limits"]>>>(true);

// @ts-expect-error there is no such unit
new Engine({ limits: [{ ...daily, unit: "bytes" }] });
// @ts-expect-error an owner is a string
engine.user(undefined);
// @ts-expect-error there is no such option
new Engine({ colour: 1 });
// @ts-expect-error there is no such way to be busy
void session.send("Hi", { busy: "wait" });
// @ts-expect-error events are what the library says
show({ type: "colour" });
// @ts-expect-error a model says text, not numbers
new Engine({ model: () => 7 });
// @ts-expect-error a memory has seven methods
new Engine({ memory: { read: () => null } });

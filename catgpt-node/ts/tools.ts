/** The contract for tools: what a model may ask for, and the application's own code that does it. */
import type { Message, ToolCall } from "./data.js";
import type { TurnAt } from "./hooks.js";
import { InvalidInputError, ToolError } from "./errors.js";

/** A JSON Schema, as an object. */
export type JsonSchema = { readonly [keyword: string]: unknown };

/**
 * A schema of a library that follows the Standard Schema (zod, valibot, arktype): arguments are checked and converted by
 * it. It must be able to write itself as a JSON Schema, as zod's can since version 4.2.
 */
export interface StandardSchema<T = unknown> {
  readonly "~standard": {
    readonly version: 1;
    readonly vendor: string;
    readonly validate: (value: unknown) => Checked<T> | Promise<Checked<T>>;
    readonly types?: { readonly input: unknown; readonly output: T } | undefined;
    readonly jsonSchema?: { readonly input: (options: { target: string }) => Record<string, unknown> } | undefined;
  };
}

type Checked<T> =
  | { readonly value: T; readonly issues?: undefined }
  | { readonly issues: readonly { message: string; path?: readonly (PropertyKey | { key: PropertyKey })[] | undefined }[] };

/** Which call a tool serves. `turn` is the one that runs it; of a call that was approved, not the one that asked for it. */
export interface CallAt extends TurnAt {
  /** The call's id, as in its `tool_call` and `tool_result`. Models count anew: it is unique in its turn only. */
  id: string;
  /**
   * An idempotency key for what must not happen twice: the text of a UUID that no other call of the store has. It stays the
   * same whoever runs the call, however often somebody decides about it.
   */
  key: string;
  /** Aborted when nobody waits for the answer any more. */
  signal: AbortSignal;
}

/** What a tool is like; what is left out is as the engine has it. */
export interface ToolOptions<T = any> {
  /** 1 to 64 letters, digits, `_` and `-`. */
  name: string;
  /** What it does and when to call it, for the model. */
  description?: string | undefined;
  /** Its arguments: a JSON Schema of an object, or a schema of zod and the like. Left out: it takes none. */
  parameters?: JsonSchema | StandardSchema<T> | undefined;
  /** Somebody has to agree to each call: the turn ends as `paused`, and `session.decide` goes on. */
  approval?: boolean | undefined;
  /** It may run beside other calls of the same step. */
  parallel?: boolean | undefined;
  /** Milliseconds that one call may take. */
  timeoutMs?: number | undefined;
}

/** Something that a model may ask for. */
export interface Tool extends ToolOptions {
  /**
   * Does it. What it throws is told to the model: the message of a `ToolError`, else the type's name. Left out: it is done
   * elsewhere, as by the client, so each call waits for a decision, which brings its output.
   */
  call?: ((args: any, at: CallAt) => unknown) | undefined;
}

/**
 * What becomes of one call that a paused turn waits with, by its id: it is called (`approve`), or the model is told that it
 * was denied; or it was done elsewhere, and gave an `output`, or an `error`.
 */
export type Decision = { id: string } & ({ approve: boolean } | { deny: string } | { output: unknown } | { error: string });

/** The calls that a paused reply waits with for a decision; of any other message there are none. */
export function pendingOf({ status, content }: Message): ToolCall[] {
  if (status !== "paused") return [];
  const answered = new Set(content.map((part) => part.type === "tool_result" && part.id));
  const calls = content.filter((part) => part.type === "tool_call").filter(({ id }) => !answered.has(id));
  return calls.map(({ id, name, arguments: args }) => ({ id, name, arguments: args }));
}

/**
 * A tool: what the model is told of it, and what does it. With a JSON Schema the arguments are as the model wrote them;
 * say their type: `tool<{ city: string }>(…)`.
 */
export function tool<T = any>(options: ToolOptions<T>, call?: (args: T, at: CallAt) => unknown): Tool {
  return { ...options, call };
}

/** What the core is told of a tool. */
export function told({ name, description, parameters, approval, parallel, timeoutMs, call }: Tool): object {
  const schema = isStandard(parameters) ? written(name, parameters) : parameters;
  return { name, description, parameters: schema, approval, parallel, timeout_ms: timeoutMs, elsewhere: !call };
}

/** Asks one. */
export async function askTool(tools: readonly Tool[], body: unknown, signal: AbortSignal): Promise<unknown> {
  const { tool: number, arguments: args, ...at } = body as { tool: number; arguments: unknown } & Omit<CallAt, "signal">;
  const { call, parameters } = tools[number] as Tool;
  return call?.(isStandard(parameters) ? await fit(parameters, args) : args, { ...at, signal });
}

const isStandard = (schema: object | undefined): schema is StandardSchema => schema !== undefined && "~standard" in schema;

function written(name: string, schema: StandardSchema): unknown {
  const { jsonSchema } = schema["~standard"];
  if (jsonSchema) return jsonSchema.input({ target: "draft-2020-12" });
  const advice = "give `parameters` a JSON Schema, as z.toJSONSchema makes one";
  throw new InvalidInputError(`the schema of the tool ${name} cannot write itself as a JSON Schema: ${advice}`);
}

async function fit(schema: StandardSchema, args: unknown): Promise<unknown> {
  const checked = await schema["~standard"].validate(args);
  if (!checked.issues) return checked.value;
  const place = (at: PropertyKey | { key: PropertyKey }) => String(typeof at === "object" ? at.key : at);
  const wrong = checked.issues.map(({ message, path = [] }) => [path.map(place).join("."), message].filter(Boolean).join(": "));
  throw new ToolError(`the arguments do not fit: ${wrong.join("; ")}`);
}

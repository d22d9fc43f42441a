/** catgpt for Node: a turn is a durable record, not a request. */
export { Engine, type AdoptOptions, type CacheOptions, type EncryptionOptions, type EngineOptions, type SummaryOptions, type TitleOptions } from "./engine.js";
export {
  Anthropic,
  Images,
  OpenAi,
  Responses,
  type AnthropicOptions,
  type ImagesOptions,
  type Model,
  type Models,
  type OpenAiOptions,
  type ResponsesOptions,
} from "./models.js";
export { User, type ImportOptions, type UsageOptions } from "./user.js";
export { Session, type AppendOptions, type NewSession, type OnDrop, type SendOptions } from "./session.js";
export { Reply } from "./reply.js";
export { Feed, type FeedByteOptions } from "./news.js";
export { Persona } from "./persona.js";
export { Image } from "./image.js";
export { onLog, type LogLevel, type LogRecord } from "./log.js";
export type * from "./data.js";
export { Guest, addressKey } from "./guest.js";
export { Limit } from "./limits.js";
export type { GroupBy, LimitInfo, LimitOptions, LimitState, Per, Price, Spent, Unit } from "./limits.js";
export type { ChatModel, ModelAnswer, ModelEvent, ModelFunction, ModelRequest, ToolSpec } from "./model.js";
export type * from "./memory.js";
export type { CallOptions, LongCallOptions, OnProgress, Progress } from "./options.js";
export type { Hook, HookRequest, Source, TurnAt } from "./hooks.js";
export { pendingOf, tool, type CallAt, type Decision, type JsonSchema, type StandardSchema, type Tool, type ToolOptions } from "./tools.js";
export type { ByteOptions, Format, PaceOptions, ServerResponseLike } from "./encoded.js";
export type { HttpOptions, HttpResponseLike, IncomingMessageLike } from "./http.js";
export { serveWebSocket, type ServeOptions, type WebSocketLike } from "./websocket.js";
export {
  BusyError,
  CatgptError,
  ClosedError,
  ConflictError,
  ContextTooLongError,
  ERRORS,
  InvalidInputError,
  NotFoundError,
  RateLimitedError,
  LimitedError,
  RefusedError,
  StoreError,
  StoreFullError,
  TimeoutError,
  ToolError,
  TruncatedError,
  UnauthorizedError,
  UnavailableError,
  UnexpectedError,
  UnsupportedError,
  errorFrom,
  errorResponse,
  type ErrorDetails,
  type ErrorInfo,
  type ErrorKind,
} from "./errors.js";

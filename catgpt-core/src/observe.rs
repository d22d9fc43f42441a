//! What an operator sees: spans, logs, metrics, health. Names are those of OpenTelemetry where it has one.
//!
//! **No message text, no title, no key and no owner** stands in any of them.
//! [`EngineBuilder::record_content`](crate::EngineBuilder::record_content) asks for the messages, and only as events of
//! the model's span. Nothing here happens once a token: a turn, a model call and a checkpoint are what is told of.
//!
//! # Spans
//!
//! `tracing` spans of level `INFO`, for any subscriber; with `tracing-opentelemetry` they are OpenTelemetry's. A turn
//! outlives the request that began it: its span is a root, which *follows from* the caller's span (a link, not a child).
//! `gen_ai.response.model` is not told: it would be read from every piece of every answer.
//!
//! | span | field | what |
//! | --- | --- | --- |
//! | `catgpt.turn` | `catgpt.turn.id`, `gen_ai.conversation.id` | the turn, its session |
//! | | `catgpt.turn.status`, `error.type` | how it ended; the [`ErrorKind`](crate::ErrorKind) if something went wrong |
//! | | `catgpt.turn.attempts` | how often the model was asked |
//! | | `catgpt.queue.wait` | seconds from the send to its commit |
//! | | `catgpt.time_to_first_token` | seconds from the send to the first thing shown |
//! | | `catgpt.stored` | the reply's length (an offset) as it is stored |
//! | | `catgpt.checkpoints`, `catgpt.checkpoint.lag.max` | how many were written; the slowest, in seconds |
//! | `chat` (`otel.name`: `chat {model}`) | `otel.kind` = `client` | one call of the model, below its turn |
//! | | `gen_ai.operation.name`, `gen_ai.provider.name`, `gen_ai.request.model`, `gen_ai.request.stream` | what is asked |
//! | | `gen_ai.conversation.id`, `server.address`, `server.port` | for which session; where |
//! | | `catgpt.attempt` | 1 for the first call of its turn |
//! | | `gen_ai.response.time_to_first_chunk` | seconds |
//! | | `gen_ai.response.finish_reasons` | as text: `["stop"]` |
//! | | `gen_ai.request.temperature`, `gen_ai.request.top_p`, `gen_ai.request.max_tokens` | if they are set |
//! | | `gen_ai.usage.input_tokens`, `gen_ai.usage.output_tokens`, `gen_ai.usage.cache_read.input_tokens`, `gen_ai.usage.reasoning.output_tokens` | if the provider said it |
//! | | `error.type` | an [`ErrorKind`](crate::ErrorKind), or `cancelled` if we hung up |
//!
//! # Logs
//!
//! Events of the same crate, each with the field `turn` where there is one. `DEBUG`: a turn that ended as it should, a
//! model that is asked again. `WARN`: what an operator must see: a turn that failed or was cut off, a store that refuses,
//! a turn that was ended by another process (its lease was lost), a burial, a sweeper or a live log that fails.
//!
//! # Metrics
//!
//! [`Engine::metrics`](crate::Engine::metrics) gives them as data, [`prometheus()`] as text. With the feature `metrics`
//! the same numbers go, as they come, to the recorder that the program has installed for the
//! [`metrics`](https://docs.rs/metrics) facade. Labels come from closed sets, but for the model's name: 32 are told
//! apart, then they are `_OTHER`. Neither owner nor session is ever one.
//!
//! | name | kind | unit | labels |
//! | --- | --- | --- | --- |
//! | `gen_ai.client.operation.duration` | histogram | s | `gen_ai.operation.name`, `gen_ai.provider.name`, `gen_ai.request.model`, `error.type` if it failed |
//! | `gen_ai.client.operation.time_to_first_chunk` | histogram | s | the first three of those |
//! | `gen_ai.client.token.usage` | histogram | {token} | those and `gen_ai.token.type`: `input`, `output` |
//! | `catgpt.turns` | counter | {turn} | `status` |
//! | `catgpt.turns.running` | gauge | {turn} | |
//! | `catgpt.retries` | counter | {retry} | `error.type` |
//! | `catgpt.queue.wait` | histogram | s | |
//! | `catgpt.checkpoint.lag` | histogram | s | |
//! | `catgpt.attachments` | gauge | {subscription} | |
//! | `catgpt.attaches` | counter | {subscription} | |
//! | `catgpt.store.errors` | counter | {error} | `error.type` |
//! | `catgpt.live.errors` | counter | {error} | `error.type` |
//! | `catgpt.leases.lost` | counter | {turn} | |
//! | `catgpt.buried` | counter | {turn} | |
//!
//! # Health
//!
//! [`Engine::health`](crate::Engine::health) looks, within a deadline and without writing: it never fails, since what is
//! wrong is what it tells.

mod content;
mod health;
mod instrument;
mod meter;
mod prometheus;

pub use self::health::{Check, Health};
pub use self::instrument::Kind;
pub use self::meter::{Metric, Point, Value};
pub use self::prometheus::prometheus;

pub(crate) use self::content::{input, output};
pub(crate) use self::instrument::Of;
pub(crate) use self::meter::{Attached, Labels, Meter};

#![doc = include_str!("../../README.md")]

mod body;
pub mod encryption;
pub mod error;
pub mod event;
pub mod hooks;
pub mod id;
pub mod message;
pub mod persona;
pub mod prices;
mod protocol;
pub mod tools;

pub mod live;
pub mod memory;
pub mod model;
#[cfg(any(test, feature = "testkit"))]
pub mod testkit;

pub mod limits;
pub mod prompt;
mod search;
mod turn;
pub mod wire;

pub mod observe;

pub mod reply;
mod runner;

#[cfg(feature = "bridge")]
pub mod bridge;
pub mod engine;
pub mod session;
pub mod transfer;
pub mod user;

pub use body::TitleSource;
#[cfg(feature = "encryption")]
pub use encryption::{Encryption, KeyProvider, LocalKeys};
pub use engine::{Engine, EngineBuilder};
pub use error::{Error, ErrorInfo, ErrorKind, LimitInfo, Result};
pub use event::{Change, ChangeKind, Event, Finished, Started};
pub use hooks::Hook;
pub use id::{OpId, Owner, Seq, SessionId, TurnId};
pub use limits::{Limit, LimitState, Per};
pub use live::Live;
#[cfg(feature = "redis")]
pub use live::Redis;
#[cfg(feature = "postgres")]
pub use memory::Postgres;
#[cfg(feature = "sqlite")]
pub use memory::Sqlite;
pub use memory::{InMemory, Memory};
pub use message::{
    Content, Detail, FinishReason, Image, Message, Offset, Part, Role, Status, ToolCall, ToolResult, Usage,
};
#[cfg(feature = "anthropic")]
pub use model::Anthropic;
pub use model::{
    ByName, Cached, ChatModel, ModelEvent, ModelInfo, ModelRequest, Offline, Params, PromptMessage, Provider,
    RetryPolicy, Scripted, Secret, ToolSpec,
};
#[cfg(feature = "openai")]
pub use model::{Images, OpenAi, Responses};
pub use observe::{Health, Metric};
pub use persona::Persona;
pub use prices::{Price, Prices};
pub use prompt::{Estimate, TokenCounter, Window};
pub use reply::{OnDrop, Reply};
pub use runner::begin::Busy;
pub use runner::summaries::Summaries;
pub use runner::titles::Titles;
pub use search::Piece;
pub use session::{
    Append, Branch, MAX_METADATA, Make, MessagePage, Metadata, NewMessage, NewSession, Node, Send, Session,
    SessionInfo, Summary,
};
pub use tools::{CallAt, Decision, DecisionKind, Tool, ToolRules};
pub use transfer::{ExportFormat, ImportFormat, ImportReport, Progress, Source};
pub use user::{News, SearchHit, SearchPage, SessionPage, UsageQuery, User};

/// Everything that front ends hold across threads and awaits.
const _: () = {
    const fn shared<T: std::marker::Send + Sync + 'static>() {}
    const fn moved<T: std::marker::Send + 'static>() {}
    shared::<Engine>();
    shared::<User>();
    shared::<Session>();
    shared::<Error>();
    shared::<Persona>();
    moved::<Reply>();
    moved::<Send>();
};

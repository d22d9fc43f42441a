//! catgpt.

pub mod error;
pub mod event;
pub mod id;
pub mod memory;
pub mod message;
pub mod model;

pub use error::{Error, ErrorInfo, ErrorKind, Result};
pub use event::{Change, ChangeKind, Event, Finished, Started};
pub use id::{OpId, Owner, Seq, SessionId, TurnId};
pub use memory::{InMemory, Memory};
pub use message::{Content, FinishReason, Message, Offset, Part, Role, Status, ToolCall, ToolResult, Usage};
pub use model::{ChatModel, ModelEvent, ModelRequest, Params, PromptMessage, Secret};

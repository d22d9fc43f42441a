//! What is stored: plain data.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::json::{bytes, bytes_option, milliseconds_option};
use super::limits::Reserved;
use crate::id::{Seq, SessionId, TurnId};
use crate::message::{Offset, Role, Status, Usage};

/// What a backend is like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Caps {
    /// Whether it survives the process.
    pub durable: bool,
    /// Whether other processes use it at the same time.
    pub shared: bool,
    /// How long a running turn is believed alive without a checkpoint.
    pub lease: Duration,
    /// How often to look for news of a turn that runs elsewhere.
    pub poll: Duration,
    /// The version of its schema, which opening it has brought it to; `None` if it has none.
    pub schema: Option<u32>,
    /// Whether it finds messages by their words. If not, what has to do with it is `Unsupported`.
    pub search: bool,
    /// Whether it keeps nothing that can be read without a key.
    pub encrypted: bool,
}

impl Default for Caps {
    fn default() -> Self {
        Self {
            durable: false,
            shared: false,
            lease: Duration::from_secs(15),
            poll: Duration::from_millis(100),
            schema: None,
            search: true,
            encrypted: false,
        }
    }
}

/// Bounds of a read: it ends at whichever comes first, but never before one message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Limit {
    /// Messages.
    pub messages: u32,
    /// Bytes of their bodies.
    pub bytes: u64,
}

/// A stored message. The core owns the encoding of its body.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Row {
    /// Its number in the session.
    pub seq: Seq,
    /// The message that it follows.
    pub parent: Option<Seq>,
    /// The turn that wrote it.
    pub turn: Option<TurnId>,
    /// Who speaks.
    pub role: Role,
    /// How far it has come.
    pub status: Status,
    /// The encoded content; empty while it runs.
    #[serde(with = "bytes")]
    pub body: Vec<u8>,
    /// The model that was asked.
    pub model: Option<String>,
    /// What it used.
    pub usage: Option<Usage>,
    /// When it was made, in milliseconds since 1970.
    pub created_ms: i64,
}

/// A stored session.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct SessionRow {
    /// Its id.
    pub id: SessionId,
    /// Its encoded title.
    #[serde(with = "bytes_option", default)]
    pub title: Option<Vec<u8>>,
    /// Its encoded persona.
    #[serde(with = "bytes_option", default)]
    pub pin: Option<Vec<u8>>,
    /// Its encoded metadata.
    #[serde(with = "bytes_option", default)]
    pub meta: Option<Vec<u8>>,
    /// Whether it stands before the others in lists.
    #[serde(default)]
    pub pinned: bool,
    /// Whether it is put away: a list shows either those that are or those that are not.
    #[serde(default)]
    pub archived: bool,
    /// How long after its last change it is deleted.
    #[serde(rename = "ttl_ms", with = "milliseconds_option", default)]
    pub ttl: Option<Duration>,
    /// The newest message of the active branch.
    pub head: Option<Seq>,
    /// The summary that stands for the branch up to its parent.
    #[serde(default)]
    pub summary: Option<Seq>,
    /// Grows with every change.
    pub version: u64,
    /// How many messages it has, all branches and summaries counted: the number of the last one.
    pub messages: u64,
    /// The running turn, its lease run out or not.
    pub running: Option<TurnId>,
    /// Whether the running turn has outlived its lease: nobody drives it, and every reader is shown that it is over.
    pub expired: bool,
    /// What the running turn has reserved.
    #[serde(default)]
    pub reserved: Vec<Reserved>,
    /// When it was made, in milliseconds since 1970.
    pub created_ms: i64,
    /// When it changed last, in milliseconds since 1970.
    pub updated_ms: i64,
}

/// A piece of a running reply.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Chunk {
    /// The offset where it begins.
    pub from: Offset,
    /// The offset where it ends.
    pub to: Offset,
    /// The encoded piece.
    #[serde(with = "bytes")]
    pub body: Vec<u8>,
}

//! What is stored, changed and looked for: plain data.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::json::{bytes, bytes_option};
use crate::event::Change;
use crate::id::{Owner, Seq, SessionId, TurnId};
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
}

impl Default for Caps {
    fn default() -> Self {
        Self {
            durable: false,
            shared: false,
            lease: Duration::from_secs(15),
            poll: Duration::from_millis(100),
            schema: None,
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
#[derive(Clone, Debug, PartialEq, Deserialize)]
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
    /// The newest message of the active branch.
    pub head: Option<Seq>,
    /// Grows with every change.
    pub version: u64,
    /// How many messages it has, all branches counted.
    pub messages: u64,
    /// The running turn, its lease run out or not.
    pub running: Option<TurnId>,
    /// Whether the running turn has outlived its lease: nobody drives it, and every reader is shown that it is over.
    pub expired: bool,
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

/// A change that [`Memory::apply`](super::Memory::apply) makes. A session or turn that is not there is `NotFound`.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Op {
    /// Makes a session; one that is there already is left as it is.
    Create {
        /// The session.
        session: SessionId,
        /// Its encoded title.
        #[serde(with = "bytes_option", default)]
        title: Option<Vec<u8>>,
        /// Its encoded persona.
        #[serde(with = "bytes_option", default)]
        pin: Option<Vec<u8>>,
    },
    /// Gives a session another title.
    SetTitle {
        /// The session.
        session: SessionId,
        /// Its encoded title; `None` takes it away.
        #[serde(with = "bytes_option", default)]
        title: Option<Vec<u8>>,
    },
    /// Gives a session another persona.
    SetPin {
        /// The session.
        session: SessionId,
        /// Its encoded persona.
        #[serde(with = "bytes")]
        pin: Vec<u8>,
    },
    /// Shows another branch. `Busy` while a turn runs, `Conflict` if the session is not at `if_version`.
    SetHead {
        /// The session.
        session: SessionId,
        /// A message of it.
        head: Seq,
        /// Only if the session is still at this version.
        if_version: Option<u64>,
    },
    /// Asks a turn to stop; its next checkpoint is told. One that has ended is left as it is.
    Cancel {
        /// The turn.
        turn: TurnId,
    },
    /// Deletes a session with all that is in it. A turn that runs in it is refused from then on.
    Delete {
        /// The session.
        session: SessionId,
    },
}

/// What an [`Op`] did.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Done {
    /// The session's version after it.
    Version(u64),
    /// There was nothing to do, or nothing is left to have a version.
    Nothing,
}

/// What [`Memory::read`](super::Memory::read) looks at.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Read {
    /// The newest messages of the branch that ends at `head` (`None`: the active one), oldest first.
    Branch {
        /// The session.
        session: SessionId,
        /// The branch's newest message. One that is not there is `NotFound`.
        head: Option<Seq>,
        /// How much.
        limit: Limit,
    },
    /// Messages of all branches after `after`, by number.
    Tree {
        /// The session.
        session: SessionId,
        /// The last message that is known; 0 to begin.
        after: Seq,
        /// How much.
        limit: Limit,
    },
    /// One reply: its row, and while it runs the pieces that end after `from`.
    Tail {
        /// The turn.
        turn: TurnId,
        /// The offset that is known.
        from: Offset,
    },
}

/// What [`Memory::read`](super::Memory::read) answers.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct View {
    /// The session.
    pub session: SessionRow,
    /// Messages. For [`Read::Tail`] the reply alone.
    pub rows: Vec<Row>,
    /// Pieces of running replies: for a tail those asked for; for other reads all of a running reply among `rows`.
    pub chunks: Vec<Chunk>,
    /// Whether there is more in the direction of the read.
    pub more: bool,
}

/// Where a list of sessions goes on: the last one seen.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cursor {
    /// Its time of last change.
    pub updated_ms: i64,
    /// Its id.
    pub session: SessionId,
}

/// What [`Memory::query`](super::Memory::query) looks for.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Query {
    /// Sessions, the latest changed first (equal times: the greater id first).
    Sessions {
        /// Where to go on.
        after: Option<Cursor>,
        /// How many.
        limit: u32,
    },
    /// One session's row, without its messages.
    Session {
        /// The session.
        session: SessionId,
    },
    /// Turns that run and whose lease holds, by session.
    Turns,
    /// The journal after this number.
    Changes {
        /// The last number that is known; 0 to begin.
        after: u64,
        /// How many.
        limit: u32,
    },
}

/// What [`Memory::query`](super::Memory::query) answers, of the same kind as it was asked.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Answer {
    /// Sessions.
    Sessions {
        /// The sessions.
        rows: Vec<SessionRow>,
        /// Whether there are more.
        more: bool,
    },
    /// Turns that run, in the order of their sessions.
    Turns(Vec<(SessionId, TurnId)>),
    /// Changes.
    Changes(Vec<Change>),
}

/// What [`Memory::sweep`](super::Memory::sweep) found and did.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
pub struct Swept {
    /// Turns whose lease has run out.
    pub expired: Vec<(Owner, TurnId)>,
    /// Rows that were due and are deleted.
    pub deleted: u64,
    /// Whether there was more than the limit.
    pub more: bool,
}

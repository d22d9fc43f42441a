//! What can be asked over HTTP, as one closed set.

use std::fmt;

use serde_json::{Map, Value};

use crate::id::{Seq, SessionId, TurnId};
use crate::memory::{Cursor, GroupBy};
use crate::wire::{Command, Format};

/// One request. Who asks, and so whose sessions these are, is for the application to know and never in here.
#[derive(Clone, PartialEq)]
#[non_exhaustive]
#[allow(missing_docs, reason = "each is a row of `ROUTES`, and the fields are its arguments")]
pub enum Ask {
    Sessions {
        limit: u32,
        after: Option<Cursor>,
        archived: bool,
    },
    Create {
        id: Option<SessionId>,
        title: Option<String>,
        metadata: Option<Map<String, Value>>,
    },
    DeleteMany {
        sessions: Vec<SessionId>,
    },
    DeleteEmpty,
    Info {
        session: SessionId,
    },
    Change {
        session: SessionId,
        title: Option<String>,
        pinned: Option<bool>,
        archived: Option<bool>,
        metadata: Option<Map<String, Value>>,
    },
    Delete {
        session: SessionId,
    },
    Messages {
        session: SessionId,
        last: u32,
        head: Option<Seq>,
    },
    Select {
        session: SessionId,
        seq: Seq,
    },
    Fork {
        session: SessionId,
        id: Option<SessionId>,
        upto: Option<Seq>,
    },
    /// A command that has events, and their format.
    Turn {
        command: Command,
        format: Format,
    },
    MakeTitle {
        session: SessionId,
    },
    Summarize {
        session: SessionId,
        upto: Option<Seq>,
    },
    Summaries {
        session: SessionId,
    },
    SetSummary {
        session: SessionId,
        summary: Option<Seq>,
    },
    /// Without a session: of all. The format is the exporter's to read.
    Export {
        session: Option<SessionId>,
        format: Option<String>,
    },
    Turns,
    Cancel {
        turn: TurnId,
    },
    Search {
        question: String,
        after: Option<String>,
        limit: u32,
    },
    Usage {
        by: Vec<GroupBy>,
        from_ms: Option<i64>,
        to_ms: Option<i64>,
        session: Option<SessionId>,
    },
    Models,
    Feed {
        after: Option<u64>,
        format: Format,
    },
}

/// Says nothing of what is said or looked for.
impl fmt::Debug for Ask {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Ask").finish_non_exhaustive()
    }
}

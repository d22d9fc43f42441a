//! What a client may ask for, as one closed set: over a web socket, or as the AI SDK's requests say it.

use std::fmt;

use serde::Deserialize;

use crate::id::{Seq, SessionId, TurnId};
use crate::message::Offset;

/// One wish of a client. Who it is, and so whose sessions these are, is for the application to know and never in here.
/// Nor are the model, the persona or a key for it: those are the application's choice.
#[derive(Clone, PartialEq, Eq, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case", deny_unknown_fields)]
pub enum Command {
    /// Says something.
    Send {
        /// Where.
        session: SessionId,
        /// What.
        text: String,
        /// The message that it follows; else the newest.
        #[serde(default)]
        after: Option<Seq>,
        /// Makes it repeatable: the same key with the same message is the same turn.
        #[serde(default)]
        key: Option<String>,
    },
    /// Says something else instead of an earlier message.
    Edit {
        /// Where.
        session: SessionId,
        /// The message of the user.
        seq: Seq,
        /// What.
        text: String,
        /// As for `send`.
        #[serde(default)]
        key: Option<String>,
    },
    /// Asks for another answer.
    Regenerate {
        /// Where.
        session: SessionId,
        /// Beside which; else the newest.
        #[serde(default)]
        seq: Option<Seq>,
        /// As for `send`.
        #[serde(default)]
        key: Option<String>,
    },
    /// Stops a turn.
    Cancel {
        /// Which.
        turn: TurnId,
    },
    /// Watches a turn, from an offset on.
    Attach {
        /// Which.
        turn: TurnId,
        /// From where.
        #[serde(default)]
        offset: Offset,
    },
    /// Asks whether somebody is there.
    Ping {},
}

impl Command {
    /// The names, as they stand in `type`.
    pub const NAMES: [&'static str; 6] = ["send", "edit", "regenerate", "cancel", "attach", "ping"];

    /// Its name, as it stands in `type`.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Send { .. } => "send",
            Self::Edit { .. } => "edit",
            Self::Regenerate { .. } => "regenerate",
            Self::Cancel { .. } => "cancel",
            Self::Attach { .. } => "attach",
            Self::Ping { .. } => "ping",
        }
    }
}

/// Says which it is, and nothing of what is said.
impl fmt::Debug for Command {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Command").field("name", &self.name()).finish_non_exhaustive()
    }
}

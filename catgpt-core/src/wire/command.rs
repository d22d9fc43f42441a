//! What a client may ask for, as one closed set: over a web socket, over HTTP, or as the AI SDK's requests say it.

use std::fmt;

use serde::Deserialize;
use serde_json::{Map, Value};

use crate::error::{Error, ErrorKind, Result};
use crate::id::{Seq, SessionId, TurnId};
use crate::message::Offset;
use crate::tools::Decision;

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
    /// Goes on with a reply that was cut off, or with any other, as a new one that follows it.
    Continue {
        /// Where.
        session: SessionId,
        /// With which; else the newest.
        #[serde(default)]
        seq: Option<Seq>,
        /// As for `send`.
        #[serde(default)]
        key: Option<String>,
    },
    /// Decides about all the calls that the newest reply waits with, and goes on.
    Decide {
        /// Where.
        session: SessionId,
        /// What becomes of each.
        decisions: Vec<Decision>,
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
    pub const NAMES: [&'static str; 8] =
        ["send", "edit", "regenerate", "continue", "decide", "cancel", "attach", "ping"];

    /// Reads the fields of one, with its name in `type`.
    ///
    /// # Errors
    /// `Unsupported` for a name that is none, `InvalidInput` for fields that do not fit it.
    pub(super) fn read(fields: Map<String, Value>) -> Result<Self> {
        let kind = fields.get("type").and_then(Value::as_str);
        if !kind.is_some_and(|kind| Self::NAMES.contains(&kind)) {
            let known = format!("`type` must be one of {}", Self::NAMES.join(", "));
            return Err(Error::new(ErrorKind::Unsupported, known));
        }
        // serde's text may quote a value, and so what was said; the name of the command is enough to find the mistake.
        let bad = |_| Error::invalid("a field of this command is missing, unknown, or of a wrong type");
        serde_json::from_value(Value::Object(fields)).map_err(bad)
    }

    /// Its name, as it stands in `type`.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Send { .. } => "send",
            Self::Edit { .. } => "edit",
            Self::Regenerate { .. } => "regenerate",
            Self::Continue { .. } => "continue",
            Self::Decide { .. } => "decide",
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

//! What watching shows: the events of a reply, and the changes of an owner's sessions.

use serde::{Deserialize, Serialize};

use crate::error::{Error, ErrorInfo, ErrorKind};
use crate::id::{Seq, SessionId, TurnId};
use crate::message::{Content, FinishReason, Offset, Part, Status, ToolCall, ToolResult, Usage};

/// The version of the events' JSON, sent in `started`.
pub const EVENT_VERSION: u32 = 1;

/// One thing that a [`Reply`](crate::Reply) yields. The set is closed; its JSON is the same in every language.
///
/// Every event carries the [`Offset`] after it, which is where a new subscription goes on.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Event {
    /// The turn is committed and runs.
    Started(Box<Started>),
    /// More text.
    Text {
        /// The text, never empty.
        text: String,
        /// The offset after it.
        offset: Offset,
    },
    /// More of what the model thinks.
    Reasoning {
        /// The text, never empty.
        text: String,
        /// The offset after it.
        offset: Offset,
    },
    /// The model asks for a tool.
    ToolCall {
        /// The call.
        #[serde(flatten)]
        call: ToolCall,
        /// The offset after it.
        offset: Offset,
    },
    /// A tool answered.
    ToolResult {
        /// The result.
        #[serde(flatten)]
        result: ToolResult,
        /// The offset after it.
        offset: Offset,
    },
    /// Any other part: a citation, a picture.
    Part {
        /// The part.
        part: Part,
        /// The offset after it.
        offset: Offset,
    },
    /// The model failed before anything was shown; it is asked again.
    Retrying {
        /// Which attempt comes next; the first retry is 2.
        attempt: u32,
        /// Milliseconds until then.
        after_ms: u64,
        /// What failed.
        error: ErrorInfo,
        /// The offset.
        offset: Offset,
    },
    /// The session has a title now.
    Title {
        /// The title.
        title: String,
        /// The offset.
        offset: Offset,
    },
    /// The end. Always last, always there, sent after its commit.
    Finished(Box<Finished>),
}

/// The beginning of a turn.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Started {
    /// The version of the events' JSON.
    pub v: u32,
    /// The turn.
    pub turn: TurnId,
    /// Its session.
    pub session: SessionId,
    /// The user's message that is answered.
    pub user_seq: Option<Seq>,
    /// The reply's message.
    pub reply_seq: Seq,
    /// Who answers.
    pub persona: String,
    /// Which model is asked.
    pub model: String,
    /// Always 0.
    pub offset: Offset,
}

/// How a turn ended.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Finished {
    /// Its final status.
    pub status: Status,
    /// Why the model stopped, if it said so.
    pub finish_reason: Option<FinishReason>,
    /// What it used; marked `estimated` if the provider did not say.
    pub usage: Option<Usage>,
    /// What it cost, in millionths of the unit of the engine's prices, if they know its model.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cost: Option<u64>,
    /// The offset up to which the reply is stored. A client that holds more cuts back to it.
    pub stored: Offset,
    /// Tool calls that wait for a decision.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub pending: Vec<ToolCall>,
    /// What went wrong.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<ErrorInfo>,
    /// The offset, equal to `stored`.
    pub offset: Offset,
}

impl Finished {
    /// The error of a turn that did not come to a whole answer: its own, or that it was cut off. A turn that somebody
    /// stopped has none.
    pub fn failure(&self) -> Option<ErrorInfo> {
        let cut_off = "the turn ended before the answer was whole";
        match (&self.error, self.status) {
            (Some(error), _) => Some(error.clone()),
            (None, Status::Failed | Status::Interrupted) => Some(Error::new(ErrorKind::Truncated, cut_off).info()),
            (None, _) => None,
        }
    }
}

impl Event {
    /// The event that shows `part`, ending at `offset`.
    pub(crate) fn of(part: Part, offset: Offset) -> Event {
        match part {
            Part::Text { text } => Event::Text { text, offset },
            Part::Reasoning { text } => Event::Reasoning { text, offset },
            Part::ToolCall(call) => Event::ToolCall { call, offset },
            Part::ToolResult(result) => Event::ToolResult { result, offset },
            part => Event::Part { part, offset },
        }
    }

    /// The events that show `content`, which ends at `end`.
    pub(crate) fn all(content: Content, end: Offset) -> impl Iterator<Item = Event> {
        let start = end.saturating_sub(content.len());
        let parts = content.into_iter().filter(|part| part.weight() > 0);
        parts.scan(start, |offset, part| {
            *offset += part.weight();
            Some(Event::of(part, *offset))
        })
    }

    /// The offset after it.
    pub fn offset(&self) -> Offset {
        match self {
            Event::Started(started) => started.offset,
            Event::Finished(finished) => finished.offset,
            Event::Text { offset, .. }
            | Event::Reasoning { offset, .. }
            | Event::ToolCall { offset, .. }
            | Event::ToolResult { offset, .. }
            | Event::Part { offset, .. }
            | Event::Retrying { offset, .. }
            | Event::Title { offset, .. } => *offset,
        }
    }

    /// Its name, as it stands in JSON.
    pub fn name(&self) -> &'static str {
        match self {
            Event::Started(_) => "started",
            Event::Text { .. } => "text",
            Event::Reasoning { .. } => "reasoning",
            Event::ToolCall { .. } => "tool_call",
            Event::ToolResult { .. } => "tool_result",
            Event::Part { .. } => "part",
            Event::Retrying { .. } => "retrying",
            Event::Title { .. } => "title",
            Event::Finished(_) => "finished",
        }
    }
}

/// What happened to an owner's sessions, in the order of the commits.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Change {
    /// Its number in the owner's journal: 1, 2, 3…
    pub n: u64,
    /// The session.
    pub session: SessionId,
    /// The turn that began or ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub turn: Option<TurnId>,
    /// What happened.
    pub kind: ChangeKind,
    /// When, in milliseconds since 1970 by the store's clock.
    pub at_ms: i64,
}

/// The kinds of [`Change`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum ChangeKind {
    /// A session was made.
    Created,
    /// A session was given a title by the engine.
    Titled,
    /// A session shows another branch, has another persona, or is pinned, put away or described otherwise.
    Updated,
    /// A session is gone.
    Deleted,
    /// A turn began.
    TurnBegun,
    /// A turn ended.
    TurnEnded,
    /// A session was given a title by a person, or lost it.
    Renamed,
}

impl ChangeKind {
    /// The number that stores keep. Never reused, never changed.
    pub fn code(self) -> u8 {
        match self {
            Self::Created => 0,
            Self::Titled => 1,
            Self::Updated => 2,
            Self::Deleted => 3,
            Self::TurnBegun => 4,
            Self::TurnEnded => 5,
            Self::Renamed => 6,
        }
    }

    /// Back from the number; `None` for one that this version does not know.
    pub fn from_code(code: u8) -> Option<Self> {
        use ChangeKind::{Created, Deleted, Renamed, Titled, TurnBegun, TurnEnded, Updated};
        [Created, Titled, Updated, Deleted, TurnBegun, TurnEnded, Renamed].get(usize::from(code)).copied()
    }
}

//! What the calls of a turn take and answer: plain data.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::json::{bytes, bytes_option, keyed, milliseconds, milliseconds_option};
use super::{Counter, Limit, Row, SessionRow, Settle};
use crate::id::{Seq, SessionId, TurnId};
use crate::message::{Offset, Status, Usage};

/// Where a new turn hangs in the tree.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Parent {
    /// After the newest message of the active branch.
    Head,
    /// After this message.
    Under(Seq),
    /// Beside this message (`None`: beside the head), as another version of it.
    Beside(Option<Seq>),
}

/// What [`Memory::begin_turn`](super::Memory::begin_turn) is given.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct Begin {
    /// The session; made if it is not there.
    pub session: SessionId,
    /// The new turn's id.
    pub turn: TurnId,
    /// An idempotency key, unique in the session for 24 h, and the hash of what is asked.
    #[serde(with = "keyed")]
    pub key: Option<(String, [u8; 32])>,
    /// Where it hangs. A message that is not there is `NotFound`.
    pub parent: Parent,
    /// Only if the session is still at this version.
    pub if_version: Option<u64>,
    /// The user's message. `None` answers a user's message again: the parent must be one. But after [`Parent::Head`] and
    /// [`Parent::Under`] it may be a reply too, which is then gone on from. Anything else is `InvalidInput`.
    #[serde(with = "bytes_option")]
    pub message: Option<Vec<u8>>,
    /// The encoded title of a session that has none, and no message yet: of one that this makes, or that was only made.
    #[serde(with = "bytes_option")]
    pub title: Option<Vec<u8>>,
    /// The model, kept with the reply.
    pub model: String,
    /// The persona: kept if the session has none yet, or if `replace` is set.
    pub pin: Pin,
    /// How long the turn is believed alive without a checkpoint.
    #[serde(rename = "lease_ms", with = "milliseconds")]
    pub lease: Duration,
    /// How much of the branch to return.
    pub window: Limit,
    /// How long after its last change a session that this makes is deleted.
    #[serde(rename = "ttl_ms", with = "milliseconds_option")]
    pub ttl: Option<Duration>,
    /// What the turn must find below its limits, in this order; the first that is not is named. All of it is reserved, or
    /// nothing.
    pub reserve: Vec<Counter>,
    /// How many turns of the owner may run, this one counted; those whose lease has run out do not run.
    pub max_running: Option<u32>,
}

impl Begin {
    /// A fresh turn after the head of `session`, for those who speak to a memory without an engine: tests, tools. The
    /// model and the persona have no name, the lease is 15 s, the window 50 messages.
    pub fn new(session: SessionId, message: Vec<u8>) -> Self {
        Self {
            session,
            turn: TurnId::fresh(),
            key: None,
            parent: Parent::Head,
            if_version: None,
            message: Some(message),
            title: None,
            model: String::new(),
            pin: Pin { body: Vec::new(), replace: false },
            lease: Duration::from_secs(15),
            window: Limit { messages: 50, bytes: super::MAX_BODY as u64 },
            ttl: None,
            reserve: Vec::new(),
            max_running: None,
        }
    }
}

/// A persona as the session keeps it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Pin {
    /// The encoded copy.
    #[serde(with = "bytes")]
    pub body: Vec<u8>,
    /// Whether it takes the place of one that is there.
    pub replace: bool,
}

/// What [`Memory::begin_turn`](super::Memory::begin_turn) answers.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Begun {
    /// Committed. The session's lease is this turn's.
    Started(Box<Opened>),
    /// The key, or the turn's id, is known: this is the turn it began, running or not.
    Replay {
        /// The turn.
        turn: TurnId,
    },
    /// Another turn runs. Nothing was written.
    Busy {
        /// The turn.
        turn: TurnId,
        /// How long its lease still holds.
        #[serde(rename = "lease_left_ms", with = "milliseconds")]
        lease_left: Duration,
    },
    /// A turn whose lease has run out holds the session: end it, then try again. Nothing was written.
    Stale {
        /// The turn.
        turn: TurnId,
    },
    /// A limit is reached. Nothing was written.
    Limited {
        /// The counter's name; `None`: as many turns run as may.
        name: Option<String>,
        /// When its next window begins, from now; a counter has one always.
        #[serde(rename = "retry_after_ms", with = "milliseconds_option", default)]
        retry_after: Option<Duration>,
    },
}

/// A turn that has begun.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct Opened {
    /// The session after the commit.
    pub session: SessionRow,
    /// Whether the session was made by this.
    pub created: bool,
    /// The user's message; `None` when it answers an older one again, or goes on from a reply.
    pub user_seq: Option<Seq>,
    /// The reply.
    pub reply_seq: Seq,
    /// The branch up to the reply's parent (so with the user's message), oldest first.
    pub window: Vec<Row>,
    /// The session's summary, whether or not it is of this branch: it is if the window has its parent.
    #[serde(default)]
    pub summary: Option<Row>,
}

/// What [`Memory::checkpoint`](super::Memory::checkpoint) is given.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct Checkpoint {
    /// The turn.
    pub turn: TurnId,
    /// The offset where the piece begins, which must be where the last one ended (`Conflict` for a gap, with the fact
    /// `stored`: where that was). A piece that is there already is not written again.
    pub from: Offset,
    /// The offset where it ends; equal to `from` only for an empty one.
    pub to: Offset,
    /// The encoded piece; empty to renew the lease only.
    #[serde(with = "bytes")]
    pub body: Vec<u8>,
    /// The new lease, from now.
    #[serde(rename = "lease_ms", with = "milliseconds")]
    pub lease: Duration,
    /// Whether it must be on disk before the answer. Otherwise it may be lost with the machine, not with the process; a
    /// writer who hears of the gap sends it again.
    pub sync: bool,
}

impl Checkpoint {
    /// A piece of `turn`, for those who speak to a memory without an engine. The lease is 15 s.
    pub fn new(turn: TurnId, from: Offset, to: Offset, body: Vec<u8>) -> Self {
        Self { turn, from, to, body, lease: Duration::from_secs(15), sync: false }
    }
}

/// What [`Memory::checkpoint`](super::Memory::checkpoint) answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kept {
    /// Written, and the lease renewed.
    Renewed {
        /// Somebody asked for the turn to stop.
        cancel: bool,
    },
    /// The turn does not run any more: nothing was written.
    Refused,
}

/// What [`Memory::finish_turn`](super::Memory::finish_turn) is given.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct Finish {
    /// The turn.
    pub turn: TurnId,
    /// Its final status; never `Running`.
    pub status: Status,
    /// The whole body.
    #[serde(with = "bytes")]
    pub body: Vec<u8>,
    /// What it used.
    pub usage: Option<Usage>,
    /// What it cost, in millionths of the unit of the prices. With the usage it goes to the owner's ledger, as one call,
    /// whatever the status and also without a usage.
    pub cost: u64,
    /// What becomes of the counters.
    pub settle: Vec<Settle>,
    /// Only if its lease has run out: this ends a turn that died.
    pub if_expired: bool,
}

impl Finish {
    /// Ends `turn` as complete with this body, without a usage.
    pub fn complete(turn: TurnId, body: Vec<u8>) -> Self {
        Self { turn, status: Status::Complete, body, usage: None, cost: 0, settle: Vec::new(), if_expired: false }
    }
}

/// What [`Memory::finish_turn`](super::Memory::finish_turn) answers.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Sealed {
    /// Ended by this call.
    Now,
    /// It had ended before, perhaps by an earlier try of this call: this is the reply as it stands.
    Before(Box<Row>),
    /// With `if_expired`: the lease holds again. Nothing was written.
    Alive {
        /// How long it still holds.
        #[serde(rename = "lease_left_ms", with = "milliseconds")]
        lease_left: Duration,
    },
}

//! What a run leaves: every operation with its call and its answer, every fault, and what the store holds at the end.

use std::collections::BTreeMap;

use catgpt_core::{Change, ErrorKind, Role, Status, TurnId};
use serde::{Deserialize, Serialize};

/// Milliseconds since the run began, by the one clock of the driver.
pub type At = u64;

/// One line of the history.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "op", rename_all = "snake_case")]
pub enum Record {
    /// One try to send; all tries of one message share its key, which stands in its text.
    Send { key: String, session: String, text: String, replica: usize, began: At, ended: At, answer: Answer<TurnId> },
    /// A turn that was followed.
    Watch(Watch),
    /// A turn that was to be stopped.
    Stop { turn: TurnId, replica: usize, began: At, ended: At, answer: Answer<()> },
    /// A look at a session: the turns of its active branch.
    Read { session: String, replica: usize, began: At, ended: At, answer: Answer<Vec<TurnId>> },
    /// A replica asked its model.
    Asked { turn: TurnId, replica: usize, at: At },
    /// What was done to one replica, or to a server that all of them use.
    Fault { what: Fault, replica: Option<usize>, began: At, ended: At },
}

/// What the nemesis does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Fault {
    /// `kill -9`.
    Kill,
    /// `SIGSTOP`, then `SIGCONT`.
    Pause,
    /// It is asked to close, as in a deployment.
    Close,
    /// PostgreSQL ends in order and comes back.
    RestartStore,
    /// PostgreSQL crashes and comes back.
    CrashStore,
    /// Connections to PostgreSQL break.
    CutStore,
    /// Connections to PostgreSQL stand still.
    StallStore,
    /// Redis dies and comes back empty.
    RestartLive,
    /// Redis forgets everything.
    WipeLive,
    /// Redis stands still.
    PauseLive,
    /// Connections to Redis break.
    CutLive,
    /// Connections to Redis stand still.
    StallLive,
}

impl Fault {
    /// Whether it can keep a replica from writing to the store.
    pub fn hinders_writing(self) -> bool {
        !matches!(self, Self::RestartLive | Self::WipeLive | Self::PauseLive | Self::CutLive | Self::StallLive)
    }
}

/// How a call was answered.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Answer<T> {
    /// So.
    Ok(T),
    /// No: nothing was done.
    Refused(ErrorKind),
    /// Nobody knows.
    Unknown,
    /// An error that no fault explains.
    Wrong(ErrorKind),
    /// Nothing came, and nobody hung up.
    Hung,
}

impl<T> Answer<T> {
    pub fn map<U>(self, with: impl FnOnce(T) -> U) -> Answer<U> {
        match self {
            Self::Ok(value) => Answer::Ok(with(value)),
            Self::Refused(kind) => Answer::Refused(kind),
            Self::Unknown => Answer::Unknown,
            Self::Wrong(kind) => Answer::Wrong(kind),
            Self::Hung => Answer::Hung,
        }
    }
}

/// What a follower saw.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Watch {
    pub turn: TurnId,
    pub replica: usize,
    /// The offset that it asked for.
    pub from: u64,
    pub began: At,
    pub ended: At,
    pub text: String,
    /// When each piece came, and the offset after it.
    pub pieces: Vec<(At, u64)>,
    /// Whether each piece began where the one before had ended.
    pub whole: bool,
    pub end: Answer<End>,
}

/// How a subscription ended.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum End {
    /// With its last event.
    Finished { status: Status, stored: u64, error: Option<ErrorKind> },
    /// The follower went away.
    Left,
}

/// What the store holds at the end.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Store {
    /// All messages of each session, by number.
    pub sessions: BTreeMap<String, Vec<Said>>,
    /// The journals of all owners, each in its order.
    pub changes: Vec<Change>,
    /// When the run began, in milliseconds since 1970.
    pub began_ms: i64,
}

/// A stored message.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Said {
    pub seq: u64,
    pub parent: Option<u64>,
    pub turn: Option<TurnId>,
    pub role: Role,
    pub status: Status,
    pub text: String,
    pub error: Option<ErrorKind>,
}

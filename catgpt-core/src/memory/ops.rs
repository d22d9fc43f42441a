//! What a store is asked to change: plain data.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::Row;
use super::json::{bytes, bytes_option, hash, milliseconds_option};
use super::limits::{Counter, Purpose, Settle};
use super::turns::Parent;
use crate::id::{Owner, Seq, SessionId, TurnId};
use crate::message::{Role, Status, Usage};

/// A change that [`Memory::apply`](super::Memory::apply) makes. A session or turn that is not there is `NotFound`. Each
/// raises the session's version and sets the time of its last change, unless it says otherwise.
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
        /// Its encoded metadata.
        #[serde(with = "bytes_option", default)]
        meta: Option<Vec<u8>>,
        /// How long after its last change it is deleted.
        #[serde(rename = "ttl_ms", with = "milliseconds_option")]
        ttl: Option<Duration>,
    },
    /// Gives a session another title. The journal says `Renamed`, or `Titled` if `over` is given.
    SetTitle {
        /// The session.
        session: SessionId,
        /// Its encoded title; `None` takes it away.
        #[serde(with = "bytes_option", default)]
        title: Option<Vec<u8>>,
        /// Only in the place of this one, byte by byte; else [`Done::Nothing`].
        #[serde(with = "bytes_option", default)]
        over: Option<Vec<u8>>,
    },
    /// Gives a session other metadata; `None` takes it away.
    SetMeta {
        /// The session.
        session: SessionId,
        /// Its encoded metadata.
        #[serde(with = "bytes_option", default)]
        meta: Option<Vec<u8>>,
    },
    /// Pins a session, puts it away, or undoes it; what is `None` stays. Leaves the time of its last change as it is.
    Mark {
        /// The session.
        session: SessionId,
        /// Whether it stands before the others in lists.
        pinned: Option<bool>,
        /// Whether it is put away.
        archived: Option<bool>,
    },
    /// Says how long after its last change a session is deleted; `None`: never.
    SetTtl {
        /// The session.
        session: SessionId,
        /// How long.
        #[serde(rename = "ttl_ms", with = "milliseconds_option")]
        ttl: Option<Duration>,
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
    /// Deletes those of these sessions that are there; answers how many: [`Done::Count`].
    DeleteMany {
        /// The sessions.
        sessions: Vec<SessionId>,
    },
    /// Deletes sessions in which nothing was ever said; answers how many.
    DeleteEmpty {
        /// How many at most.
        limit: u32,
    },
    /// Deletes an owner's sessions, whatever runs in them, and answers how many; once none is left, everything else
    /// that bears the owner's name (keys, answers of operations, journal, ledger, counters with this key), and answers 0.
    /// The answer of an operation with this in it is not kept.
    Erase {
        /// How many sessions at most; at least one.
        limit: u32,
    },
    /// Takes over all that another owner has: sessions with their keys, and the ledger. Answers how many sessions; from
    /// oneself, 0. `Conflict` with the fact `sessions` (a JSON array of the first 100 ids) if both have sessions of the
    /// same id; `Busy` while a turn runs in one. The sessions stay as they are, also their versions and times. Where both
    /// know a key, the one that comes along counts. The other owner's journal says that they are deleted, this one's that
    /// they are made.
    Claim {
        /// The other owner.
        from: Owner,
    },
    /// Makes a session of messages that were written elsewhere, or adds more of them. The message that is there last must
    /// be number `after`; for 0 there must be no such session (`Conflict`, with the fact `messages`: how many are there).
    /// `Busy` while a turn runs in it. The rows go on from `after` without a gap, each parent before its child, none
    /// `Running` (`InvalidInput`); their turns are not kept, and the ledger does not mention them.
    Import {
        /// The session; what is in it takes the place of what was there.
        session: Box<Imported>,
        /// The number of the last message that is there.
        after: Seq,
        /// The messages.
        rows: Vec<Row>,
    },
    /// Adds finished messages to a branch, each after the one before, and shows that branch: the head is the last of them,
    /// or without any the message after which they would stand. Makes the session if it is not there. `Conflict`
    /// if the session is not at `if_version`, then `Busy` while a turn runs. A parent that is not there is `NotFound`; rows that run
    /// or are summaries are `InvalidInput`. Answers the number of the last one ([`Done::Seq`]), without any the version.
    /// The ledger does not mention them.
    Append {
        /// The session.
        session: SessionId,
        /// Where the first one hangs. Message 1 follows none, so what is beside it does neither.
        parent: Parent,
        /// The messages.
        rows: Vec<NewRow>,
        /// Only if the session is still at this version; 0: only if it is not there.
        if_version: Option<u64>,
        /// The encoded title of a session that has none, and no message yet.
        #[serde(with = "bytes_option", default)]
        title: Option<Vec<u8>>,
        /// How long after its last change a session that this makes is deleted.
        #[serde(rename = "ttl_ms", with = "milliseconds_option")]
        ttl: Option<Duration>,
    },
    /// Adds a summary of the branch up to `upto` and lets it stand for that. It hangs under `upto` and moves no head, so
    /// it may come while a turn runs. Answers its number: [`Done::Seq`].
    AddSummary {
        /// The session.
        session: SessionId,
        /// The newest message that it covers. `NotFound` if it is not there.
        upto: Seq,
        /// Only in the place of this one (`None`: only if none stands there); else [`Done::Nothing`].
        over: Option<Seq>,
        /// The encoded summary.
        #[serde(with = "bytes")]
        body: Vec<u8>,
        /// The model that wrote it.
        model: String,
        /// What it used.
        usage: Option<Usage>,
    },
    /// Lets another summary stand for the beginning, or none. One that is not a summary of the session is `NotFound`.
    SetSummary {
        /// The session.
        session: SessionId,
        /// The summary.
        summary: Option<Seq>,
    },
    /// Makes messages findable: those after `from` up to `upto`, of which the ones with words are listed. Only if all up
    /// to `from` and no more are findable already; else [`Done::Nothing`]. `NotFound` if there is no `upto`. The session
    /// stays as it is, also its version, which is the answer, and the journal does not mention it.
    Index {
        /// The session.
        session: SessionId,
        /// The last message that is findable.
        from: Seq,
        /// The last message that will be.
        upto: Seq,
        /// Their terms.
        messages: Vec<Terms>,
        /// The title's terms; they are passed over if that is not the title any more.
        title: Option<TitleTerms>,
    },
    /// Takes the words of at most so many sessions out of the index: they are not findable until they are indexed anew.
    /// Answers how many sessions; once none is left, also what remained of the words in the store, and answers 0. The
    /// sessions stay as they are, also their versions, and the journal does not mention it.
    Unindex {
        /// How many sessions at most; at least one.
        limit: u32,
    },
    /// Puts other bytes that mean the same in the place of those that are stored, as when they are encrypted, or their key
    /// changes: each only in the place of the bytes that were read, and none in the place of a reply that runs. Answers
    /// how many: [`Done::Count`]. The session stays as it is, also its version and its times, and the journal does not
    /// mention it. Whether what is replaced was indexed before must not matter: [`Op::Unindex`] comes first.
    Reseal {
        /// The session.
        session: SessionId,
        /// Only if the session is still at this version (`Conflict`).
        if_version: Option<u64>,
        /// The bytes.
        resealed: Vec<Resealed>,
    },
    /// Adds to the owner's ledger what was used beside the turns, as one call. Answers [`Done::Nothing`].
    Bill {
        /// The session for which it was used; it need not be there any more.
        session: SessionId,
        /// The model.
        model: String,
        /// What for.
        purpose: Purpose,
        /// What was used.
        usage: Usage,
        /// What it cost, in millionths of the unit of the prices.
        cost: u64,
    },
    /// Reserves what a model may use beside the turns, as [`Begin::reserve`](super::Begin) does for one: all of these
    /// counters must be below their limits (else `Limited`, which names the first that is not, and nothing is done).
    /// Answers [`Done::Count`]: a time in milliseconds since 1970 that lies in the window of each of them.
    Reserve {
        /// The counters.
        counters: Vec<Counter>,
    },
    /// Corrects counters as the end of a turn does. Comes last of its call. Answers [`Done::Nothing`].
    Settle {
        /// The corrections.
        settle: Vec<Settle>,
    },
}

impl Op {
    /// Makes a session that has nothing but its id.
    pub fn create(session: SessionId) -> Self {
        Self::Create { session, title: None, pin: None, meta: None, ttl: None }
    }
}

/// What an imported session is like besides its messages.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Imported {
    /// Its id.
    pub id: SessionId,
    /// Its encoded title.
    #[serde(with = "bytes_option")]
    pub title: Option<Vec<u8>>,
    /// Its encoded persona.
    #[serde(with = "bytes_option")]
    pub pin: Option<Vec<u8>>,
    /// Its encoded metadata.
    #[serde(with = "bytes_option")]
    pub meta: Option<Vec<u8>>,
    /// Whether it stands before the others in lists.
    pub pinned: bool,
    /// Whether it is put away.
    pub archived: bool,
    /// The newest message of the active branch.
    pub head: Option<Seq>,
    /// When it was made, in milliseconds since 1970.
    pub created_ms: i64,
    /// When it changed last, in milliseconds since 1970.
    pub updated_ms: i64,
}

/// A message that was written elsewhere, before it has its number and its time.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct NewRow {
    /// Who speaks.
    pub role: Role,
    /// How far it has come; never `Running`.
    pub status: Status,
    /// The encoded content.
    #[serde(with = "bytes")]
    pub body: Vec<u8>,
    /// The model that was asked.
    pub model: Option<String>,
    /// What it used.
    pub usage: Option<Usage>,
}

/// Bytes that take the place of others.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Resealed {
    /// Where they stand.
    pub part: Stored,
    /// The SHA-256 of the bytes in whose place they come.
    #[serde(with = "hash")]
    pub was: [u8; 32],
    /// The bytes.
    #[serde(with = "bytes")]
    pub bytes: Vec<u8>,
}

/// What of a session is stored as bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Stored {
    /// Its title.
    Title,
    /// Its persona.
    Pin,
    /// Its metadata.
    Meta,
    /// The body of this message.
    Message(Seq),
}

/// The words by which a message is found, each once.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Terms {
    /// The message.
    pub seq: Seq,
    /// Its terms.
    pub terms: Vec<String>,
}

/// The words by which a session is found by its title, as long as that is the title.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct TitleTerms {
    /// The encoded title.
    #[serde(with = "bytes_option")]
    pub of: Option<Vec<u8>>,
    /// Its terms.
    pub terms: Vec<String>,
}

/// What an [`Op`] did.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Done {
    /// The session's version after it.
    Version(u64),
    /// There was nothing to do, or nothing is left to have a version.
    Nothing,
    /// So many.
    Count(u64),
    /// The message of this number was made.
    Seq(Seq),
}

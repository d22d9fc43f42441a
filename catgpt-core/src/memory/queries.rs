//! What a store is asked for, and what it answers: plain data.

use serde::{Deserialize, Serialize};

use super::limits::{CounterId, GroupBy, Spent};
use super::{Chunk, Limit, Row, SessionRow};
use crate::event::Change;
use crate::id::{Owner, Seq, SessionId, TurnId};
use crate::message::Offset;

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
    /// Messages of all branches and summaries after `after`, by number.
    Tree {
        /// The session.
        session: SessionId,
        /// The last message that is known; 0 to begin.
        after: Seq,
        /// How much.
        limit: Limit,
        /// With their bodies; without, each body is empty, there are no pieces, and bytes are not counted.
        bodies: bool,
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
    /// Whether it is pinned.
    #[serde(default)]
    pub pinned: bool,
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
    /// Sessions, the pinned ones first, then the latest changed (equal times: the greater id first).
    Sessions {
        /// Where to go on.
        after: Option<Cursor>,
        /// How many.
        limit: u32,
        /// Those that are put away instead of those that are not.
        archived: bool,
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
    /// The number of the newest entry that the journal ever had; 0 for none.
    JournalEnd,
    /// The journals of many owners at once, the asking one's not among them unless it is named: how one process looks
    /// after the feeds of all its users. A look beyond its owner, and the engine's alone.
    Journals {
        /// Each owner, and the last number that is known.
        after: Vec<(Owner, u64)>,
        /// How many changes of each.
        limit: u32,
    },
    /// Owners who have sessions, by name, the asking one's among them if he has: for what is done to a whole store. A look
    /// beyond its owner, and the engine's alone.
    Owners {
        /// Those after this one.
        after: Option<Owner>,
        /// How many.
        limit: u32,
    },
    /// Messages that have all of `terms`, and sessions whose titles have; the newest first (a title was made when its
    /// session was; equal times in any order, but always the same). Only what was indexed is found.
    Search {
        /// The terms, as [`Op::Index`](super::Op::Index) has them; at least one (`InvalidInput`).
        terms: Vec<String>,
        /// Whether the last term may also be the beginning of one.
        prefix: bool,
        /// Where to go on: what the last answer said. `InvalidInput` for what no answer said.
        after: Option<String>,
        /// How many.
        limit: u32,
    },
    /// Sessions with messages or titles that are not indexed; those with a running turn are left out.
    Unindexed {
        /// How many.
        limit: u32,
    },
    /// The ledger: what was used, summed up and ordered by `by`, least first, strings by their bytes.
    Usage {
        /// From this time on, in milliseconds since 1970, rounded down to a day (UTC).
        from_ms: Option<i64>,
        /// Up to the day before the day of this time.
        to_ms: Option<i64>,
        /// For this session alone.
        session: Option<SessionId>,
        /// What is told apart; nothing: one sum, also of nothing.
        by: Vec<GroupBy>,
    },
    /// How far counters have come in their present windows.
    Counters(Vec<CounterId>),
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
    /// A number of the journal.
    JournalEnd(u64),
    /// Owners with changes, in any order.
    Journals(Vec<(Owner, Vec<Change>)>),
    /// Owners.
    Owners(Vec<Owner>),
    /// What was found.
    Hits {
        /// The hits.
        hits: Vec<Hit>,
        /// Where to go on, if there is more. Only the backend can read it.
        next: Option<String>,
    },
    /// What is not indexed.
    Unindexed(Vec<Unindexed>),
    /// Sums.
    Usage(Vec<Spent>),
    /// The counters' values, in the order of the question.
    Counters(Vec<u64>),
}

/// A message, or a session by its title, that was found.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct Hit {
    /// The session.
    pub session: SessionRow,
    /// The message; `None`: the title.
    pub row: Option<Row>,
}

/// A session that is not indexed to its end.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Unindexed {
    /// The session.
    pub session: SessionId,
    /// The last message that is.
    pub indexed: Seq,
    /// Whether it has a title that is not.
    pub title: bool,
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

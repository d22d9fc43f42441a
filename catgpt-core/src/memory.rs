//! The durable store: the contract that every backend keeps.
//!
//! A backend stores bytes and decides races; it knows nothing of models, prompts or events. What a turn *means* is
//! decided by the core, which hands over finished bytes and reads them back.

#[cfg(any(test, feature = "conformance"))]
pub mod conformance;
pub mod in_memory;
#[cfg(feature = "sqlite")]
mod sqlite;
mod url;

use std::fmt::Debug;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;

use crate::error::Result;
use crate::event::Change;
use crate::id::{OpId, Owner, Seq, SessionId, TurnId};
use crate::message::{Offset, Role, Status, Usage};

#[cfg(feature = "sqlite")]
pub use self::sqlite::Sqlite;
pub use self::url::open;
pub use in_memory::InMemory;

/// The largest message, in bytes, as it is stored.
pub const MAX_BODY: usize = 16 << 20;

/// Where sessions, messages and turns are kept. Seven methods that stay seven: what is new is a new [`Op`] or
/// [`Query`]; what a backend lacks answers [`Unsupported`](crate::ErrorKind::Unsupported), never an empty result.
///
/// **Every write may be repeated** after an unknown outcome and then answers what it answered. Every call takes the
/// owner, and what another owner has is [`NotFound`](crate::ErrorKind::NotFound). Times are the store's own clock.
/// Each `begin_turn`, `finish_turn` and `apply` adds to the owner's journal of changes in the same transaction.
///
/// [`conformance`](crate::memory::conformance) (feature `conformance`) is this contract as a test suite.
#[async_trait]
pub trait Memory: Debug + Send + Sync + 'static {
    /// Claims the session and commits the user's message and an empty running reply, in one transaction; makes the
    /// session if it is not there. The gate that decides which of several sends runs.
    ///
    /// The order of its decisions: a turn with this id is there already → [`Begun::Started`] again while it runs (its
    /// lease begins anew) and [`Begun::Replay`] after, but `Conflict` in another session and `NotFound` for another
    /// owner; the key is known → `Replay` (or `Conflict` for another hash); `if_version` does not match → `Conflict`;
    /// another turn runs → [`Begun::Busy`], or [`Begun::Stale`] if its lease has run out; then the parent.
    async fn begin_turn(&self, owner: &Owner, begin: Begin) -> Result<Begun>;

    /// Adds a piece to a running reply and renews its lease; an empty piece only renews. For a turn that does not run,
    /// or is not there, or is another owner's: [`Kept::Refused`].
    async fn checkpoint(&self, owner: &Owner, checkpoint: Checkpoint) -> Result<Kept>;

    /// Ends a turn: whole body, final status, usage, session freed, pieces deleted, in one transaction.
    async fn finish_turn(&self, owner: &Owner, finish: Finish) -> Result<Sealed>;

    /// Runs all of `ops` in one transaction, or none. The same `op_id` again answers what it answered (kept 24 h).
    async fn apply(&self, owner: &Owner, op_id: OpId, ops: Vec<Op>) -> Result<Vec<Done>>;

    /// Reads from one session or one turn.
    async fn read(&self, owner: &Owner, read: Read) -> Result<View>;

    /// Looks over all sessions of an owner.
    async fn query(&self, owner: &Owner, query: Query) -> Result<Answer>;

    /// Lists turns whose lease has run out, of every owner, and deletes what is due: keys, operation ids and journal
    /// entries older than 24 h. Touches at most `limit` rows of each.
    async fn sweep(&self, limit: u32) -> Result<Swept>;

    /// What this backend is like.
    fn caps(&self) -> Caps {
        Caps::default()
    }

    /// Writes out and lets go of what it holds. Calls after it fail with `Closed`.
    async fn close(&self) -> Result<()> {
        Ok(())
    }
}

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
}

impl Default for Caps {
    fn default() -> Self {
        Self { durable: false, shared: false, lease: Duration::from_secs(15), poll: Duration::from_millis(100) }
    }
}

/// Bounds of a read: it ends at whichever comes first, but never before one message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limit {
    /// Messages.
    pub messages: u32,
    /// Bytes of their bodies.
    pub bytes: u64,
}

/// Where a new turn hangs in the tree.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Parent {
    /// After the newest message of the active branch.
    Head,
    /// After this message.
    Under(Seq),
    /// Beside this message (`None`: beside the head), as another version of it.
    Beside(Option<Seq>),
}

/// What [`Memory::begin_turn`] is given.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Begin {
    /// The session; made if it is not there.
    pub session: SessionId,
    /// The new turn's id.
    pub turn: TurnId,
    /// An idempotency key, unique in the session for 24 h, and the hash of what is asked.
    pub key: Option<(String, [u8; 32])>,
    /// Where it hangs. A message that is not there is `NotFound`.
    pub parent: Parent,
    /// Only if the session is still at this version.
    pub if_version: Option<u64>,
    /// The user's message; `None` answers the parent again, which must then be a user's message (`InvalidInput`).
    pub message: Option<Vec<u8>>,
    /// The encoded title of a session that this makes.
    pub title: Option<Vec<u8>>,
    /// The model, kept with the reply.
    pub model: String,
    /// The persona: kept if the session has none yet, or if `replace` is set.
    pub pin: Pin,
    /// How long the turn is believed alive without a checkpoint.
    pub lease: Duration,
    /// How much of the branch to return.
    pub window: Limit,
}

/// A persona as the session keeps it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pin {
    /// The encoded copy.
    pub body: Vec<u8>,
    /// Whether it takes the place of one that is there.
    pub replace: bool,
}

/// What [`Memory::begin_turn`] answers.
#[derive(Clone, Debug, PartialEq)]
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
        lease_left: Duration,
    },
    /// A turn whose lease has run out holds the session: end it, then try again. Nothing was written.
    Stale {
        /// The turn.
        turn: TurnId,
    },
}

/// A turn that has begun.
#[derive(Clone, Debug, PartialEq)]
pub struct Opened {
    /// The session after the commit.
    pub session: SessionRow,
    /// Whether the session was made by this.
    pub created: bool,
    /// The user's message; `None` when it answers an older one again.
    pub user_seq: Option<Seq>,
    /// The reply.
    pub reply_seq: Seq,
    /// The branch up to the reply's parent (so with the user's message), oldest first.
    pub window: Vec<Row>,
}

/// What [`Memory::checkpoint`] is given.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Checkpoint {
    /// The turn.
    pub turn: TurnId,
    /// The offset where the piece begins, which must be where the last one ended (`Conflict` for a gap). A piece that
    /// is there already is not written again.
    pub from: Offset,
    /// The offset where it ends; equal to `from` only for an empty one.
    pub to: Offset,
    /// The encoded piece; empty to renew the lease only.
    pub body: Vec<u8>,
    /// The new lease, from now.
    pub lease: Duration,
    /// Whether it must be on disk before the answer. Otherwise it may be lost with the machine, not with the process.
    pub sync: bool,
}

/// What [`Memory::checkpoint`] answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kept {
    /// Written, and the lease renewed.
    Renewed {
        /// Somebody asked for the turn to stop.
        cancel: bool,
    },
    /// The turn does not run any more: nothing was written.
    Refused,
}

/// What [`Memory::finish_turn`] is given.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Finish {
    /// The turn.
    pub turn: TurnId,
    /// Its final status; never `Running`.
    pub status: Status,
    /// The whole body.
    pub body: Vec<u8>,
    /// What it used.
    pub usage: Option<Usage>,
    /// Only if its lease has run out: this ends a turn that died.
    pub if_expired: bool,
}

/// What [`Memory::finish_turn`] answers.
#[derive(Clone, Debug, PartialEq)]
pub enum Sealed {
    /// Ended by this call.
    Now,
    /// It had ended before, perhaps by an earlier try of this call: this is the reply as it stands.
    Before(Box<Row>),
    /// With `if_expired`: the lease holds again. Nothing was written.
    Alive {
        /// How long it still holds.
        lease_left: Duration,
    },
}

/// A stored message. The core owns the encoding of its body.
#[derive(Clone, Debug, PartialEq)]
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
    pub body: Vec<u8>,
    /// The model that was asked.
    pub model: Option<String>,
    /// What it used.
    pub usage: Option<Usage>,
    /// When it was made, in milliseconds since 1970.
    pub created_ms: i64,
}

/// A stored session.
#[derive(Clone, Debug, PartialEq)]
pub struct SessionRow {
    /// Its id.
    pub id: SessionId,
    /// Its encoded title.
    pub title: Option<Vec<u8>>,
    /// Its encoded persona.
    pub pin: Option<Vec<u8>>,
    /// The newest message of the active branch.
    pub head: Option<Seq>,
    /// Grows with every change.
    pub version: u64,
    /// How many messages it has, all branches counted.
    pub messages: u64,
    /// The running turn, its lease run out or not.
    pub running: Option<TurnId>,
    /// When it was made, in milliseconds since 1970.
    pub created_ms: i64,
    /// When it changed last, in milliseconds since 1970.
    pub updated_ms: i64,
}

/// A piece of a running reply.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Chunk {
    /// The offset where it begins.
    pub from: Offset,
    /// The offset where it ends.
    pub to: Offset,
    /// The encoded piece.
    pub body: Vec<u8>,
}

/// A change that [`Memory::apply`] makes. A session or turn that is not there is `NotFound`.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Op {
    /// Makes a session; one that is there already is left as it is.
    Create {
        /// The session.
        session: SessionId,
        /// Its encoded title.
        title: Option<Vec<u8>>,
        /// Its encoded persona.
        pin: Option<Vec<u8>>,
    },
    /// Gives a session another title.
    SetTitle {
        /// The session.
        session: SessionId,
        /// Its encoded title; `None` takes it away.
        title: Option<Vec<u8>>,
    },
    /// Gives a session another persona.
    SetPin {
        /// The session.
        session: SessionId,
        /// Its encoded persona.
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
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Done {
    /// The session's version after it.
    Version(u64),
    /// There was nothing to do, or nothing is left to have a version.
    Nothing,
}

/// What [`Memory::read`] looks at.
#[derive(Clone, Debug)]
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

/// What [`Memory::read`] answers.
#[derive(Clone, Debug, PartialEq)]
pub struct View {
    /// The session.
    pub session: SessionRow,
    /// Messages. For [`Read::Tail`] the reply alone.
    pub rows: Vec<Row>,
    /// Pieces of running replies: for a tail those asked for; for other reads all of a running reply among `rows`.
    pub chunks: Vec<Chunk>,
    /// Whether the session's running turn has outlived its lease.
    pub expired: bool,
    /// Whether there is more in the direction of the read.
    pub more: bool,
}

/// Where a list of sessions goes on: the last one seen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cursor {
    /// Its time of last change.
    pub updated_ms: i64,
    /// Its id.
    pub session: SessionId,
}

/// What [`Memory::query`] looks for.
#[derive(Clone, Debug)]
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
    /// Turns that run.
    Turns,
    /// The journal after this number.
    Changes {
        /// The last number that is known; 0 to begin.
        after: u64,
        /// How many.
        limit: u32,
    },
}

/// What [`Memory::query`] answers, of the same kind as it was asked.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Answer {
    /// Sessions.
    Sessions {
        /// The sessions.
        rows: Vec<SessionRow>,
        /// Whether there are more.
        more: bool,
    },
    /// Turns that run, by session.
    Turns(Vec<(SessionId, TurnId)>),
    /// Changes.
    Changes(Vec<Change>),
}

/// What [`Memory::sweep`] found and did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Swept {
    /// Turns whose lease has run out.
    pub expired: Vec<(Owner, TurnId)>,
    /// Rows that were due and are deleted.
    pub deleted: u64,
    /// Whether there was more than the limit.
    pub more: bool,
}

/// A shared backend is a backend, so builders take either.
#[async_trait]
impl<M: Memory + ?Sized> Memory for Arc<M> {
    async fn begin_turn(&self, owner: &Owner, begin: Begin) -> Result<Begun> {
        (**self).begin_turn(owner, begin).await
    }
    async fn checkpoint(&self, owner: &Owner, checkpoint: Checkpoint) -> Result<Kept> {
        (**self).checkpoint(owner, checkpoint).await
    }
    async fn finish_turn(&self, owner: &Owner, finish: Finish) -> Result<Sealed> {
        (**self).finish_turn(owner, finish).await
    }
    async fn apply(&self, owner: &Owner, op_id: OpId, ops: Vec<Op>) -> Result<Vec<Done>> {
        (**self).apply(owner, op_id, ops).await
    }
    async fn read(&self, owner: &Owner, read: Read) -> Result<View> {
        (**self).read(owner, read).await
    }
    async fn query(&self, owner: &Owner, query: Query) -> Result<Answer> {
        (**self).query(owner, query).await
    }
    async fn sweep(&self, limit: u32) -> Result<Swept> {
        (**self).sweep(limit).await
    }
    fn caps(&self) -> Caps {
        (**self).caps()
    }
    async fn close(&self) -> Result<()> {
        (**self).close().await
    }
}

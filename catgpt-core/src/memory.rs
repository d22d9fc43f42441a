//! The durable store: the contract that every backend keeps.
//!
//! A backend stores bytes and decides races; it knows nothing of models, prompts or events. What a turn *means* is
//! decided by the core, which hands over finished bytes and reads them back.

mod check;
#[cfg(any(test, feature = "conformance"))]
pub mod conformance;
#[cfg(feature = "encryption")]
mod encrypted;
pub mod in_memory;
mod json;
pub(crate) mod limits;
mod ops;
#[cfg(feature = "postgres")]
mod postgres;
mod queries;
mod rows;
#[cfg(feature = "sqlite")]
mod sqlite;
mod turns;
mod url;

use std::fmt::Debug;
use std::sync::Arc;

use async_trait::async_trait;

use crate::error::Result;
use crate::id::{OpId, Owner};

#[cfg(feature = "encryption")]
pub use self::encrypted::{Encrypted, Step};
pub(crate) use self::json::milliseconds;
pub use self::limits::*;
pub use self::ops::*;
#[cfg(feature = "postgres")]
pub use self::postgres::Postgres;
pub use self::queries::*;
pub use self::rows::*;
#[cfg(feature = "sqlite")]
pub use self::sqlite::{Sqlite, fork};
pub use self::turns::*;
#[cfg(feature = "bridge")]
pub(crate) use self::url::check;
pub use self::url::{backup, file, open};
pub use in_memory::InMemory;

/// The largest message, in bytes, as it is stored. What is [encrypted](crate::encryption) may be 4 KiB longer.
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
    /// another turn runs → [`Begun::Busy`], or [`Begun::Stale`] if its lease has run out; then the parent; then
    /// `max_running` and the counters → [`Begun::Limited`].
    async fn begin_turn(&self, owner: &Owner, begin: Begin) -> Result<Begun>;

    /// Adds a piece to a running reply and renews its lease; an empty piece only renews. For a turn that does not run,
    /// or is not there, or is another owner's: [`Kept::Refused`].
    async fn checkpoint(&self, owner: &Owner, checkpoint: Checkpoint) -> Result<Kept>;

    /// Ends a turn: whole body, final status, usage, session freed, pieces deleted, counters settled, the ledger's line of
    /// this day, session and model added to, in one transaction.
    async fn finish_turn(&self, owner: &Owner, finish: Finish) -> Result<Sealed>;

    /// Runs all of `ops` in one transaction, or none. The same `op_id` again answers what it answered (kept 24 h; one with
    /// [`Op::Erase`] is run again).
    async fn apply(&self, owner: &Owner, op_id: OpId, ops: Vec<Op>) -> Result<Vec<Done>>;

    /// Reads from one session or one turn.
    async fn read(&self, owner: &Owner, read: Read) -> Result<View>;

    /// Looks over all sessions of an owner.
    async fn query(&self, owner: &Owner, query: Query) -> Result<Answer>;

    /// Lists turns whose lease has run out, of every owner, and deletes what is due: keys, operation ids and journal
    /// entries older than 24 h, counters whose window is over as long, sessions whose time to live is over. Touches at
    /// most `limit` rows of each. A session in which a turn runs lives on until that has ended.
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

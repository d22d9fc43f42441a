//! The memory that lives in the process: for tests, for demos, and as the reference for every other backend.

mod aged;
mod apply;
mod bulk;
mod counters;
mod grow;
mod journal;
mod ledger;
mod recall;
mod search;
mod session;
mod shelf;
mod state;
#[cfg(test)]
pub(super) mod tests;
mod turns;

use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;

use self::state::State;
use super::{Answer, Begin, Begun, Checkpoint, Done, Finish, Kept, Memory, Op, Query, Read, Sealed, Swept, View};
use crate::error::{Error, ErrorKind, Result};
use crate::id::{OpId, Owner};

/// A [`Memory`] without a file or a server. What is in it goes with the process, and it is bounded: where there is no
/// more room, the session goes that was not used for the longest time and in which no turn runs.
pub struct InMemory(Mutex<State>);

/// How much an [`InMemory`] holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Sessions.
    pub sessions: usize,
    /// Bytes of all of them.
    pub bytes: u64,
    /// How long a session stays that nobody uses. It goes with the next sweep.
    pub ttl: Option<Duration>,
}

impl Default for Limits {
    fn default() -> Self {
        Self { sessions: 10_000, bytes: 256 << 20, ttl: None }
    }
}

impl InMemory {
    /// An empty one with the usual limits: 10 000 sessions, 256 MiB, no end by age.
    pub fn new() -> Self {
        Self::with_limits(Limits::default())
    }

    /// An empty one with other limits.
    pub fn with_limits(limits: Limits) -> Self {
        Self(Mutex::new(State::new(limits)))
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn open(&self) -> Result<MutexGuard<'_, State>> {
        let state = self.lock();
        match state.closed {
            true => Err(Error::new(ErrorKind::Closed, "this memory is closed; make a new one")),
            false => Ok(state),
        }
    }
}

impl Default for InMemory {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for InMemory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = self.lock();
        f.debug_struct("InMemory")
            .field("sessions", &state.shelf.count())
            .field("bytes", &state.shelf.bytes())
            .field("limits", &state.limits)
            .finish()
    }
}

#[async_trait]
impl Memory for InMemory {
    async fn begin_turn(&self, owner: &Owner, begin: Begin) -> Result<Begun> {
        self.open()?.begin_turn(owner, begin)
    }
    async fn checkpoint(&self, owner: &Owner, checkpoint: Checkpoint) -> Result<Kept> {
        self.open()?.checkpoint(owner, checkpoint)
    }
    async fn finish_turn(&self, owner: &Owner, finish: Finish) -> Result<Sealed> {
        self.open()?.finish_turn(owner, finish)
    }
    async fn apply(&self, owner: &Owner, op_id: OpId, ops: Vec<Op>) -> Result<Vec<Done>> {
        self.open()?.apply(owner, op_id, ops)
    }
    async fn read(&self, owner: &Owner, read: Read) -> Result<View> {
        self.open()?.read(owner, read)
    }
    async fn query(&self, owner: &Owner, query: Query) -> Result<Answer> {
        self.open()?.query(owner, query)
    }
    async fn sweep(&self, limit: u32) -> Result<Swept> {
        Ok(self.open()?.sweep(limit))
    }
    async fn close(&self) -> Result<()> {
        let mut state = self.lock();
        *state = State { closed: true, ..State::new(state.limits) };
        Ok(())
    }
}

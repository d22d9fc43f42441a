//! What is done to many sessions at once.

use std::time::{Duration, Instant};

use super::User;
use crate::error::{Error, ErrorKind, Result};
use crate::id::{Owner, SessionId};
use crate::memory::{Done, Op};

/// How many sessions one step deletes.
const STEP: u32 = 100;

impl User {
    /// Deletes those of these sessions that are there, and says how many. Turns that run in them end.
    ///
    /// # Errors
    /// The store cannot be written.
    pub async fn delete(&self, sessions: impl IntoIterator<Item = SessionId>) -> Result<u64> {
        let sessions: Vec<_> = sessions.into_iter().collect();
        let mut deleted = 0;
        for sessions in sessions.chunks(STEP as usize) {
            deleted += self.count(Op::DeleteMany { sessions: sessions.to_vec() }).await?;
        }
        Ok(deleted)
    }

    /// Deletes the sessions in which nothing was ever said, and says how many.
    ///
    /// # Errors
    /// The store cannot be written.
    pub async fn delete_empty(&self) -> Result<u64> {
        self.repeated(Op::DeleteEmpty { limit: STEP }, |_| {}).await
    }

    /// Deletes all that the store has of this owner: sessions, ledger, journal, keys. Turns that run end. `progress` is
    /// told how many sessions are gone so far.
    ///
    /// What was deleted can be read in no file of a SQLite store any more; of PostgreSQL's own files, logs and backups
    /// only its vacuum and your retention take it.
    ///
    /// # Errors
    /// The store cannot be written; call it again to go on.
    pub async fn erase(&self, progress: impl FnMut(u64)) -> Result<u64> {
        self.repeated(Op::Erase { limit: STEP }, progress).await
    }

    /// Takes over all that another owner has, as when a guest signs in: his sessions with all that belongs to them, and
    /// his ledger. Turns that run there are waited for up to `wait`. Says how many sessions came.
    ///
    /// That the two are one person is for the caller to know.
    ///
    /// # Errors
    /// `Conflict` with the fact `sessions` if both have sessions of the same id, and `Busy` if a turn still runs: then
    /// nothing was moved.
    pub async fn claim(&self, from: &Owner, wait: Duration) -> Result<u64> {
        if *from == self.owner {
            return Err(Error::invalid("an owner cannot be claimed by himself; name another one"));
        }
        let begun = Instant::now();
        loop {
            match self.count(Op::Claim { from: from.clone() }).await {
                Err(error) if error.kind() == ErrorKind::Busy && begun.elapsed() < wait => {
                    let Some(turn) = error.turn() else { return Err(error) };
                    self.runner.ended(from, turn, wait.saturating_sub(begun.elapsed())).await?;
                }
                other => return other,
            }
        }
    }

    /// Does it until nothing is left to do.
    async fn repeated(&self, op: Op, mut progress: impl FnMut(u64)) -> Result<u64> {
        let mut all = 0;
        loop {
            match self.count(op.clone()).await? {
                0 => return Ok(all),
                some => all += some,
            }
            progress(all);
        }
    }

    async fn count(&self, op: Op) -> Result<u64> {
        match self.runner.apply(&self.owner, vec![op]).await?[..] {
            [Done::Count(count)] => Ok(count),
            _ => Err(crate::runner::wrong_answer()),
        }
    }
}

//! A memory whose records are sealed before they are stored and opened when they are read. What stands above and what
//! stands below know nothing of it.

mod claim;
mod ops;
mod reseal;
#[cfg(test)]
mod tests;
mod view;

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;

pub use self::reseal::Step;
use super::{Answer, Begin, Begun, Caps, Checkpoint, Done, Finish, Kept, Memory, Op, Query, Read, Sealed, Swept, View};
use crate::encryption::{Encryption, Place};
use crate::error::{Error, ErrorKind, Result};
use crate::id::{OpId, Owner};
use crate::message::Role;

/// A [`Memory`] that keeps nothing readable in another one. An engine is given its
/// [`encryption`](crate::EngineBuilder::encryption) instead, which seals its live log too.
///
/// It has no search: what makes words findable would be the words themselves.
pub struct Encrypted {
    store: Arc<dyn Memory>,
    keys: Encryption,
}

impl Encrypted {
    /// Seals what goes into this store.
    pub fn new(store: impl Memory, encryption: impl Into<Encryption>) -> Self {
        Self { store: Arc::new(store), keys: encryption.into() }
    }

    /// Asks for a turn with the hash of its key as it is kept, and with those of older keys if the store knows another.
    async fn begin_keyed(&self, owner: &Owner, begin: Begin, key: String, hash: [u8; 32]) -> Result<Begun> {
        let hashes = self.keys.hashes(owner, &hash).await?;
        let under = |hash| Begin { key: Some((key.clone(), hash)), ..begin.clone() };
        let first = hashes.first().copied().unwrap_or(hash);
        let refused = match self.store.begin_turn(owner, under(first)).await {
            Err(error) if error.kind() == ErrorKind::Conflict => error,
            other => return other,
        };
        let former = match self.former(owner, &begin.session).await? {
            Some(former) => self.keys.hashes(&former, &hash).await?,
            None => Vec::new(),
        };
        for hash in hashes.into_iter().skip(1).chain(former) {
            if let Ok(begun @ Begun::Replay { .. }) = self.store.begin_turn(owner, under(hash)).await {
                return Ok(begun);
            }
        }
        Err(refused)
    }
}

#[async_trait]
impl Memory for Encrypted {
    async fn begin_turn(&self, owner: &Owner, mut begin: Begin) -> Result<Begun> {
        begin.check()?;
        let (session, turn, limit) = (begin.session.clone(), begin.turn, begin.window);
        begin.window = view::widened(limit);
        if let Some(body) = &mut begin.message {
            *body = self.keys.seal(owner, Place::Message(turn, Role::User), body).await?;
        }
        if let Some(title) = &mut begin.title {
            *title = self.keys.seal(owner, Place::Title(&session), title).await?;
        }
        begin.pin.body = self.keys.seal(owner, Place::Pin(&session), &begin.pin.body).await?;
        let begun = match begin.key.take() {
            Some((key, hash)) => self.begin_keyed(owner, begin, key, hash).await?,
            None => self.store.begin_turn(owner, begin).await?,
        };
        match begun {
            Begun::Started(opened) => Ok(Begun::Started(Box::new(self.opened(owner, *opened, limit).await?))),
            other => Ok(other),
        }
    }

    async fn checkpoint(&self, owner: &Owner, mut checkpoint: Checkpoint) -> Result<Kept> {
        checkpoint.check()?;
        if !checkpoint.body.is_empty() {
            let place = Place::Chunk(checkpoint.turn, checkpoint.from, checkpoint.to);
            checkpoint.body = self.keys.seal(owner, place, &checkpoint.body).await?;
        }
        self.store.checkpoint(owner, checkpoint).await
    }

    async fn finish_turn(&self, owner: &Owner, mut finish: Finish) -> Result<Sealed> {
        finish.check()?;
        finish.body = self.keys.seal(owner, Place::Message(finish.turn, Role::Assistant), &finish.body).await?;
        match self.store.finish_turn(owner, finish).await? {
            Sealed::Before(mut row) => {
                self.row(owner, None, &mut row).await?;
                Ok(Sealed::Before(row))
            }
            other => Ok(other),
        }
    }

    async fn apply(&self, owner: &Owner, op_id: OpId, ops: Vec<Op>) -> Result<Vec<Done>> {
        ops.iter().try_for_each(Op::check)?;
        let asked = ops.len();
        let erases: Vec<_> = ops.iter().map(|op| matches!(op, Op::Erase { .. })).collect();
        let from = ops.iter().find_map(|op| if let Op::Claim { from } = op { Some(from.clone()) } else { None });
        let mut done = match from.filter(|from| from != owner) {
            Some(from) => self.claim(owner, &from, op_id, self.sealed(owner, ops).await?).await?,
            None => self.applied(owner, op_id, ops).await?,
        };
        // What a claim added to the call.
        done.truncate(asked);
        if erases.iter().zip(&done).any(|(erase, done)| *erase && *done == Done::Count(0)) {
            self.keys.forget(owner).await?;
        }
        Ok(done)
    }

    async fn read(&self, owner: &Owner, read: Read) -> Result<View> {
        let bodies = !matches!(read, Read::Tree { bodies: false, .. });
        let mut asked = read.clone();
        if let Read::Branch { limit, .. } | Read::Tree { limit, bodies: true, .. } = &mut asked {
            *limit = view::widened(*limit);
        }
        let view = self.store.read(owner, asked).await?;
        Ok(Self::within(&read, self.view(owner, view, bodies).await?))
    }

    async fn query(&self, owner: &Owner, query: Query) -> Result<Answer> {
        query.check()?;
        if matches!(query, Query::Search { .. } | Query::Unindexed { .. }) {
            return Err(unsearchable());
        }
        match self.store.query(owner, query).await? {
            Answer::Sessions { mut rows, more } => {
                self.sessions(owner, &mut rows).await?;
                Ok(Answer::Sessions { rows, more })
            }
            other => Ok(other),
        }
    }

    async fn sweep(&self, limit: u32) -> Result<Swept> {
        self.store.sweep(limit).await
    }

    fn caps(&self) -> Caps {
        Caps { search: false, encrypted: true, ..self.store.caps() }
    }

    async fn close(&self) -> Result<()> {
        self.store.close().await
    }
}

fn unsearchable() -> Error {
    let text = "an encrypted store has no search: what is found by its words would have to be kept in words";
    Error::new(ErrorKind::Unsupported, text)
}

impl fmt::Debug for Encrypted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Encrypted").field("store", &self.store).field("keys", &self.keys).finish()
    }
}

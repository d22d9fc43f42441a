//! Putting what is stored under another key: the newest, or a new owner's.

use sha2::{Digest, Sha256};

use super::Encrypted;
use super::view::place;
use crate::encryption::{Encryption, Place};
use crate::error::Result;
use crate::id::{OpId, Owner, Seq, SessionId};
use crate::memory::{Done, Limit, Op, Read, Resealed, Stored, View};
use crate::message::Status;

/// How much is read and written at once.
pub(super) const PAGE: Limit = Limit { messages: 500, bytes: 4 << 20 };

/// What one step of [`Encrypted::reseal`] did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Step {
    /// How many records were written.
    pub written: u64,
    /// Where the next step goes on; `None` if this was the session's last.
    pub next: Option<Seq>,
    /// Whether a reply that still runs was passed over.
    pub running: bool,
}

/// From whose key to whose.
pub(super) struct Under<'a> {
    pub(super) from: &'a Owner,
    pub(super) to: &'a Owner,
    /// What is under this key already stays.
    pub(super) newest: Option<&'a str>,
}

impl Encrypted {
    /// Puts the next records of a session after message `after` (0 to begin) under the newest key. What is under it
    /// already stays as it is, so this may be done at any time, and again.
    ///
    /// # Errors
    /// A record cannot be opened, or the store cannot be written.
    pub async fn reseal(&self, owner: &Owner, session: &SessionId, after: Seq) -> Result<Step> {
        let read = Read::Tree { session: session.clone(), after, limit: PAGE, bodies: true };
        let view = self.store.read(owner, read).await?;
        let running = view.rows.iter().any(|row| row.status == Status::Running);
        let next = view.rows.last().filter(|_| view.more).map(|row| row.seq);
        let newest = self.keys.key_id(owner).await?;
        let under = Under { from: owner, to: owner, newest: Some(&newest) };
        let resealed = self.resealed(&under, view, after == 0).await?;
        if resealed.is_empty() {
            return Ok(Step { written: 0, next, running });
        }
        let op = Op::Reseal { session: session.clone(), if_version: None, resealed };
        let done = self.store.apply(owner, OpId::fresh(), vec![op]).await?;
        let written = if let [Done::Count(count)] = done[..] { count } else { 0 };
        Ok(Step { written, next, running })
    }

    /// The records of a view that are to be written anew; with those of the session itself, if this is its beginning.
    pub(super) async fn resealed(&self, under: &Under<'_>, view: View, first: bool) -> Result<Vec<Resealed>> {
        let (mut all, session) = (Vec::new(), view.session);
        let id = session.id;
        let parts = [
            (Stored::Title, Place::Title(&id), session.title),
            (Stored::Pin, Place::Pin(&id), session.pin),
            (Stored::Meta, Place::Meta(&id), session.meta),
        ];
        for (part, place, bytes) in parts.into_iter().filter(|_| first) {
            if let Some(bytes) = bytes {
                all.extend(self.one(under, part, place, bytes).await?);
            }
        }
        for row in view.rows.into_iter().filter(|row| row.status != Status::Running) {
            let place = place(&id, &row);
            all.extend(self.one(under, Stored::Message(row.seq), place, row.body).await?);
        }
        Ok(all)
    }

    async fn one(
        &self,
        under: &Under<'_>,
        part: Stored,
        place: Place<'_>,
        mut bytes: Vec<u8>,
    ) -> Result<Option<Resealed>> {
        let keys: &Encryption = &self.keys;
        if under.newest.is_some_and(|newest| keys.is_under(newest, &bytes)) {
            return Ok(None);
        }
        let was = Sha256::digest(&bytes).into();
        let former = match under.from == under.to {
            true => keys.former(&bytes),
            false => Some(under.from.clone()),
        };
        keys.open(under.from, place, &mut bytes).await?;
        let bytes = keys.seal_from(under.to, place, former.as_ref(), &bytes).await?;
        Ok(Some(Resealed { part, was, bytes }))
    }
}

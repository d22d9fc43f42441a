//! Taking over what another owner has: it is sealed for the new one in the same transaction.

use super::Encrypted;
use super::reseal::{PAGE, Under};
use crate::error::{Error, ErrorKind, Result};
use crate::id::{OpId, Owner, SessionId};
use crate::memory::{Answer, Cursor, Done, Op, Query, Read};

/// So much is taken over at once; what is more would keep others from the store for too long.
const MOST: usize = 64 << 20;
/// How often it is read anew when it changes meanwhile.
const TRIES: usize = 3;

impl Encrypted {
    pub(super) async fn claim(&self, owner: &Owner, from: &Owner, op_id: OpId, ops: Vec<Op>) -> Result<Vec<Done>> {
        let mut tries = 0;
        loop {
            tries += 1;
            let moved = self.moved(owner, from).await?;
            let all = ops.iter().cloned().chain(moved).collect();
            match self.store.apply(owner, op_id, all).await {
                // A turn ended between the look and the claim. Two sessions of one id stay so.
                Err(error)
                    if error.kind() == ErrorKind::Conflict && error.context("sessions").is_none() && tries < TRIES => {}
                other => return other,
            }
        }
    }

    /// What puts the other's sessions under the keys of their new owner, once they are his.
    async fn moved(&self, owner: &Owner, from: &Owner) -> Result<Vec<Op>> {
        let (mut ops, mut room) = (Vec::new(), MOST);
        for session in self.all(from).await? {
            let mut after = 0;
            loop {
                let read = Read::Tree { session: session.clone(), after, limit: PAGE, bodies: true };
                let view = match self.store.read(from, read).await {
                    Err(error) if error.kind() == ErrorKind::NotFound => break,
                    other => other?,
                };
                let (last, more) = (view.rows.last().map_or(after, |row| row.seq), view.more);
                let under = Under { from, to: owner, newest: None };
                let version = view.session.version;
                let resealed = self.resealed(&under, view, after == 0).await?;
                let bytes: usize = resealed.iter().map(|resealed| resealed.bytes.len()).sum();
                room = room.checked_sub(bytes).ok_or_else(too_much)?;
                ops.push(Op::Reseal { session: session.clone(), if_version: Some(version), resealed });
                after = last;
                if !more {
                    break;
                }
            }
        }
        Ok(ops)
    }

    /// Every session of an owner, put away or not.
    async fn all(&self, owner: &Owner) -> Result<Vec<SessionId>> {
        let mut all = Vec::new();
        for archived in [false, true] {
            let mut after = None;
            loop {
                let query = Query::Sessions { after, limit: 500, archived };
                let Answer::Sessions { rows, more } = self.store.query(owner, query).await? else { break };
                after = rows.last().map(|row| Cursor {
                    pinned: row.pinned,
                    updated_ms: row.updated_ms,
                    session: row.id.clone(),
                });
                all.extend(rows.into_iter().map(|row| row.id));
                if !more {
                    break;
                }
            }
        }
        Ok(all)
    }
}

fn too_much() -> Error {
    let text =
        format!("more than {MOST} bytes cannot be taken over at once while they are encrypted: export and import");
    Error::new(ErrorKind::Unsupported, text)
}

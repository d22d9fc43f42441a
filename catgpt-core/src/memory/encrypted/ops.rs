//! Sealing what operations bring.

use std::collections::HashMap;

use super::{Encrypted, unsearchable};
use crate::encryption::Place;
use crate::error::{Error, ErrorKind, Result};
use crate::id::{OpId, Owner, Seq, SessionId};
use crate::memory::{Done, Imported, Memory, Op, Row};

/// Who stands above knows no stored bytes.
fn unsealable() -> Error {
    Error::new(ErrorKind::Unsupported, "an encrypted store puts records under another key by itself: call `reseal`")
}

/// A title: what it says, and how it is stored.
type Title = (Option<Vec<u8>>, Option<Vec<u8>>);
/// What a call has made of its sessions so far.
#[derive(Default)]
struct Sofar {
    titles: HashMap<SessionId, Title>,
    /// The version, and the number of the last message.
    ends: HashMap<SessionId, (u64, u64)>,
}

/// How often others may come before messages that hang wherever the end is. Whenever one is refused, another was written.
const TRIES: usize = 256;

impl Encrypted {
    pub(super) async fn applied(&self, owner: &Owner, op_id: OpId, ops: Vec<Op>) -> Result<Vec<Done>> {
        // Who asks for no version is not told that it has changed since we looked.
        let free = ops.iter().any(|op| matches!(op, Op::Append { if_version: None, .. }));
        for _ in 0..if free { TRIES } else { 0 } {
            match self.store.apply(owner, op_id, self.sealed(owner, ops.clone()).await?).await {
                Err(error) if error.kind() == ErrorKind::Conflict => {}
                done => return done,
            }
        }
        self.store.apply(owner, op_id, self.sealed(owner, ops).await?).await
    }

    pub(super) async fn sealed(&self, owner: &Owner, ops: Vec<Op>) -> Result<Vec<Op>> {
        let (mut sealed, mut sofar) = (Vec::with_capacity(ops.len()), Sofar::default());
        for op in ops {
            sealed.push(self.op(owner, op, &mut sofar).await?);
        }
        Ok(sealed)
    }

    async fn op(&self, owner: &Owner, op: Op, sofar: &mut Sofar) -> Result<Op> {
        Ok(match op {
            Op::Create { session, title, pin, meta, ttl } => {
                let title = self.may(owner, Place::Title(&session), title).await?;
                let pin = self.may(owner, Place::Pin(&session), pin).await?;
                let meta = self.may(owner, Place::Meta(&session), meta).await?;
                Op::Create { session, title, pin, meta, ttl }
            }
            Op::SetTitle { session, title, over } => self.title(owner, session, title, over, &mut sofar.titles).await?,
            Op::SetMeta { session, meta } => {
                let meta = self.may(owner, Place::Meta(&session), meta).await?;
                Op::SetMeta { session, meta }
            }
            Op::SetPin { session, pin } => {
                let pin = self.keys.seal(owner, Place::Pin(&session), &pin).await?;
                Op::SetPin { session, pin }
            }
            Op::AddSummary { session, upto, over, body, model, usage } => {
                let body = self.keys.seal(owner, Place::Summary(&session, Some(upto)), &body).await?;
                Op::AddSummary { session, upto, over, body, model, usage }
            }
            Op::Append { .. } => self.append(owner, op, &mut sofar.ends).await?,
            Op::Import { session, after, rows } => self.import(owner, *session, after, rows).await?,
            Op::Index { .. } => return Err(unsearchable()),
            Op::Reseal { .. } => return Err(unsealable()),
            // Nothing here holds what somebody said. What is added to the operations must be decided upon here.
            Op::Mark { .. }
            | Op::SetTtl { .. }
            | Op::SetHead { .. }
            | Op::Cancel { .. }
            | Op::Delete { .. }
            | Op::DeleteMany { .. }
            | Op::DeleteEmpty { .. }
            | Op::Erase { .. }
            | Op::Claim { .. }
            | Op::SetSummary { .. }
            | Op::Unindex { .. }
            | Op::Bill { .. }
            | Op::Reserve { .. }
            | Op::Settle { .. } => op,
        })
    }

    /// A message is bound to its number, which only the session's version tells before it is written.
    async fn append(&self, owner: &Owner, op: Op, ends: &mut HashMap<SessionId, (u64, u64)>) -> Result<Op> {
        let Op::Append { session, parent, mut rows, if_version, title, ttl } = op else { return Ok(op) };
        let (version, last) = match ends.get(&session) {
            Some(end) => *end,
            None => self.stored(owner, &session).await?.map_or((0, 0), |row| (row.version, row.messages)),
        };
        for (row, seq) in rows.iter_mut().zip(last + 1..) {
            row.body = self.keys.seal(owner, Place::Imported(&session, seq, row.role), &row.body).await?;
        }
        let title = self.may(owner, Place::Title(&session), title).await?;
        ends.insert(session.clone(), (version + 1, last + rows.len() as u64));
        Ok(Op::Append { session, parent, rows, if_version: if_version.or(Some(version)), title, ttl })
    }

    async fn may(&self, owner: &Owner, place: Place<'_>, bytes: Option<Vec<u8>>) -> Result<Option<Vec<u8>>> {
        match bytes {
            Some(bytes) => self.keys.seal(owner, place, &bytes).await.map(Some),
            None => Ok(None),
        }
    }

    /// The store compares bytes, and the same title is sealed differently each time: what it is compared with is the title
    /// that is stored, if that says the same.
    async fn title(
        &self,
        owner: &Owner,
        session: SessionId,
        title: Option<Vec<u8>>,
        over: Option<Vec<u8>>,
        titles: &mut HashMap<SessionId, Title>,
    ) -> Result<Op> {
        let sealed = self.may(owner, Place::Title(&session), title.clone()).await?;
        let mut stored = None;
        if let Some(over) = &over {
            let (says, bytes) = match titles.get(&session) {
                Some(given) => given.clone(),
                None => self.present(owner, &session).await?,
            };
            stored = if says.as_ref() == Some(over) { bytes } else { None };
        }
        let replaces = over.is_none() || stored.is_some();
        let over = stored.or(over);
        if replaces {
            titles.insert(session.clone(), (title, sealed.clone()));
        }
        Ok(Op::SetTitle { session, title: sealed, over })
    }

    async fn present(&self, owner: &Owner, session: &SessionId) -> Result<Title> {
        let stored = self.stored(owner, session).await?.and_then(|row| row.title);
        let mut says = stored.clone();
        if let Some(bytes) = &mut says {
            self.keys.open(owner, Place::Title(session), bytes).await?;
        }
        Ok((says, stored))
    }

    async fn import(&self, owner: &Owner, session: Imported, after: Seq, mut rows: Vec<Row>) -> Result<Op> {
        let id = session.id.clone();
        let session = Imported {
            title: self.may(owner, Place::Title(&id), session.title).await?,
            pin: self.may(owner, Place::Pin(&id), session.pin).await?,
            meta: self.may(owner, Place::Meta(&id), session.meta).await?,
            ..session
        };
        for row in &mut rows {
            // The store does not keep it.
            row.turn = None;
            row.body = self.keys.seal(owner, super::view::place(&id, row), &row.body).await?;
        }
        Ok(Op::Import { session: Box::new(session), after, rows })
    }
}

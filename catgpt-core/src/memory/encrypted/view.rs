//! Opening what the store answers.

use super::Encrypted;
use crate::encryption::{ENVELOPE, Place};
use crate::error::Result;
use crate::id::{Owner, SessionId};
use crate::memory::{Answer, Chunk, Limit, Opened, Query, Read, Row, SessionRow, View};
use crate::message::{Role, Status};

/// Where a message stands.
pub(super) fn place<'a>(session: &'a SessionId, row: &Row) -> Place<'a> {
    match (row.turn, row.role) {
        (Some(turn), role) => Place::Message(turn, role),
        (None, Role::Summary) => Place::Summary(session, row.parent),
        (None, role) => Place::Imported(session, row.seq, role),
    }
}

/// The limit for the store, in which as many messages fit whatever sealing has added to them.
pub(super) fn widened(limit: Limit) -> Limit {
    let around = u64::from(limit.messages.max(1)).saturating_mul(ENVELOPE as u64);
    Limit { bytes: limit.bytes.saturating_add(around), ..limit }
}

/// Leaves as many as the limit allows, but at least one, counted from one end; says whether some are gone.
fn cut(rows: &mut Vec<Row>, limit: u64, newest: bool) -> bool {
    let (mut fit, mut bytes) = (0, 0);
    let lengths: Vec<_> = rows.iter().map(|row| row.body.len() as u64).collect();
    for at in 0..lengths.len() {
        bytes += lengths[if newest { lengths.len() - 1 - at } else { at }];
        if at > 0 && bytes > limit {
            break;
        }
        fit += 1;
    }
    let gone = rows.len() - fit;
    if newest {
        rows.drain(..gone);
    }
    rows.truncate(fit);
    gone > 0
}

fn parts(row: &SessionRow) -> impl Iterator<Item = &[u8]> {
    [&row.title, &row.pin, &row.meta].into_iter().flatten().map(Vec::as_slice)
}

impl Encrypted {
    pub(super) async fn opened(&self, owner: &Owner, mut opened: Opened, limit: Limit) -> Result<Opened> {
        let rows = opened.window.iter().chain(&opened.summary);
        self.keys.warm(owner, rows.map(|row| row.body.as_slice()).chain(parts(&opened.session))).await;
        self.session(owner, &mut opened.session).await?;
        let session = opened.session.id.clone();
        for row in opened.window.iter_mut().chain(&mut opened.summary) {
            self.row(owner, Some(&session), row).await?;
        }
        cut(&mut opened.window, limit.bytes, true);
        Ok(opened)
    }

    /// What was read. `bodies`: whether the messages have any.
    pub(super) async fn view(&self, owner: &Owner, mut view: View, bodies: bool) -> Result<View> {
        let rows = view.rows.iter().map(|row| row.body.as_slice());
        let chunks = view.chunks.iter().map(|chunk| chunk.body.as_slice());
        self.keys.warm(owner, rows.chain(chunks).chain(parts(&view.session))).await;
        self.session(owner, &mut view.session).await?;
        let session = view.session.id.clone();
        let turn = view.rows.iter().find(|row| row.status == Status::Running).and_then(|row| row.turn);
        for row in view.rows.iter_mut().filter(|_| bodies) {
            self.row(owner, Some(&session), row).await?;
        }
        for Chunk { from, to, body } in &mut view.chunks {
            // Pieces without a running reply mean nothing to anybody.
            let Some(turn) = turn else { continue };
            self.keys.open(owner, Place::Chunk(turn, *from, *to), body).await?;
        }
        Ok(view)
    }

    /// Cuts what was read to the limit for its content.
    pub(super) fn within(read: &Read, mut view: View) -> View {
        let (bytes, newest) = match read {
            Read::Branch { limit, .. } => (limit.bytes, true),
            Read::Tree { limit, bodies: true, .. } => (limit.bytes, false),
            _ => return view,
        };
        view.more |= cut(&mut view.rows, bytes, newest);
        if !view.rows.iter().any(|row| row.status == Status::Running) {
            view.chunks.clear();
        }
        view
    }

    pub(super) async fn sessions(&self, owner: &Owner, rows: &mut [SessionRow]) -> Result<()> {
        self.keys.warm(owner, rows.iter().flat_map(parts)).await;
        for row in rows {
            self.session(owner, row).await?;
        }
        Ok(())
    }

    pub(super) async fn session(&self, owner: &Owner, row: &mut SessionRow) -> Result<()> {
        let SessionRow { id, title, pin, meta, .. } = row;
        let parts = [(title, Place::Title(id)), (pin, Place::Pin(id)), (meta, Place::Meta(id))];
        for (bytes, place) in parts {
            if let Some(bytes) = bytes {
                self.keys.open(owner, place, bytes).await?;
            }
        }
        Ok(())
    }

    /// A reply that runs has no body yet. Without its session, only what a turn wrote can be opened.
    pub(super) async fn row(&self, owner: &Owner, session: Option<&SessionId>, row: &mut Row) -> Result<()> {
        if row.status == Status::Running && row.body.is_empty() {
            return Ok(());
        }
        let place = match (session, row.turn) {
            (Some(session), _) => place(session, row),
            (None, Some(turn)) => Place::Message(turn, row.role),
            (None, None) => return Ok(()),
        };
        self.keys.open(owner, place, &mut row.body).await
    }

    /// A session as the store has it.
    pub(super) async fn stored(&self, owner: &Owner, session: &SessionId) -> Result<Option<SessionRow>> {
        match self.store.query(owner, Query::Session { session: session.clone() }).await {
            Ok(Answer::Sessions { rows, .. }) => Ok(rows.into_iter().next()),
            Err(error) if error.kind() == crate::ErrorKind::NotFound => Ok(None),
            other => other.map(|_| None),
        }
    }

    /// Who had a session before its owner took it over.
    pub(super) async fn former(&self, owner: &Owner, session: &SessionId) -> Result<Option<Owner>> {
        let Some(row) = self.stored(owner, session).await? else { return Ok(None) };
        let former = parts(&row).find_map(|bytes| self.keys.former(bytes));
        if former.is_some() {
            // That it says so is believed once it opens.
            self.session(owner, &mut row.clone()).await?;
        }
        Ok(former)
    }
}

//! One session: its tree, the turn that runs in it, and what it weighs.

use std::iter;
use std::sync::Arc;

use super::state::Time;
use crate::error::{Error, Result};
use crate::id::{Seq, SessionId, TurnId};
use crate::memory::{Begin, Chunk, Limit, Parent, Row, SessionRow};
use crate::message::{Role, Status};

/// What a row or a session weighs beside its bytes, roughly.
const OVERHEAD: u64 = 256;

/// A session. Cloning it is cheap, which is what undoing rests on.
#[derive(Clone, Debug)]
pub(super) struct Session {
    id: SessionId,
    pub(super) title: Option<Vec<u8>>,
    pub(super) pin: Option<Vec<u8>>,
    pub(super) head: Option<Seq>,
    pub(super) version: u64,
    pub(super) running: Option<Running>,
    tree: Arc<Vec<Row>>,
    /// What the tree and the pieces weigh.
    content: u64,
    created_ms: i64,
    updated_ms: i64,
}

/// The turn that runs in a session.
#[derive(Clone, Debug)]
pub(super) struct Running {
    pub(super) turn: TurnId,
    pub(super) reply: Seq,
    pub(super) user: Option<Seq>,
    pub(super) created: bool,
    pub(super) until: Time,
    pub(super) cancel: bool,
    pub(super) chunks: Arc<Vec<Chunk>>,
}

impl Session {
    pub(super) fn new(id: SessionId, now_ms: i64) -> Self {
        Self {
            id,
            title: None,
            pin: None,
            head: None,
            version: 0,
            running: None,
            tree: Arc::default(),
            content: 0,
            created_ms: now_ms,
            updated_ms: now_ms,
        }
    }

    /// The session as it stands at this moment.
    pub(super) fn row(&self, now: Time) -> SessionRow {
        SessionRow {
            id: self.id.clone(),
            title: self.title.clone(),
            pin: self.pin.clone(),
            head: self.head,
            version: self.version,
            messages: self.tree.len() as u64,
            running: self.running.as_ref().map(|running| running.turn),
            expired: self.running.as_ref().is_some_and(|running| running.expired(now)),
            created_ms: self.created_ms,
            updated_ms: self.updated_ms,
            meta: None,
            pinned: false,
            archived: false,
            ttl: None,
            summary: None,
            reserved: Vec::new(),
        }
    }

    pub(super) fn updated_ms(&self) -> i64 {
        self.updated_ms
    }

    pub(super) fn id(&self) -> &SessionId {
        &self.id
    }

    pub(super) fn weight(&self) -> u64 {
        let meta = [&self.title, &self.pin].into_iter().flatten().map(|bytes| bytes.len() as u64);
        OVERHEAD + self.content + meta.sum::<u64>()
    }

    /// What a begin adds to the weight.
    pub(super) fn weight_of(begin: &Begin) -> u64 {
        let message = begin.message.as_ref().map_or(0, |message| OVERHEAD + message.len() as u64);
        message + OVERHEAD + (begin.model.len() + begin.pin.body.len()) as u64
    }

    pub(super) fn changed(&mut self, now_ms: i64) {
        self.version += 1;
        self.updated_ms = now_ms;
    }

    pub(super) fn rows(&self) -> &[Row] {
        &self.tree
    }

    pub(super) fn get(&self, seq: Seq) -> Option<&Row> {
        self.tree.get(usize::try_from(seq).ok()?.checked_sub(1)?)
    }

    fn find(&self, seq: Seq) -> Result<&Row> {
        self.get(seq).ok_or_else(|| Error::not_found("message").with("seq", seq))
    }

    /// The message that a new turn follows. With `answer` it must be the user's.
    pub(super) fn above(&self, parent: Parent, answer: bool) -> Result<Option<Seq>> {
        let above = match parent {
            Parent::Head => self.head,
            Parent::Under(seq) => Some(self.find(seq)?.seq),
            Parent::Beside(seq) => {
                let beside = seq.or(self.head).ok_or_else(|| Error::not_found("message"))?;
                self.find(beside)?.parent
            }
        };
        let asked = above.and_then(|seq| self.get(seq)).is_some_and(|row| row.role == Role::User);
        match answer && !asked {
            true => Err(Error::invalid("only a user's message can be answered again; name one")),
            false => Ok(above),
        }
    }

    /// Adds a message, gives it its number and moves the head there.
    pub(super) fn push(&mut self, row: Row) -> Seq {
        let seq = self.tree.len() as Seq + 1;
        self.content += OVERHEAD + (row.body.len() + row.model.as_ref().map_or(0, String::len)) as u64;
        Arc::make_mut(&mut self.tree).push(Row { seq, ..row });
        self.head = Some(seq);
        seq
    }

    /// Adds a piece to the running reply.
    pub(super) fn keep(&mut self, chunk: Chunk) {
        self.content += chunk.body.len() as u64;
        if let Some(running) = &mut self.running {
            Arc::make_mut(&mut running.chunks).push(chunk);
        }
    }

    /// Puts the end of the running turn in the place of its pieces.
    pub(super) fn end(&mut self, end: impl FnOnce(&mut Row)) {
        let Some(running) = self.running.take() else { return };
        self.content -= running.weight();
        let index = usize::try_from(running.reply - 1).unwrap_or(usize::MAX);
        if let Some(row) = Arc::make_mut(&mut self.tree).get_mut(index) {
            end(row);
            self.content += row.body.len() as u64;
        }
    }

    /// The newest messages of the branch that ends at `head`, oldest first, and whether there are older ones.
    pub(super) fn branch(&self, head: Option<Seq>, limit: Limit) -> Result<(Vec<Row>, bool)> {
        let newest = head.or(self.head).map(|seq| self.find(seq)).transpose()?;
        let (mut rows, more) = take(iter::successors(newest, |row| self.get(row.parent?)), limit);
        rows.reverse();
        Ok((rows, more))
    }

    /// The messages of all branches after `after`, and whether there are more.
    pub(super) fn all(&self, after: Seq, limit: Limit) -> (Vec<Row>, bool) {
        let known = usize::try_from(after).unwrap_or(usize::MAX).min(self.tree.len());
        take(self.tree[known..].iter(), limit)
    }
}

impl Running {
    pub(super) fn expired(&self, now: Time) -> bool {
        self.until <= now
    }

    /// Where the next piece begins.
    pub(super) fn end(&self) -> u64 {
        self.chunks.last().map_or(0, |chunk| chunk.to)
    }

    /// What its pieces weigh.
    pub(super) fn weight(&self) -> u64 {
        self.chunks.iter().map(|chunk| chunk.body.len() as u64).sum()
    }
}

/// A message before it has its number.
pub(super) fn row(parent: Option<Seq>, turn: TurnId, role: Role, status: Status, now_ms: i64) -> Row {
    let turn = Some(turn);
    Row { seq: 0, parent, turn, role, status, body: Vec::new(), model: None, usage: None, created_ms: now_ms }
}

/// Takes rows as long as the limit allows, but at least one, and says whether some are left.
fn take<'a>(rows: impl Iterator<Item = &'a Row>, limit: Limit) -> (Vec<Row>, bool) {
    let (mut taken, mut bytes) = (Vec::new(), 0);
    for row in rows {
        bytes += row.body.len() as u64;
        if !taken.is_empty() && (taken.len() >= limit.messages as usize || bytes > limit.bytes) {
            return (taken, true);
        }
        taken.push(row.clone());
    }
    (taken, false)
}

//! One session: its tree, the turn that runs in it, and what it weighs.

use std::iter;
use std::sync::Arc;
use std::time::Duration;

use sha2::{Digest, Sha256};

use super::search::Index;
use super::state::{Place, Time, millis};
use crate::error::{Error, ErrorKind, Result};
use crate::id::{Owner, Seq, SessionId, TurnId};
use crate::memory::{Begin, Chunk, Imported, Limit, NewRow, Parent, Resealed, Reserved, Row, SessionRow, Stored};
use crate::message::{Role, Status};

/// What a row or a session weighs beside its bytes, roughly.
const OVERHEAD: u64 = 256;

/// A session. Cloning it is cheap, which is what undoing rests on.
#[derive(Clone, Debug)]
pub(super) struct Session {
    id: SessionId,
    pub(super) title: Option<Vec<u8>>,
    pub(super) pin: Option<Vec<u8>>,
    pub(super) meta: Option<Vec<u8>>,
    pub(super) pinned: bool,
    pub(super) archived: bool,
    pub(super) ttl: Option<Duration>,
    pub(super) head: Option<Seq>,
    pub(super) summary: Option<Seq>,
    pub(super) version: u64,
    pub(super) running: Option<Running>,
    pub(super) index: Index,
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
    pub(super) reserved: Vec<Reserved>,
}

impl Session {
    pub(super) fn new(id: SessionId, now_ms: i64) -> Self {
        Self {
            id,
            title: None,
            pin: None,
            meta: None,
            pinned: false,
            archived: false,
            ttl: None,
            head: None,
            summary: None,
            version: 0,
            running: None,
            index: Index::default(),
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
            meta: self.meta.clone(),
            pinned: self.pinned,
            archived: self.archived,
            ttl: self.ttl,
            head: self.head,
            summary: self.summary,
            version: self.version,
            messages: self.tree.len() as u64,
            running: self.running.as_ref().map(|running| running.turn),
            expired: self.running.as_ref().is_some_and(|running| running.expired(now)),
            reserved: self.running.as_ref().map(|running| running.reserved.clone()).unwrap_or_default(),
            created_ms: self.created_ms,
            updated_ms: self.updated_ms,
        }
    }

    pub(super) fn created_ms(&self) -> i64 {
        self.created_ms
    }

    pub(super) fn updated_ms(&self) -> i64 {
        self.updated_ms
    }

    pub(super) fn id(&self) -> &SessionId {
        &self.id
    }

    pub(super) fn weight(&self) -> u64 {
        let bytes = [&self.title, &self.pin, &self.meta].into_iter().flatten().map(|bytes| bytes.len() as u64);
        let reserved = self.running.iter().flat_map(|running| &running.reserved);
        let reserved = reserved.map(|reserved| weight_of_counter(&reserved.name, &reserved.key));
        OVERHEAD + self.content + self.index.weight() + bytes.sum::<u64>() + reserved.sum::<u64>()
    }

    /// What a begin adds to the weight.
    pub(super) fn weight_of(begin: &Begin) -> u64 {
        let message = begin.message.as_ref().map_or(0, |message| OVERHEAD + message.len() as u64);
        let reserve = begin.reserve.iter().map(|counter| weight_of_counter(&counter.name, &counter.key));
        let title = begin.title.as_ref().map_or(0, Vec::len);
        message + OVERHEAD + (begin.model.len() + begin.pin.body.len() + title) as u64 + reserve.sum::<u64>()
    }

    pub(super) fn changed(&mut self, now_ms: i64) {
        self.version += 1;
        self.updated_ms = now_ms;
    }

    /// Whether it has outlived its time to live.
    pub(super) fn due(&self, now_ms: i64) -> bool {
        let due = |ttl| self.updated_ms.saturating_add(millis(ttl)) <= now_ms;
        self.running.is_none() && self.ttl.is_some_and(due)
    }

    /// Refuses what was decided on at another version.
    pub(super) fn at(&self, version: Option<u64>) -> Result<()> {
        if version.is_none_or(|version| version == self.version) {
            return Ok(());
        }
        let text = "the session has changed; read it again";
        Err(Error::new(ErrorKind::Conflict, text).with("version", self.version))
    }

    /// Refuses what must not happen while a turn runs.
    pub(super) fn idle(&self) -> Result<()> {
        let Some(running) = &self.running else { return Ok(()) };
        let text = "a turn runs in this session; wait for its end, or cancel it";
        Err(Error::new(ErrorKind::Busy, text).with("session", &self.id).with_turn(running.turn))
    }

    /// Every turn of an owner's session, and where its reply is.
    pub(super) fn turns(&self, owner: &Owner) -> impl Iterator<Item = (TurnId, Place)> {
        let replies = self.tree.iter().filter(|row| row.role == Role::Assistant);
        replies.filter_map(|row| {
            Some((row.turn?, Place { owner: owner.clone(), session: self.id.clone(), reply: row.seq }))
        })
    }

    pub(super) fn rows(&self) -> &[Row] {
        &self.tree
    }

    pub(super) fn get(&self, seq: Seq) -> Option<&Row> {
        self.tree.get(usize::try_from(seq).ok()?.checked_sub(1)?)
    }

    pub(super) fn find(&self, seq: Seq) -> Result<&Row> {
        self.get(seq).ok_or_else(|| Error::not_found("message").with("seq", seq))
    }

    /// The message that a new turn follows. A turn that asks nothing answers a user's, or goes on from a reply.
    pub(super) fn above(&self, parent: Parent, asks: bool) -> Result<Option<Seq>> {
        let above = match parent {
            Parent::Head => self.head,
            Parent::Under(seq) => Some(self.find(seq)?.seq),
            Parent::Beside(seq) => {
                let beside = seq.or(self.head).ok_or_else(|| Error::not_found("message"))?;
                self.find(beside)?.parent
            }
        };
        let role = above.and_then(|seq| self.get(seq)).map(|row| row.role);
        match (role, parent) {
            _ if asks => Ok(above),
            (Some(Role::User), _) | (Some(Role::Assistant), Parent::Head | Parent::Under(_)) => Ok(above),
            _ => Err(Error::invalid("only a user's message can be answered, and only a reply gone on from; name one")),
        }
    }

    /// Adds a message, gives it its number and moves the head there.
    pub(super) fn push(&mut self, row: Row) -> Seq {
        let seq = self.add(row);
        self.head = Some(seq);
        seq
    }

    /// Adds a message and gives it its number.
    pub(super) fn add(&mut self, row: Row) -> Seq {
        let seq = self.tree.len() as Seq + 1;
        self.content += OVERHEAD + (row.body.len() + row.model.as_ref().map_or(0, String::len)) as u64;
        Arc::make_mut(&mut self.tree).push(Row { seq, ..row });
        seq
    }

    /// Gives it another title, which is not findable yet.
    pub(super) fn entitle(&mut self, title: Option<Vec<u8>>) {
        if self.title != title {
            self.title = title;
            self.index.retitled();
        }
    }

    /// Puts other bytes in the place of those that are there, if they are what they were; says how often.
    pub(super) fn reseal(&mut self, resealed: Vec<Resealed>) -> u64 {
        let mut done = 0;
        for Resealed { part, was, bytes } in resealed {
            let place = match part {
                Stored::Title => self.title.as_mut(),
                Stored::Pin => self.pin.as_mut(),
                Stored::Meta => self.meta.as_mut(),
                Stored::Message(seq) => {
                    let at = usize::try_from(seq).unwrap_or(usize::MAX).wrapping_sub(1);
                    let ended = |row: &&mut Row| row.status != Status::Running;
                    Arc::make_mut(&mut self.tree).get_mut(at).filter(ended).map(|row| &mut row.body)
                }
            };
            let Some(place) = place.filter(|place| <[u8; 32]>::from(Sha256::digest(&place[..])) == was) else {
                continue;
            };
            if matches!(part, Stored::Message(_)) {
                self.content = self.content - place.len() as u64 + bytes.len() as u64;
            }
            *place = bytes;
            done += 1;
        }
        done
    }

    /// Adds messages from elsewhere, and becomes what the session was there.
    pub(super) fn import(&mut self, session: Imported, rows: Vec<Row>) {
        for row in rows {
            self.add(Row { turn: None, ..row });
        }
        let Imported { id: _, title, pin, meta, pinned, archived, head, created_ms, updated_ms } = session;
        self.entitle(title);
        (self.pin, self.meta, self.pinned, self.archived, self.head) = (pin, meta, pinned, archived, head);
        self.changed(updated_ms);
        self.created_ms = created_ms;
    }

    /// Adds messages after `parent`, and shows the branch that they end.
    pub(super) fn append(&mut self, parent: Option<Seq>, rows: Vec<NewRow>, title: Option<Vec<u8>>, now_ms: i64) {
        if self.tree.is_empty() && self.title.is_none() && title.is_some() {
            self.entitle(title);
        }
        self.head = parent;
        for NewRow { role, status, body, model, usage } in rows {
            let (seq, parent) = (0, self.head);
            self.push(Row { seq, parent, turn: None, role, status, body, model, usage, created_ms: now_ms });
        }
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
    pub(super) fn all(&self, after: Seq, limit: Limit, bodies: bool) -> (Vec<Row>, bool) {
        let known = usize::try_from(after).unwrap_or(usize::MAX).min(self.tree.len());
        if bodies {
            return take(self.tree[known..].iter(), limit);
        }
        let most = limit.messages.max(1) as usize;
        let bare = |row: &Row| Row { body: Vec::new(), model: row.model.clone(), ..*row };
        (self.tree[known..].iter().take(most).map(bare).collect(), self.tree.len() - known > most)
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

fn weight_of_counter(name: &str, key: &str) -> u64 {
    OVERHEAD + (name.len() + key.len()) as u64
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

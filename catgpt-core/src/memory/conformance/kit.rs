//! What behaviours are written with: one owner's hands, short words for calls, and waiting that ends.

use std::fmt::Debug;
use std::future::Future;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::Store;
use crate::error::{ErrorKind, Result};
use crate::event::Change;
use crate::id::{OpId, Owner, Seq, SessionId, TurnId};
use crate::memory::{
    Answer, Begin, Begun, Checkpoint, Counter, CounterId, Done, Finish, GroupBy, Hit, Imported, Kept, Limit, Memory,
    Op, Opened, Parent, Pin, Query, Read, Row, Sealed, SessionRow, Spent, Terms, Unindexed, Unit, View,
};
use crate::message::{Offset, Role, Status};

/// A lease that does not run out while a behaviour is checked.
pub(super) const LONG: Duration = Duration::from_secs(600);
/// A lease that is meant to run out; nothing may rest on its being alive.
pub(super) const SHORT: Duration = Duration::from_millis(60);
/// All of a session.
pub(in crate::memory) const WHOLE: Limit = Limit { messages: 10_000, bytes: 1 << 40 };

pub(in crate::memory) fn id(session: &str) -> SessionId {
    SessionId::new(session).unwrap()
}

/// A new turn after the head of the session.
pub(in crate::memory) fn say(session: &str, text: &str) -> Begin {
    Begin {
        session: id(session),
        turn: TurnId::fresh(),
        key: None,
        parent: Parent::Head,
        if_version: None,
        message: Some(text.into()),
        title: None,
        model: "tabby".into(),
        pin: Pin { body: b"persona".to_vec(), replace: false },
        lease: LONG,
        window: WHOLE,
        ttl: None,
        reserve: Vec::new(),
        max_running: None,
    }
}

/// A new turn that answers an older message again.
pub(super) fn answer_again(session: &str, parent: Parent) -> Begin {
    Begin { parent, message: None, ..say(session, "") }
}

pub(in crate::memory) fn end(turn: TurnId, text: &str) -> Finish {
    Finish {
        turn,
        status: Status::Complete,
        body: text.into(),
        usage: None,
        cost: 0,
        settle: Vec::new(),
        if_expired: false,
    }
}

/// Long ago: 2001-09-09.
pub(super) const THEN: i64 = 1_000_000_000_000;

/// A session from elsewhere.
pub(in crate::memory) fn imported(session: &str, head: Option<Seq>) -> Imported {
    Imported {
        id: id(session),
        title: None,
        pin: None,
        meta: None,
        pinned: false,
        archived: false,
        head,
        created_ms: THEN,
        updated_ms: THEN,
    }
}

/// A message from elsewhere.
pub(in crate::memory) fn row(seq: Seq, parent: Option<Seq>, role: Role) -> Row {
    Row {
        seq,
        parent,
        turn: None,
        role,
        status: Status::Complete,
        body: format!("{role} {seq}").into_bytes(),
        model: (role == Role::Assistant).then(|| "old model".into()),
        usage: None,
        created_ms: THEN + i64::try_from(seq).unwrap(),
    }
}

/// What ends a turn whose writer is gone.
pub(super) fn bury(turn: TurnId, text: &str) -> Finish {
    Finish { status: Status::Interrupted, if_expired: true, ..end(turn, text) }
}

pub(in crate::memory) fn piece(turn: TurnId, from: Offset, text: &str) -> Checkpoint {
    Checkpoint { turn, from, to: from + text.len() as u64, body: text.into(), lease: LONG, sync: false }
}

/// A counter of turns whose window does not end while a behaviour is checked.
pub(super) fn ever(name: &str, key: &str) -> Counter {
    let window = Duration::from_secs(1000 * 365 * 24 * 60 * 60);
    Counter { name: name.into(), key: key.into(), window, add: 1, limit: 1000, unit: Unit::Turns }
}

/// How far a counter has come.
pub(super) async fn count(user: &User, counter: &Counter) -> u64 {
    user.counts(&[counter]).await[0]
}

/// The words of a message.
pub(super) fn terms(seq: Seq, words: &str) -> Terms {
    Terms { seq, terms: words.split(' ').map(str::to_owned).collect() }
}

#[track_caller]
pub(in crate::memory) fn fails<T: Debug>(result: Result<T>, kind: ErrorKind) {
    match result {
        Err(error) if error.kind() == kind => {}
        other => panic!("expected {kind}, got {other:?}"),
    }
}

#[track_caller]
pub(in crate::memory) fn opened(begun: Result<Begun>) -> Opened {
    match begun {
        Ok(Begun::Started(opened)) => *opened,
        other => panic!("expected Started, got {other:?}"),
    }
}

/// Asks until the answer is yes. Times of a store are its own, so nothing may be concluded from a sleep.
pub(super) async fn until<F: Future<Output = bool>>(what: &str, mut ask: impl FnMut() -> F) {
    let deadline = Instant::now() + Duration::from_secs(20);
    while !ask().await {
        assert!(Instant::now() < deadline, "waited too long until {what}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// One owner and a handle on the store.
#[derive(Clone, Debug)]
pub(super) struct User {
    pub(super) memory: Arc<dyn Memory>,
    pub(super) owner: Owner,
}

/// All that an owner can see.
#[derive(Debug, PartialEq)]
pub(super) struct Everything {
    pub(super) sessions: Vec<SessionRow>,
    pub(super) trees: Vec<View>,
    pub(super) turns: Vec<(SessionId, TurnId)>,
    pub(super) changes: Vec<Change>,
}

/// The same, and what does not stand in its lists.
#[derive(Debug, PartialEq)]
pub(super) struct All {
    everything: Everything,
    archived: Vec<SessionRow>,
    unindexed: Vec<Unindexed>,
    ledger: Vec<Spent>,
}

pub(super) fn user(store: &dyn Store) -> User {
    User::of(&store.memory(), "ann")
}

impl User {
    pub(super) fn of(memory: &Arc<dyn Memory>, name: &str) -> Self {
        Self { memory: memory.clone(), owner: Owner::new(name).unwrap() }
    }

    pub(super) async fn begin(&self, begin: Begin) -> Result<Begun> {
        self.memory.begin_turn(&self.owner, begin).await
    }

    /// Begins a turn that must start.
    pub(super) async fn start(&self, begin: Begin) -> Opened {
        opened(self.begin(begin).await)
    }

    /// Begins a turn that must start, and keeps its id.
    pub(super) async fn run(&self, begin: Begin) -> (TurnId, Opened) {
        (begin.turn, self.start(begin).await)
    }

    /// A whole turn; the reply is `re: ` and the text.
    pub(super) async fn talk(&self, session: &str, text: &str) -> Opened {
        self.whole(say(session, text)).await
    }

    /// A whole turn of any kind.
    pub(super) async fn whole(&self, begin: Begin) -> Opened {
        let text = format!("re: {}", String::from_utf8_lossy(begin.message.as_deref().unwrap_or(b"again")));
        let (turn, opened) = self.run(begin).await;
        assert_eq!(self.finish(end(turn, &text)).await.unwrap(), Sealed::Now);
        opened
    }

    pub(super) async fn finish(&self, finish: Finish) -> Result<Sealed> {
        self.memory.finish_turn(&self.owner, finish).await
    }

    pub(super) async fn keep(&self, checkpoint: Checkpoint) -> Result<Kept> {
        self.memory.checkpoint(&self.owner, checkpoint).await
    }

    /// As many, where there is a search; else none.
    pub(super) fn hits(&self, many: usize) -> usize {
        if self.memory.caps().search { many } else { 0 }
    }

    /// Without what a store that has no search refuses.
    pub(super) fn able(&self, mut ops: Vec<Op>) -> Vec<Op> {
        ops.retain(|op| self.memory.caps().search || !matches!(op, Op::Index { .. }));
        ops
    }

    pub(super) async fn apply(&self, ops: Vec<Op>) -> Result<Vec<Done>> {
        self.memory.apply(&self.owner, OpId::fresh(), ops).await
    }

    pub(super) async fn read(&self, read: Read) -> Result<View> {
        self.memory.read(&self.owner, read).await
    }

    pub(super) async fn branch(&self, session: &str, head: Option<Seq>) -> View {
        self.read(Read::Branch { session: id(session), head, limit: WHOLE }).await.unwrap()
    }

    pub(super) async fn tree(&self, session: &str) -> View {
        self.read(Read::Tree { session: id(session), after: 0, limit: WHOLE, bodies: true }).await.unwrap()
    }

    pub(super) async fn tail(&self, turn: TurnId, from: Offset) -> Result<View> {
        self.read(Read::Tail { turn, from }).await
    }

    pub(super) async fn query(&self, query: Query) -> Result<Answer> {
        self.memory.query(&self.owner, query).await
    }

    pub(super) async fn session(&self, session: &str) -> Result<SessionRow> {
        match self.query(Query::Session { session: id(session) }).await? {
            Answer::Sessions { mut rows, more: false } if rows.len() == 1 => Ok(rows.remove(0)),
            other => panic!("expected one session, got {other:?}"),
        }
    }

    pub(super) async fn sessions(&self) -> Vec<SessionRow> {
        match self.query(Query::Sessions { after: None, limit: 10_000, archived: false }).await.unwrap() {
            Answer::Sessions { rows, more: false } => rows,
            other => panic!("expected all sessions, got {other:?}"),
        }
    }

    /// What was used, told apart as far as it can be.
    pub(super) async fn ledger(&self) -> Vec<Spent> {
        self.spent(&[GroupBy::Day, GroupBy::Session, GroupBy::Model, GroupBy::Purpose]).await
    }

    /// What was used, summed up.
    pub(super) async fn spent(&self, by: &[GroupBy]) -> Vec<Spent> {
        let usage = Query::Usage { from_ms: None, to_ms: None, session: None, by: by.to_vec() };
        match self.query(usage).await.unwrap() {
            Answer::Usage(spent) => spent,
            other => panic!("expected sums, got {other:?}"),
        }
    }

    /// How far counters have come.
    pub(super) async fn counts(&self, counters: &[&Counter]) -> Vec<u64> {
        let id = |counter: &&Counter| CounterId {
            name: counter.name.clone(),
            key: counter.key.clone(),
            window: counter.window,
        };
        match self.query(Query::Counters(counters.iter().map(id).collect())).await.unwrap() {
            Answer::Counters(counts) => counts,
            other => panic!("expected counts, got {other:?}"),
        }
    }

    /// One page of what has all these words.
    pub(super) async fn search(
        &self,
        words: &str,
        prefix: bool,
        after: Option<String>,
        limit: u32,
    ) -> (Vec<Hit>, Option<String>) {
        let terms = words.split(' ').map(str::to_owned).collect();
        match self.query(Query::Search { terms, prefix, after, limit }).await.unwrap() {
            Answer::Hits { hits, next } => (hits, next),
            other => panic!("expected hits, got {other:?}"),
        }
    }

    /// Where all these words stand: the session, and the message if it is not the title. Nowhere in a store without
    /// search, as [`has_search`](super::search::has_search) checks.
    pub(super) async fn found(&self, words: &str) -> Vec<(String, Option<Seq>)> {
        if !self.memory.caps().search {
            return Vec::new();
        }
        let (hits, next) = self.search(words, false, None, 1000).await;
        assert_eq!(next, None);
        hits.into_iter().map(|hit| (hit.session.id.to_string(), hit.row.map(|row| row.seq))).collect()
    }

    /// What is not indexed, in the order of the sessions.
    pub(super) async fn unindexed(&self) -> Vec<Unindexed> {
        if !self.memory.caps().search {
            return Vec::new();
        }
        match self.query(Query::Unindexed { limit: 1000 }).await.unwrap() {
            Answer::Unindexed(mut sessions) => {
                sessions.sort_by(|a, b| a.session.cmp(&b.session));
                sessions
            }
            other => panic!("expected what is not indexed, got {other:?}"),
        }
    }

    pub(super) async fn turns(&self) -> Vec<(SessionId, TurnId)> {
        match self.query(Query::Turns).await.unwrap() {
            Answer::Turns(turns) => turns,
            other => panic!("expected turns, got {other:?}"),
        }
    }

    pub(super) async fn changes(&self, after: u64, limit: u32) -> Vec<Change> {
        match self.query(Query::Changes { after, limit }).await.unwrap() {
            Answer::Changes(changes) => changes,
            other => panic!("expected changes, got {other:?}"),
        }
    }

    /// All that the owner can see: equal before and after a call that wrote nothing.
    pub(super) async fn everything(&self) -> Everything {
        let sessions = self.sessions().await;
        let mut trees = Vec::new();
        for row in &sessions {
            trees.push(self.tree(row.id.as_str()).await);
        }
        Everything { sessions, trees, turns: self.turns().await, changes: self.changes(0, 10_000).await }
    }

    /// The same, and what does not stand in its lists.
    pub(super) async fn all(&self) -> All {
        let archived = match self.query(Query::Sessions { after: None, limit: 10_000, archived: true }).await.unwrap() {
            Answer::Sessions { rows, more: false } => rows,
            other => panic!("expected all sessions, got {other:?}"),
        };
        let (unindexed, ledger) = (self.unindexed().await, self.ledger().await);
        All { everything: self.everything().await, archived, unindexed, ledger }
    }

    /// Waits until the turn's lease has run out by the store's clock.
    pub(super) async fn outlive(&self, turn: TurnId) {
        until("the lease runs out", || async { self.tail(turn, 0).await.unwrap().session.expired }).await;
    }
}

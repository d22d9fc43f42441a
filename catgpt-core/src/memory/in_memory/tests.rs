//! The suite, and what only this backend promises: that it stays small.

mod bounds;
mod faults;

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;

use super::session::Session;
use super::state::{DAY, REMEMBERED};
use super::{InMemory, Limits};
use crate::error::{ErrorKind, Result};
use crate::event::ChangeKind;
use crate::id::{OpId, Owner, TurnId};
use crate::memory::conformance::kit::{WHOLE, end, fails, id, opened, piece, say};
use crate::memory::conformance::{self, Harness, Lacks, Store};
use crate::memory::{Answer, Begin, Begun, Done, Memory, Op, Query, Read, Sealed, View};

pub(in crate::memory) struct Here;
struct One(Arc<InMemory>);

#[async_trait]
impl Harness for Here {
    async fn open(&self) -> Box<dyn Store> {
        Box::new(One(Arc::new(InMemory::new())))
    }
}

#[async_trait]
impl Store for One {
    fn memory(&self) -> Arc<dyn Memory> {
        self.0.clone()
    }
    async fn second(&self) -> Result<Arc<dyn Memory>, Lacks> {
        Ok(self.0.clone())
    }
    async fn reopen(&self) -> Result<Arc<dyn Memory>, Lacks> {
        Err(Lacks("what is in it goes with the process"))
    }
    async fn crash(&self) -> Result<Arc<dyn Memory>, Lacks> {
        Err(Lacks("what is in it goes with the process"))
    }
    async fn set_full(&self, full: bool) -> Result<(), Lacks> {
        let mut state = self.0.lock();
        state.limits.bytes = if full { state.shelf.bytes() } else { Limits::default().bytes };
        Ok(())
    }
    async fn set_read_only(&self, _: bool) -> Result<(), Lacks> {
        Err(Lacks("it can always be written"))
    }
}

crate::conformance_tests!(Here);

#[tokio::test]
async fn it_differs_where_it_says_so_and_nowhere_else() {
    let report = conformance::run(&Here).await;
    let differences: Vec<_> = report.differences.iter().map(|(name, _)| *name).collect();
    let declared = [
        "outage::what_was_answered_survives_a_reopen",
        "outage::what_was_answered_survives_a_crash",
        "outage::a_read_only_store_says_so_and_recovers",
    ];
    assert_eq!(differences, declared, "{report}");
    assert!(report.failed.is_empty() && report.passed.len() + 3 == conformance::ALL.len(), "{report}");
}

/// One owner's calls, without the waiting that the trait asks for.
struct Ann(InMemory, Owner);

impl Ann {
    fn with(limits: Limits) -> Self {
        Self(InMemory::with_limits(limits), Owner::local())
    }

    /// Turns the clock on.
    fn pass(&self, time: Duration) {
        self.0.lock().clock.ahead += time;
    }

    async fn begin(&self, begin: Begin) -> Result<Begun> {
        self.0.begin_turn(&self.1, begin).await
    }

    async fn end(&self, turn: TurnId) {
        assert_eq!(self.0.finish_turn(&self.1, end(turn, "mew")).await.unwrap(), Sealed::Now);
    }

    async fn talk(&self, session: &str, text: &str) {
        let begin = say(session, text);
        let turn = begin.turn;
        opened(self.begin(begin).await);
        self.end(turn).await;
    }

    async fn read(&self, session: &str) -> Result<View> {
        self.0.read(&self.1, Read::Branch { session: id(session), head: None, limit: WHOLE }).await
    }

    async fn rename(&self, session: &str, op: OpId) -> Result<Vec<Done>> {
        self.0
            .apply(&self.1, op, vec![Op::SetTitle { session: id(session), title: Some(vec![b't'; 1000]), over: None }])
            .await
    }

    async fn sessions(&self) -> Vec<String> {
        let Answer::Sessions { rows, .. } =
            self.0.query(&self.1, Query::Sessions { after: None, limit: 100, archived: false }).await.unwrap()
        else {
            unreachable!("sessions were asked for")
        };
        let mut ids: Vec<_> = rows.iter().map(|row| row.id.to_string()).collect();
        ids.sort();
        ids
    }

    async fn changes(&self, after: u64) -> Vec<(u64, ChangeKind)> {
        let Answer::Changes(changes) = self.0.query(&self.1, Query::Changes { after, limit: 100 }).await.unwrap()
        else {
            unreachable!("changes were asked for")
        };
        changes.iter().map(|change| (change.n, change.kind)).collect()
    }
}

fn few(sessions: usize) -> Limits {
    Limits { sessions, ..Limits::default() }
}

#[tokio::test]
async fn the_longest_unused_session_makes_room() {
    let ann = Ann::with(few(3));
    for session in ["a", "b", "c"] {
        ann.talk(session, "hi").await;
    }
    ann.read("a").await.unwrap();
    ann.talk("d", "hi").await;
    assert_eq!(ann.sessions().await, ["a", "c", "d"]);
    ann.rename("c", OpId::fresh()).await.unwrap();
    ann.talk("e", "hi").await;
    assert_eq!(ann.sessions().await, ["c", "d", "e"]);
    let gone = ann.changes(0).await.into_iter().filter(|(_, kind)| *kind == ChangeKind::Deleted);
    assert_eq!(gone.count(), 2);
    // Neither its turns nor its weight stay behind.
    let mut state = ann.0.lock();
    assert_eq!((state.turns.len(), state.shelf.count()), (3, 3));
    for session in ["c", "d", "e"] {
        state.shelf.remove(&ann.1, &id(session));
    }
    assert_eq!(state.shelf.bytes(), 0);
}

#[tokio::test]
async fn a_running_turn_is_never_put_out() {
    let ann = Ann::with(few(2));
    let (a, b) = (say("a", "hi"), say("b", "hi"));
    opened(ann.begin(a.clone()).await);
    opened(ann.begin(b.clone()).await);
    fails(ann.begin(say("c", "hi")).await, ErrorKind::StoreFull);
    fails(ann.0.apply(&ann.1, OpId::fresh(), vec![Op::create(id("c"))]).await, ErrorKind::StoreFull);
    assert_eq!(ann.sessions().await, ["a", "b"]);
    ann.end(b.turn).await;
    opened(ann.begin(say("c", "hi")).await);
    assert_eq!(ann.sessions().await, ["a", "c"]);
    ann.end(a.turn).await;
}

#[tokio::test]
async fn what_it_holds_never_exceeds_its_bytes() {
    let most = 20_000;
    let ann = Ann::with(Limits { bytes: most, ..Limits::default() });
    let mut rng = fastrand::Rng::with_seed(1);
    for step in 0..500 {
        let session = format!("s{}", rng.u8(0..20));
        match rng.u8(0..4) {
            0 => drop(ann.rename(&session, OpId::fresh()).await),
            1 => drop(ann.read(&session).await),
            _ => {
                let begin = say(&session, &"x".repeat(rng.usize(0..3000)));
                let turn = begin.turn;
                if ann.begin(begin).await.is_ok() {
                    ann.0.checkpoint(&ann.1, piece(turn, 0, &"y".repeat(rng.usize(0..500)))).await.unwrap();
                    ann.end(turn).await;
                }
            }
        }
        let state = ann.0.lock();
        assert!(state.shelf.bytes() <= most, "step {step}");
        let weights: u64 = state.shelf.of(&ann.1).map(Session::weight).sum();
        assert_eq!(state.shelf.bytes(), weights, "step {step}");
        let turns: usize = state.shelf.of(&ann.1).map(|session| session.rows().len()).sum();
        assert_eq!(state.turns.len() * 2, turns, "step {step}");
    }
    // What can never fit puts nobody out.
    let before = ann.sessions().await;
    fails(ann.begin(say("huge", &"x".repeat(20_000))).await, ErrorKind::StoreFull);
    assert_eq!(ann.sessions().await, before);
}

#[tokio::test]
async fn unused_sessions_go_with_the_sweep_when_they_are_old() {
    let ann = Ann::with(Limits { ttl: Some(Duration::from_secs(60)), ..Limits::default() });
    ann.talk("old", "hi").await;
    ann.talk("read", "hi").await;
    let running = say("running", "hi");
    opened(ann.begin(running).await);
    ann.pass(Duration::from_secs(40));
    ann.read("read").await.unwrap();
    ann.pass(Duration::from_secs(40));
    let swept = ann.0.sweep(10).await.unwrap();
    assert_eq!((swept.deleted, swept.more), (1, false));
    assert_eq!(ann.sessions().await, ["read", "running"]);
}

#[tokio::test]
async fn keys_and_operations_are_known_for_a_day() {
    let ann = Ann::with(Limits::default());
    let keyed = || Begin { key: Some(("k".into(), [1; 32])), ..say("s", "hi") };
    let first = keyed();
    opened(ann.begin(first.clone()).await);
    ann.end(first.turn).await;
    let op = OpId::fresh();
    let done = ann.rename("s", op).await.unwrap();
    ann.pass(DAY - Duration::from_secs(60));
    assert_eq!(ann.begin(keyed()).await.unwrap(), Begun::Replay { turn: first.turn });
    assert_eq!(ann.rename("s", op).await.unwrap(), done);
    assert_eq!(ann.0.sweep(10).await.unwrap().deleted, 0);
    ann.pass(Duration::from_secs(60));
    // They are forgotten whether or not somebody has swept.
    assert_ne!(ann.rename("s", op).await.unwrap(), done);
    let second = keyed();
    opened(ann.begin(second.clone()).await);
    // The first key, the first operation and four changes are due. The new ones stay.
    let part = ann.0.sweep(3).await.unwrap();
    assert!(part.more);
    let rest = ann.0.sweep(100).await.unwrap();
    assert_eq!((part.deleted + rest.deleted, rest.more), (6, false));
    assert_eq!(ann.begin(keyed()).await.unwrap(), Begun::Replay { turn: second.turn });
}

#[tokio::test]
async fn a_reader_of_changes_misses_nothing_when_old_ones_go() {
    let ann = Ann::with(Limits::default());
    ann.talk("s", "hi").await;
    assert_eq!(ann.changes(0).await.last().unwrap().0, 3);
    ann.pass(DAY);
    assert_eq!(ann.0.sweep(100).await.unwrap().deleted, 3);
    assert_eq!(ann.changes(0).await, []);
    ann.rename("s", OpId::fresh()).await.unwrap();
    assert_eq!(ann.changes(3).await, [(4, ChangeKind::Renamed)]);
}

#[tokio::test]
async fn what_is_remembered_has_a_maximum() {
    let ann = Ann::with(Limits::default());
    ann.talk("s", "hi").await;
    for n in 0..REMEMBERED + 10 {
        let title = Some(n.to_string().into_bytes());
        ann.0.apply(&ann.1, OpId::fresh(), vec![Op::SetTitle { session: id("s"), title, over: None }]).await.unwrap();
    }
    ann.pass(DAY);
    assert_eq!(ann.0.sweep(u32::MAX).await.unwrap().deleted, 2 * REMEMBERED as u64);
}

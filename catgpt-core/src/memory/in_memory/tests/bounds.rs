//! What the newer kinds of data weigh, and how they go.

use std::time::Duration;

use super::super::state::{DAY, REMEMBERED};
use super::super::{InMemory, Limits};
use super::Ann;
use crate::error::Result;
use crate::id::{OpId, Owner, SessionId};
use crate::memory::conformance::kit::{id, imported, opened, row, say};
use crate::memory::{
    Begin, Counter, Done, Finish, Imported, Memory, Op, Purpose, Row, Settle, Terms, TitleTerms, Unit,
};
use crate::message::{Role, Usage};

impl Ann {
    fn bob(&self) -> Owner {
        Owner::new("bob").unwrap()
    }

    async fn apply(&self, ops: Vec<Op>) -> Result<Vec<Done>> {
        self.0.apply(&self.1, OpId::fresh(), ops).await
    }
}

fn counter(key: &str, window: Duration) -> Counter {
    Counter { name: "turns".into(), key: key.into(), window, add: 1, limit: 1000, unit: Unit::Turns }
}

/// Some change of some session, large or small.
fn some_op(rng: &mut fastrand::Rng, session: &str, bob: &Owner) -> Op {
    let session = id(session);
    let bytes = vec![b'x'; rng.usize(0..800)];
    let seq = rng.u64(0..6);
    let words = |n: usize| (0..n).map(|n| format!("word{n}")).collect::<Vec<_>>();
    match rng.u8(0..10) {
        0 => Op::create(session),
        1 => Op::SetMeta { session, meta: rng.bool().then_some(bytes) },
        2 => Op::SetTitle { session, title: rng.bool().then_some(bytes), over: None },
        3 => Op::AddSummary { session, upto: 1, over: None, body: bytes, model: "m".into(), usage: None },
        4 => {
            let messages = vec![Terms { seq: seq + 1, terms: words(rng.usize(0..40)) }];
            let title = Some(TitleTerms { of: None, terms: words(3) });
            Op::Index { session, from: seq, upto: seq + 1, messages, title }
        }
        5 => Op::Delete { session },
        6 => Op::DeleteEmpty { limit: 2 },
        7 => Op::Claim { from: bob.clone() },
        8 => Op::Erase { limit: 1 },
        _ => import(session, bytes),
    }
}

fn import(session: SessionId, body: Vec<u8>) -> Op {
    let facts = Imported { title: Some(body.clone()), ..imported(session.as_str(), Some(1)) };
    Op::Import { session: Box::new(facts), after: 0, rows: vec![Row { body, ..row(1, None, Role::User) }] }
}

/// What is known of turns and weights must follow from the sessions.
fn consistent(memory: &InMemory, owners: &[Owner], step: usize) {
    let state = memory.lock();
    let sessions = || owners.iter().flat_map(|owner| state.shelf.of(owner).map(move |session| (owner, session)));
    assert_eq!(state.shelf.bytes(), sessions().map(|(_, session)| session.weight()).sum::<u64>(), "step {step}");
    assert!(state.shelf.bytes() <= state.limits.bytes, "step {step}");
    assert_eq!(state.shelf.count(), sessions().count(), "step {step}");
    let mut turns = 0;
    for (owner, session) in sessions() {
        for (turn, place) in session.turns(owner) {
            let known = &state.turns[&turn];
            assert_eq!((&known.owner, &known.session, known.reply), (owner, session.id(), place.reply), "step {step}");
            turns += 1;
        }
    }
    assert_eq!(state.turns.len(), turns, "step {step}");
}

#[tokio::test]
async fn calls_that_fail_and_calls_that_do_not_leave_all_weights_right() {
    let ann = Ann::with(Limits { bytes: 30_000, ..Limits::default() });
    let bob = Ann(InMemory::new(), ann.bob());
    let owners = [ann.1.clone(), bob.1.clone()];
    let mut rng = fastrand::Rng::with_seed(5);
    let mut failed = 0;
    for step in 0..3000 {
        let owner = &owners[rng.usize(0..2)];
        let session = format!("s{}", rng.u8(0..8));
        if rng.u8(0..4) == 0 {
            let reserve = vec![counter("k", DAY)];
            let begin = Begin { reserve, ..say(&session, &"x".repeat(rng.usize(0..500))) };
            let turn = begin.turn;
            if ann.0.begin_turn(owner, begin).await.is_ok() && rng.bool() {
                let finish = Finish::complete(turn, vec![b'y'; rng.usize(0..500)]);
                drop(ann.0.finish_turn(owner, finish).await);
            }
        } else {
            let ops = (0..rng.usize(1..4)).map(|_| some_op(&mut rng, &session, &bob.1)).collect();
            failed += usize::from(ann.0.apply(owner, OpId::fresh(), ops).await.is_err());
        }
        consistent(&ann.0, &owners, step);
    }
    assert!((300..2500).contains(&failed), "{failed} calls failed");
}

#[tokio::test]
async fn counters_go_a_day_after_their_window() {
    let ann = Ann::with(Limits::default());
    let hour = Duration::from_secs(60 * 60);
    for window in [hour, 48 * hour] {
        let begin = Begin { reserve: vec![counter(&format!("{window:?}"), window)], ..say("s", "hi") };
        let opened = opened(ann.begin(begin.clone()).await);
        assert_eq!(opened.session.reserved.len(), 1);
        ann.end(begin.turn).await;
    }
    ann.0.lock().journal.forget(&ann.1);
    assert_eq!(ann.0.sweep(10).await.unwrap().deleted, 0);
    ann.pass(25 * hour);
    assert_eq!(ann.0.sweep(10).await.unwrap().deleted, 1);
    ann.pass(48 * hour);
    assert_eq!(ann.0.sweep(10).await.unwrap().deleted, 1);
    let late = Settle { name: "turns".into(), key: format!("{hour:?}"), start_ms: 0, by: 5 };
    ann.0.lock().counters.settle(late);
    assert_eq!(ann.0.sweep(10).await.unwrap().deleted, 0);
}

#[tokio::test]
async fn an_erased_owner_is_nowhere() {
    let ann = Ann::with(Limits::default());
    let begin = Begin {
        key: Some(("k".into(), [1; 32])),
        reserve: vec![counter(ann.1.as_str(), DAY), counter("bob", DAY)],
        ..say("s", "hi")
    };
    opened(ann.begin(begin.clone()).await);
    ann.end(begin.turn).await;
    ann.rename("s", OpId::fresh()).await.unwrap();
    while ann.apply(vec![Op::Erase { limit: 1 }]).await.unwrap() != [Done::Count(0)] {}
    let state = format!("{:?}", *ann.0.lock());
    assert!(!state.contains(ann.1.as_str()), "{state}");
    assert!(state.contains("bob"), "what is not hers stays");
}

#[tokio::test]
async fn counters_and_the_ledger_have_a_maximum() {
    let ann = Ann::with(Limits::default());
    let usage = Usage { input_tokens: 1, ..Usage::default() };
    let bill =
        |n| Op::Bill { session: id(&format!("s{n}")), model: "m".into(), purpose: Purpose::Title, usage, cost: 1 };
    ann.apply((0..REMEMBERED + 10).map(bill).collect()).await.unwrap();
    let begin =
        Begin { reserve: (0..REMEMBERED + 10).map(|n| counter(&n.to_string(), DAY)).collect(), ..say("s", "hi") };
    opened(ann.begin(begin).await);
    let mut state = ann.0.lock();
    assert_eq!(state.ledger.take(&ann.1).len(), REMEMBERED);
    assert_eq!(state.counters.sweep(i64::MAX, u32::MAX), (REMEMBERED as u64, false));
}

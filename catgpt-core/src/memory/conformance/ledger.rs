//! The ledger: every call of a model is counted, once, and what was spent stays spent.

use super::concurrency::at_once;
use super::kit::{SHORT, User, bury, end, fails, id, say, user};
use super::{Checked, Store};
use crate::error::ErrorKind::NotFound;
use crate::id::{OpId, TurnId};
use crate::memory::{Answer, Begin, Done, Finish, GroupBy, Op, Purpose, Query, Sealed, Spent};
use crate::message::{Status, Usage};

const DAY_MS: i64 = 24 * 60 * 60 * 1000;

fn tokens(input: u64, output: u64) -> Usage {
    Usage { input_tokens: input, output_tokens: output, ..Usage::default() }
}

/// A turn with a model that ends in a way and has used something.
async fn ends(ann: &User, session: &str, model: &str, finish: Finish) {
    let Finish { status, usage, cost, .. } = finish;
    let (turn, _) = ann.run(Begin { model: model.into(), ..say(session, "hi") }).await;
    let sealed = ann.finish(Finish { status, usage, cost, ..end(turn, "hello") }).await.unwrap();
    assert_eq!(sealed, Sealed::Now);
}

fn used(usage: Usage, cost: u64) -> Finish {
    Finish { usage: Some(usage), cost, ..end(TurnId::fresh(), "") }
}

fn bill(session: &str, model: &str, purpose: Purpose, usage: Usage, cost: u64) -> Op {
    Op::Bill { session: id(session), model: model.into(), purpose, usage, cost }
}

async fn usage(ann: &User, from_ms: Option<i64>, to_ms: Option<i64>, session: Option<&str>) -> Spent {
    let query = Query::Usage { from_ms, to_ms, session: session.map(id), by: Vec::new() };
    match ann.query(query).await.unwrap() {
        Answer::Usage(mut spent) if spent.len() == 1 => spent.remove(0),
        other => panic!("expected one sum, got {other:?}"),
    }
}

pub(super) async fn every_end_is_counted(store: &dyn Store) -> Checked {
    let ann = user(store);
    assert_eq!(ann.spent(&[]).await, [Spent::default()], "one sum, also of nothing");
    assert_eq!(ann.ledger().await, []);
    let ways = [Status::Complete, Status::Cancelled, Status::Interrupted, Status::Failed, Status::Paused];
    for (status, n) in ways.into_iter().zip(1..) {
        let usage = Usage { cached_tokens: 2, reasoning_tokens: 3, ..tokens(10, 20) };
        ends(&ann, "s", "tabby", Finish { status, ..used(usage, 7) }).await;
        let sum = Usage { cached_tokens: 2 * n, reasoning_tokens: 3 * n, ..tokens(10 * n, 20 * n) };
        assert_eq!(ann.spent(&[]).await, [Spent { calls: n, usage: sum, cost: 7 * n, ..Spent::default() }]);
    }
    // One without a usage is a call; one whose usage is a guess makes the sum a guess.
    ends(&ann, "s", "tabby", Finish { usage: None, ..used(tokens(0, 0), 0) }).await;
    assert_eq!(usage(&ann, None, None, None).await.calls, 6);
    assert!(!usage(&ann, None, None, None).await.usage.estimated);
    ends(&ann, "s", "tabby", used(Usage { estimated: true, ..tokens(1, 1) }, 0)).await;
    assert!(usage(&ann, None, None, None).await.usage.estimated);
    Ok(())
}

pub(super) async fn the_dead_are_counted_once(store: &dyn Store) -> Checked {
    let ann = user(store);
    let (turn, _) = ann.run(Begin { lease: SHORT, ..say("s", "hi") }).await;
    let grave = move || Finish { usage: Some(tokens(10, 2)), cost: 5, ..bury(turn, "Hel") };
    assert_eq!(usage(&ann, None, None, None).await.calls, 0);
    ann.outlive(turn).await;
    let sealed = at_once(16, |_| {
        let ann = ann.clone();
        async move { ann.finish(grave()).await.unwrap() }
    })
    .await;
    assert_eq!(sealed.iter().filter(|sealed| **sealed == Sealed::Now).count(), 1);
    ann.finish(Finish { usage: Some(tokens(99, 99)), cost: 99, ..end(turn, "late") }).await.unwrap();
    assert_eq!(ann.spent(&[]).await, [Spent { calls: 1, usage: tokens(10, 2), cost: 5, ..Spent::default() }]);
    // One that lives is not counted by who would bury it.
    let (alive, _) = ann.run(say("s", "hi")).await;
    ann.finish(Finish { cost: 5, ..bury(alive, "") }).await.unwrap();
    assert_eq!(usage(&ann, None, None, None).await.calls, 1);
    Ok(())
}

/// Lines of two sessions, two models and three purposes.
async fn some(ann: &User) {
    ends(ann, "a", "tabby", used(tokens(1, 0), 1)).await;
    ends(ann, "b", "tabby", used(tokens(2, 0), 10)).await;
    ends(ann, "b", "Big", used(tokens(4, 0), 100)).await;
    let ops = vec![
        bill("a", "small", Purpose::Title, tokens(8, 0), 1000),
        bill("b", "tabby", Purpose::Summary, tokens(16, 0), 10_000),
        bill("b", "tabby", Purpose::Summary, tokens(32, 0), 100_000),
    ];
    assert_eq!(ann.apply(ops).await.unwrap(), [Done::Nothing; 3]);
}

pub(super) async fn it_is_summed_up_by_what_is_asked(store: &dyn Store) -> Checked {
    let ann = user(store);
    some(&ann).await;
    let spent = |calls, tokens_in, cost| Spent { calls, usage: tokens(tokens_in, 0), cost, ..Spent::default() };
    assert_eq!(ann.spent(&[]).await, [spent(6, 63, 111_111)]);
    let session = |name: &str, spent: Spent| Spent { session: Some(id(name)), ..spent };
    let model = |name: &str, spent: Spent| Spent { model: Some(name.into()), ..spent };
    let purpose = |purpose, spent: Spent| Spent { purpose: Some(purpose), ..spent };
    let by = ann.spent(&[GroupBy::Session]).await;
    assert_eq!(by, [session("a", spent(2, 9, 1001)), session("b", spent(4, 54, 110_110))]);
    // Bytes are the order: capital letters stand before small ones.
    let by = ann.spent(&[GroupBy::Model]).await;
    let models =
        [model("Big", spent(1, 4, 100)), model("small", spent(1, 8, 1000)), model("tabby", spent(4, 51, 110_011))];
    assert_eq!(by, models);
    let by = ann.spent(&[GroupBy::Purpose]).await;
    let purposes = [
        purpose(Purpose::Turn, spent(3, 7, 111)),
        purpose(Purpose::Title, spent(1, 8, 1000)),
        purpose(Purpose::Summary, spent(2, 48, 110_000)),
    ];
    assert_eq!(by, purposes);
    let by = ann.spent(&[GroupBy::Purpose, GroupBy::Session]).await;
    let both = [
        purpose(Purpose::Turn, session("a", spent(1, 1, 1))),
        purpose(Purpose::Turn, session("b", spent(2, 6, 110))),
        purpose(Purpose::Title, session("a", spent(1, 8, 1000))),
        purpose(Purpose::Summary, session("b", spent(2, 48, 110_000))),
    ];
    assert_eq!(by, both);
    let by = ann.spent(&[GroupBy::Session, GroupBy::Purpose]).await;
    assert_eq!(by, [both[0].clone(), both[2].clone(), both[1].clone(), both[3].clone()]);
    let one = usage(&ann, None, None, Some("b")).await;
    assert_eq!(one, spent(4, 54, 110_110));
    assert_eq!(usage(&ann, None, None, Some("none")).await, Spent::default());
    Ok(())
}

pub(super) async fn it_is_kept_by_the_day(store: &dyn Store) -> Checked {
    let ann = user(store);
    // The day may end meanwhile; then there are two.
    some(&ann).await;
    let days = ann.spent(&[GroupBy::Day]).await;
    let calls: u64 = days.iter().map(|spent| spent.calls).sum();
    assert!((1..=2).contains(&days.len()) && calls == 6);
    let (first, last) = (days[0].day_ms.unwrap(), days[days.len() - 1].day_ms.unwrap());
    let now = ann.session("a").await.unwrap().updated_ms;
    assert!(days.iter().all(|spent| spent.day_ms.is_some_and(|day| day % DAY_MS == 0)));
    assert!(first <= now && now < last + DAY_MS);
    let noon = DAY_MS / 2;
    let cases = [
        (None, None, calls),
        (Some(first), None, calls),
        (Some(first + noon), None, calls),
        (Some(last + DAY_MS - 1), None, days[days.len() - 1].calls),
        (Some(last + DAY_MS), None, 0),
        (None, Some(first), 0),
        (None, Some(first + noon), 0),
        (None, Some(last + DAY_MS), calls),
        (Some(first), Some(first), 0),
        (Some(first), Some(last + DAY_MS + noon), calls),
        (Some(i64::MIN), Some(i64::MAX), calls),
    ];
    for (from, to, calls) in cases {
        assert_eq!(usage(&ann, from, to, None).await.calls, calls, "{from:?} to {to:?}");
    }
    Ok(())
}

pub(super) async fn it_outlives_its_sessions(store: &dyn Store) -> Checked {
    let ann = user(store);
    some(&ann).await;
    let ledger = ann.ledger().await;
    ann.apply(vec![Op::Delete { session: id("a") }, Op::DeleteMany { sessions: vec![id("b")] }]).await.unwrap();
    assert_eq!(ann.ledger().await, ledger);
    // What is billed late is billed; what never was a session is no reason to forget what was spent.
    ann.apply(vec![bill("a", "small", Purpose::Title, tokens(1, 1), 1)]).await.unwrap();
    assert_eq!(usage(&ann, None, None, Some("a")).await.calls, 3);
    assert_eq!(ann.sessions().await, []);
    // A turn that is deleted while it runs is not there to be counted.
    let (turn, _) = ann.run(say("c", "hi")).await;
    ann.apply(vec![Op::Delete { session: id("c") }]).await.unwrap();
    fails(ann.finish(Finish { cost: 5, ..end(turn, "hello") }).await, NotFound);
    assert_eq!(usage(&ann, None, None, Some("c")).await, Spent::default());
    Ok(())
}

pub(super) async fn a_retried_bill_is_one(store: &dyn Store) -> Checked {
    let ann = user(store);
    let (op, ops) = (OpId::fresh(), vec![bill("s", "small", Purpose::Title, tokens(1, 1), 1)]);
    for _ in 0..3 {
        assert_eq!(ann.memory.apply(&ann.owner, op, ops.clone()).await.unwrap(), [Done::Nothing]);
    }
    assert_eq!(usage(&ann, None, None, None).await.calls, 1);
    // One in a call that fails is none.
    let bad = Op::Delete { session: id("none") };
    fails(ann.apply([ops, vec![bad]].concat()).await, NotFound);
    assert_eq!(usage(&ann, None, None, None).await.calls, 1);
    assert_eq!(ann.changes(0, 100).await, []);
    Ok(())
}

pub(super) async fn everybody_sees_only_his_own(store: &dyn Store) -> Checked {
    let (ann, bob) = (user(store), User::of(&store.memory(), "bob"));
    some(&ann).await;
    assert_eq!((bob.ledger().await, usage(&bob, None, None, Some("a")).await), (vec![], Spent::default()));
    ends(&bob, "a", "tabby", used(tokens(5, 5), 5)).await;
    let by = [GroupBy::Session, GroupBy::Model, GroupBy::Purpose];
    assert_eq!((bob.spent(&by).await.len(), ann.spent(&by).await.len()), (1, 5));
    Ok(())
}

pub(super) async fn many_at_once_add_up(store: &dyn Store) -> Checked {
    let ann = user(store);
    at_once(64, |k| {
        let ann = ann.clone();
        async move {
            ends(&ann, &format!("s{k}"), "tabby", used(tokens(1, 2), 3)).await;
            ann.apply(vec![bill("s0", "tabby", Purpose::Turn, tokens(1, 2), 3)]).await.unwrap();
        }
    })
    .await;
    assert_eq!(ann.spent(&[]).await, [Spent { calls: 128, usage: tokens(128, 256), cost: 384, ..Spent::default() }]);
    Ok(())
}

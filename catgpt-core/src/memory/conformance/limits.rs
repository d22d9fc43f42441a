//! Limits: what a turn must find below them, what it reserves, and how that is settled.

use std::sync::Mutex;
use std::time::Duration;

use super::concurrency::{at_once, started};
use super::kit::{SHORT, User, answer_again, bury, count, end, ever, fails, id, say, until, user};
use super::{Checked, Store};
use crate::error::ErrorKind::{Conflict, InvalidInput, Limited, NotFound};
use crate::id::TurnId;
use crate::memory::{
    Answer, Begin, Begun, Counter, CounterId, Done, Finish, Op, Opened, Parent, Query, Reserved, Sealed, Settle, Unit,
};

/// A counter with a limit.
fn upto(limit: u64, add: u64) -> Counter {
    Counter { limit, add, ..ever("turns", "ann") }
}

fn reserving(session: &str, reserve: &[&Counter]) -> Begin {
    Begin { reserve: reserve.iter().map(|counter| (*counter).clone()).collect(), ..say(session, "hi") }
}

fn settle(reserved: &Reserved, by: i64) -> Settle {
    let Reserved { name, key, start_ms, .. } = reserved.clone();
    Settle { name, key, start_ms, by }
}

#[track_caller]
fn limited(begun: Begun, by: &str) {
    match begun {
        Begun::Limited { name: Some(name), retry_after: Some(left) } if name == by => assert!(!left.is_zero()),
        other => panic!("expected the limit {by}, got {other:?}"),
    }
}

pub(super) async fn a_turn_passes_below_the_limit_and_adds(store: &dyn Store) -> Checked {
    let ann = user(store);
    let counter = upto(10, 4);
    assert_eq!(count(&ann, &counter).await, 0);
    // 0, 4 and 8 are below 10; 12 is not. What is added may go over it.
    for n in 1..=3 {
        ann.whole(reserving("s", &[&counter])).await;
        assert_eq!(count(&ann, &counter).await, 4 * n);
    }
    let before = ann.all().await;
    limited(ann.begin(reserving("s", &[&counter])).await.unwrap(), "turns");
    limited(ann.begin(reserving("new", &[&counter])).await.unwrap(), "turns");
    assert_eq!((ann.all().await, count(&ann, &counter).await), (before, 12));
    // Another limit of the same counter, and none at all.
    ann.whole(reserving("s", &[&upto(13, 1)])).await;
    limited(ann.begin(reserving("s", &[&upto(13, 1)])).await.unwrap(), "turns");
    ann.whole(say("s", "hi")).await;
    limited(ann.begin(reserving("s", &[&upto(0, 0)])).await.unwrap(), "turns");
    ann.whole(reserving("s", &[&upto(u64::MAX, 0)])).await;
    assert_eq!(count(&ann, &counter).await, 13);
    Ok(())
}

pub(super) async fn all_counters_are_passed_or_none(store: &dyn Store) -> Checked {
    let ann = user(store);
    let [a, b] = ["a", "b"].map(|name| Counter { limit: 2, ..ever(name, "ann") });
    let full = Counter { limit: 0, ..ever("full", "ann") };
    limited(ann.begin(reserving("s", &[&a, &full, &b])).await.unwrap(), "full");
    assert_eq!(ann.counts(&[&a, &full, &b]).await, [0, 0, 0]);
    ann.whole(reserving("s", &[&a])).await;
    ann.whole(reserving("s", &[&b, &a])).await;
    assert_eq!(ann.counts(&[&b, &a, &full]).await, [1, 2, 0]);
    // The first that is full is named.
    limited(ann.begin(reserving("s", &[&b, &a, &full])).await.unwrap(), "a");
    limited(ann.begin(reserving("s", &[&b, &full, &a])).await.unwrap(), "full");
    assert!(ann.counts(&[]).await.is_empty());
    Ok(())
}

pub(super) async fn a_name_and_a_key_are_a_counter(store: &dyn Store) -> Checked {
    let (ann, bob) = (user(store), User::of(&store.memory(), "bob"));
    let one = |name: &str, key: &str| Counter { limit: 1, ..ever(name, key) };
    let names = [("a", "b"), ("a", "B"), ("A", "b"), ("a b", ""), ("", "a b"), ("a", "á"), ("a", "a\u{301}")];
    for (name, key) in names {
        ann.whole(reserving("s", &[&one(name, key)])).await;
    }
    // Whoever asks: the key says whose it is, not the owner.
    for user in [&ann, &bob] {
        for (name, key) in names {
            limited(user.begin(reserving("s", &[&one(name, key)])).await.unwrap(), name);
            assert_eq!(count(user, &one(name, key)).await, 1);
        }
    }
    assert_eq!(bob.sessions().await, []);
    Ok(())
}

pub(super) async fn what_does_not_start_reserves_nothing(store: &dyn Store) -> Checked {
    let ann = user(store);
    let counter = upto(1000, 1);
    let first = Begin { key: Some(("k".into(), [1; 32])), ..reserving("s", &[&counter]) };
    let opened = ann.start(first.clone()).await;
    assert_eq!(ann.start(first.clone()).await, opened);
    let fresh = |begin: Begin| Begin { turn: TurnId::fresh(), ..begin };
    let hi = || reserving("s", &[&counter]);
    assert!(matches!(ann.begin(fresh(first.clone())).await.unwrap(), Begun::Replay { .. }));
    fails(ann.begin(Begin { key: Some(("k".into(), [2; 32])), ..hi() }).await, Conflict);
    fails(ann.begin(Begin { if_version: Some(999), ..hi() }).await, Conflict);
    assert!(matches!(ann.begin(hi()).await.unwrap(), Begun::Busy { .. }));
    ann.finish(end(first.turn, "hello")).await.unwrap();
    assert!(matches!(ann.begin(first).await.unwrap(), Begun::Replay { .. }));
    fails(ann.begin(Begin { parent: Parent::Under(9), ..hi() }).await, NotFound);
    let again = answer_again("s", Parent::Beside(Some(1)));
    fails(ann.begin(Begin { reserve: vec![counter.clone()], ..again }).await, InvalidInput);
    let (dead, _) = ann.run(Begin { lease: SHORT, ..say("s", "hi") }).await;
    ann.outlive(dead).await;
    assert!(matches!(ann.begin(hi()).await.unwrap(), Begun::Stale { .. }));
    assert_eq!(count(&ann, &counter).await, 1);
    Ok(())
}

pub(super) async fn it_decides_by_lease_then_parent_then_limit(store: &dyn Store) -> Checked {
    let ann = user(store);
    let full = upto(0, 1);
    let keyed = Begin { key: Some(("k".into(), [1; 32])), ..say("s", "hi") };
    ann.start(keyed.clone()).await;
    let begin = || Begin { max_running: Some(0), ..reserving("s", &[&full]) };
    // A turn that is there already has passed its limits.
    let again = Begin { key: keyed.key.clone(), ..begin() };
    assert_eq!(ann.begin(again).await.unwrap(), Begun::Replay { turn: keyed.turn });
    ann.start(Begin { turn: keyed.turn, ..begin() }).await;
    assert!(matches!(ann.begin(begin()).await.unwrap(), Begun::Busy { .. }));
    ann.finish(end(keyed.turn, "hello")).await.unwrap();
    fails(ann.begin(Begin { parent: Parent::Under(9), ..begin() }).await, NotFound);
    assert_eq!(ann.begin(begin()).await.unwrap(), Begun::Limited { name: None, retry_after: None });
    limited(ann.begin(Begin { max_running: None, ..begin() }).await.unwrap(), "turns");
    Ok(())
}

pub(super) async fn one_of_64_begins_passes_the_last_place(store: &dyn Store) -> Checked {
    let ann = user(store);
    let counter = upto(10, 1);
    let begun = at_once(64, |k| {
        let ann = ann.clone();
        let begin = reserving(&format!("s{k}"), &[&counter]);
        async move { ann.begin(begin).await.unwrap() }
    })
    .await;
    assert_eq!(begun.iter().filter_map(started).count(), 10);
    begun.into_iter().filter(|begun| started(begun).is_none()).for_each(|begun| limited(begun, "turns"));
    assert_eq!((count(&ann, &counter).await, ann.sessions().await.len()), (10, 10));
    // Those that add much at once overrun by no more than one of them.
    let counter = Counter { name: "tokens".into(), unit: Unit::Tokens, ..upto(1000, 300) };
    let begun = at_once(64, |k| {
        let ann = ann.clone();
        let begin = reserving(&format!("t{k}"), &[&counter]);
        async move { ann.begin(begin).await.unwrap() }
    })
    .await;
    assert_eq!((begun.iter().filter_map(started).count(), count(&ann, &counter).await), (4, 1200));
    Ok(())
}

pub(super) async fn what_is_reserved_is_known_until_the_end(store: &dyn Store) -> Checked {
    let ann = user(store);
    let tokens = Counter { name: "tokens".into(), add: 0, unit: Unit::Tokens, ..upto(1000, 0) };
    let begin = Begin { lease: SHORT, ..reserving("s", &[&upto(1000, 7), &tokens]) };
    let opened = ann.start(begin.clone()).await;
    let reserved = |name: &str, add, unit| Reserved { name: name.into(), key: "ann".into(), start_ms: 0, add, unit };
    let both = vec![reserved("turns", 7, Unit::Turns), reserved("tokens", 0, Unit::Tokens)];
    assert_eq!(opened.session.reserved, both);
    ann.outlive(begin.turn).await;
    // Whoever buries it knows what it had.
    assert_eq!(ann.tail(begin.turn, 0).await.unwrap().session.reserved, both);
    assert_eq!(ann.session("s").await.unwrap().reserved, both);
    assert_eq!((&ann.sessions().await[0].reserved, &ann.tree("s").await.session.reserved), (&both, &both));
    assert_eq!(ann.start(Begin { lease: SHORT, ..begin.clone() }).await.session.reserved, both);
    ann.outlive(begin.turn).await;
    let back = vec![settle(&both[0], -7), settle(&both[1], 40)];
    assert_eq!(ann.finish(Finish { settle: back, ..bury(begin.turn, "") }).await.unwrap(), Sealed::Now);
    assert_eq!(ann.session("s").await.unwrap().reserved, []);
    // Also one to which nothing was added is there to be settled.
    assert_eq!(ann.counts(&[&upto(1000, 7), &tokens]).await, [0, 40]);
    assert_eq!(ann.talk("s", "more").await.session.reserved, []);
    Ok(())
}

pub(super) async fn it_is_settled_once(store: &dyn Store) -> Checked {
    let ann = user(store);
    let counter = upto(1000, 100);
    let (turn, opened) = ann.run(reserving("s", &[&counter])).await;
    let reserved = &opened.session.reserved[0];
    let down = |by| Finish { settle: vec![settle(reserved, by)], ..end(turn, "hello") };
    // A turn that lives is not settled by who would bury it.
    let early = Finish { if_expired: true, ..down(-50) };
    assert!(matches!(ann.finish(early).await.unwrap(), Sealed::Alive { .. }));
    assert_eq!(count(&ann, &counter).await, 100);
    let sealed = at_once(16, |_| {
        let (ann, finish) = (ann.clone(), down(-30));
        async move { ann.finish(finish).await.unwrap() }
    })
    .await;
    assert_eq!(sealed.iter().filter(|sealed| **sealed == Sealed::Now).count(), 1);
    assert_eq!(count(&ann, &counter).await, 70);
    Ok(())
}

pub(super) async fn a_counter_never_falls_below_nothing(store: &dyn Store) -> Checked {
    let ann = user(store);
    let counter = upto(1000, 10);
    for (by, left) in [(-4, 6), (-1000, 0), (25, 35), (i64::MIN, 0), (0, 10)] {
        let (turn, opened) = ann.run(reserving("s", &[&counter])).await;
        let settle = vec![settle(&opened.session.reserved[0], by)];
        ann.finish(Finish { settle, ..end(turn, "hello") }).await.unwrap();
        assert_eq!(count(&ann, &counter).await, left, "{by}");
    }
    // Windows that are not there are left alone; so are other counters.
    let none = Reserved { name: "none".into(), key: "ann".into(), start_ms: 0, add: 0, unit: Unit::Turns };
    let other = Reserved { name: "turns".into(), start_ms: 1, ..none.clone() };
    let (turn, _) = ann.run(say("s", "hi")).await;
    let settle = vec![settle(&none, 5), settle(&other, 5)];
    assert_eq!(ann.finish(Finish { settle, ..end(turn, "hello") }).await.unwrap(), Sealed::Now);
    assert_eq!(ann.counts(&[&counter, &ever("none", "ann")]).await, [10, 0]);
    Ok(())
}

/// Begins a turn as soon as a window of its counter lets it.
async fn in_time(ann: &User, counter: &Counter) -> Opened {
    let opened = Mutex::new(None);
    until("the next window has begun", || async {
        match ann.begin(reserving("s", &[counter])).await.unwrap() {
            Begun::Started(begun) => opened.lock().unwrap().replace(*begun).is_none(),
            Begun::Limited { name, retry_after } => {
                assert_eq!(name.as_ref(), Some(&counter.name));
                assert!(retry_after.is_some_and(|left| !left.is_zero() && left <= counter.window));
                false
            }
            other => panic!("expected a turn or a limit, got {other:?}"),
        }
    })
    .await;
    opened.into_inner().unwrap().unwrap()
}

pub(super) async fn a_window_begins_from_nothing(store: &dyn Store) -> Checked {
    let ann = user(store);
    let counter = Counter { window: Duration::from_millis(300), limit: 1, ..ever("turns", "ann") };
    let mut last = None;
    for _ in 0..3 {
        let opened = in_time(&ann, &counter).await;
        let start = opened.session.reserved[0].start_ms;
        assert!(last < Some(start) && start % 300 == 0, "one turn in each window");
        last = Some(start);
        ann.finish(end(opened.session.running.unwrap(), "hello")).await.unwrap();
    }
    // The window's beginning is what a later settlement is for.
    let opened = ann.start(reserving("t", &[&Counter { limit: 1000, ..counter.clone() }])).await;
    until("the window is over", || async { count(&ann, &counter).await == 0 }).await;
    let settle = vec![settle(&opened.session.reserved[0], 50)];
    ann.finish(Finish { settle, ..end(opened.session.running.unwrap(), "hello") }).await.unwrap();
    assert_eq!(count(&ann, &counter).await, 0);
    Ok(())
}

pub(super) async fn a_window_has_a_length(store: &dyn Store) -> Checked {
    let ann = user(store);
    for window in [Duration::ZERO, Duration::from_micros(999)] {
        let counter = Counter { window, ..upto(1, 1) };
        fails(ann.begin(reserving("s", &[&counter])).await, InvalidInput);
        let id = CounterId { name: counter.name, key: counter.key, window };
        fails(ann.query(Query::Counters(vec![id])).await, InvalidInput);
    }
    assert_eq!(ann.sessions().await, []);
    let endless = Counter { window: Duration::MAX, limit: 1, ..ever("endless", "ann") };
    ann.whole(reserving("s", &[&endless])).await;
    limited(ann.begin(reserving("s", &[&endless])).await.unwrap(), "endless");
    assert_eq!(ann.query(Query::Counters(Vec::new())).await.unwrap(), Answer::Counters(Vec::new()));
    Ok(())
}

fn beside(counters: &[&Counter]) -> Op {
    Op::Reserve { counters: counters.iter().map(|counter| (*counter).clone()).collect() }
}

pub(super) async fn what_is_used_beside_the_turns_is_limited_too(store: &dyn Store) -> Checked {
    let ann = user(store);
    let (tens, last) = (upto(10, 6), Counter { limit: 1, ..ever("last", "ann") });
    let years = Counter { name: "years".into(), window: Duration::from_secs(10 * 365 * 86_400), ..upto(10, 6) };
    let done = ann.apply(vec![beside(&[&tens, &last, &years])]).await.unwrap();
    let [Done::Count(at)] = done[..] else { panic!("expected a time, got {done:?}") };
    assert_eq!(ann.counts(&[&tens, &last, &years]).await, [6, 1, 6]);
    // What is at its limit keeps out all of a call, and says which it is and until when.
    let refused = ann.apply(vec![Op::create(id("s")), beside(&[&tens, &last])]).await.unwrap_err();
    assert_eq!((refused.kind(), refused.limit().map(|limit| limit.name.as_str())), (Limited, Some("last")));
    assert_eq!(refused.limit().map(|limit| (limit.unit.as_str(), limit.max)), Some(("turns", 1)));
    assert!(refused.retry_after().is_some_and(|left| !left.is_zero()));
    fails(ann.session("s").await, NotFound);
    assert_eq!(ann.counts(&[&tens, &last]).await, [6, 1]);
    // Turns find the same counters.
    limited(ann.begin(reserving("s", &[&last])).await.unwrap(), "last");
    // The time is one of each window, so what was reserved is found again.
    let start_ms = |counter: &Counter| {
        let (at, length) = (i64::try_from(at).unwrap(), i64::try_from(counter.window.as_millis()).unwrap());
        at - at % length
    };
    let down = |counter: &Counter| {
        let (name, key) = (counter.name.clone(), counter.key.clone());
        Settle { name, key, start_ms: start_ms(counter), by: -4 }
    };
    let settled = ann.apply(vec![Op::Settle { settle: vec![down(&years), down(&tens)] }]).await.unwrap();
    assert_eq!((settled, ann.counts(&[&tens, &last, &years]).await), (vec![Done::Nothing], vec![2, 1, 2]));
    fails(ann.apply(vec![beside(&[&Counter { window: Duration::ZERO, ..tens }])]).await, InvalidInput);
    Ok(())
}

pub(super) async fn of_64_reservations_beside_the_turns_one_passes_the_last_place(store: &dyn Store) -> Checked {
    let ann = user(store);
    let counter = upto(1, 1);
    let reserved = at_once(64, |_| {
        let (ann, op) = (ann.clone(), beside(&[&counter]));
        async move { ann.apply(vec![op]).await }
    })
    .await;
    assert_eq!(reserved.iter().filter(|done| done.is_ok()).count(), 1);
    reserved.into_iter().filter(Result::is_err).for_each(|refused| fails(refused, Limited));
    assert_eq!(count(&ann, &counter).await, 1);
    Ok(())
}

fn one_of(most: u32, session: &str) -> Begin {
    Begin { max_running: Some(most), ..say(session, "hi") }
}

pub(super) async fn only_so_many_turns_run(store: &dyn Store) -> Checked {
    let (ann, bob) = (user(store), User::of(&store.memory(), "bob"));
    let none = Begun::Limited { name: None, retry_after: None };
    assert_eq!(ann.begin(one_of(0, "a")).await.unwrap(), none);
    bob.start(say("his", "hi")).await;
    let (first, _) = ann.run(one_of(2, "a")).await;
    let (dead, _) = ann.run(Begin { lease: SHORT, ..say("b", "hi") }).await;
    ann.outlive(dead).await;
    // One whose lease has run out does not run, whether or not it is buried.
    let (third, _) = ann.run(one_of(2, "c")).await;
    assert_eq!(ann.begin(one_of(2, "d")).await.unwrap(), none);
    assert_eq!(ann.begin(one_of(1, "d")).await.unwrap(), none);
    fails(ann.session("d").await, NotFound);
    ann.apply(vec![Op::Delete { session: id("c") }]).await.unwrap();
    fails(ann.finish(end(third, "hello")).await, NotFound);
    ann.start(one_of(2, "d")).await;
    ann.finish(end(first, "hello")).await.unwrap();
    ann.start(one_of(2, "a")).await;
    assert_eq!(ann.begin(one_of(2, "e")).await.unwrap(), none);
    ann.start(one_of(3, "e")).await;
    Ok(())
}

pub(super) async fn of_64_begins_only_so_many_run(store: &dyn Store) -> Checked {
    let ann = user(store);
    let begun = at_once(64, |k| {
        let ann = ann.clone();
        async move { ann.begin(one_of(5, &format!("s{k}"))).await.unwrap() }
    })
    .await;
    assert_eq!(begun.iter().filter_map(started).count(), 5);
    let none = Begun::Limited { name: None, retry_after: None };
    assert_eq!(begun.iter().filter(|begun| **begun == none).count(), 59);
    assert_eq!(ann.turns().await.len(), 5);
    Ok(())
}

//! Limits under many begins at once: never one more than may, never a deadlock.

use std::sync::Arc;
use std::time::Duration;

use catgpt_scratch::Database;
use tokio::task::JoinSet;

use super::kit::{ann, end, open, say, thorough};
use crate::id::{OpId, Owner, TurnId};
use crate::memory::{
    Answer, Begin, Begun, Counter, CounterId, Memory, Op, Postgres, Purpose, Query, Sealed, Settle, Unit,
};
use crate::message::Usage;

fn counter(name: &str, limit: u64) -> Counter {
    let window = Duration::from_millis(1 << 50);
    Counter { name: name.into(), key: "all".into(), window, add: 1, limit, unit: Unit::Turns }
}

async fn counts(store: &Postgres, names: &[&str]) -> Vec<u64> {
    let id = |Counter { name, key, window, .. }| CounterId { name, key, window };
    let ids = names.iter().map(|name| id(counter(name, 0))).collect();
    match store.query(&ann(), Query::Counters(ids)).await.unwrap() {
        Answer::Counters(counts) => counts,
        other => panic!("expected counters, got {other:?}"),
    }
}

async fn two(database: &Database) -> [Arc<Postgres>; 2] {
    [Arc::new(open(database).await), Arc::new(open(database).await)]
}

fn rounds() -> usize {
    if thorough() { 1000 } else { 100 }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ten_of_64_begins_pass_a_limit_of_ten_every_time() {
    let database = Database::new();
    let handles = two(&database).await;
    for round in 0..rounds() {
        let (wide, narrow) = (format!("a {round}"), format!("b {round}"));
        let mut tasks = JoinSet::new();
        for k in 0..64 {
            // Of two owners and in two orders; the wider limit is taken and must be given back.
            let mut reserve = vec![counter(&wide, 64), counter(&narrow, 10)];
            reserve.rotate_left(k % 2);
            let begin = Begin { reserve, ..say(&format!("{round} {k}"), "hi") };
            let (store, owner) = (handles[k % 2].clone(), Owner::new(format!("o{}", k % 3)).unwrap());
            tasks.spawn(async move { store.begin_turn(&owner, begin).await.unwrap() });
        }
        let begun = tasks.join_all().await;
        let passed = begun.iter().filter(|begun| matches!(begun, Begun::Started(_))).count();
        let limited = |begun: &Begun| matches!(begun, Begun::Limited { name: Some(name), .. } if *name == narrow);
        let held = begun.iter().filter(|begun| limited(begun)).count();
        assert_eq!((passed, held), (10, 54), "round {round}");
        assert_eq!(counts(&handles[0], &[&wide, &narrow]).await, [10, 10], "round {round}");
    }
    assert_eq!(database.sql("SELECT count(*) FROM catgpt.session"), (10 * rounds()).to_string());
    assert_eq!(deadlocks(&database), "0");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn three_of_64_begins_run_where_three_may() {
    let database = Database::new();
    let handles = two(&database).await;
    for round in 0..rounds() {
        let mut tasks = JoinSet::new();
        for k in 0..64 {
            let begin = Begin { max_running: Some(3), ..say(&format!("{k}"), "hi") };
            let store = handles[k % 2].clone();
            tasks.spawn(async move { (begin.turn, store.begin_turn(&ann(), begin).await.unwrap()) });
        }
        let begun = tasks.join_all().await;
        let passed: Vec<TurnId> =
            begun.iter().filter(|(_, begun)| matches!(begun, Begun::Started(_))).map(|(turn, _)| *turn).collect();
        let full = Begun::Limited { name: None, retry_after: None };
        assert_eq!((passed.len(), begun.iter().filter(|(_, begun)| *begun == full).count()), (3, 61), "round {round}");
        for turn in passed {
            assert_eq!(handles[0].finish_turn(&ann(), end(turn, "done")).await.unwrap(), Sealed::Now);
        }
    }
    assert_eq!(deadlocks(&database), "0");
}

/// All that takes locks at once, on the same owners and counters: begins with and without limits, ends that settle,
/// titles, bills, deletions, claims, sweeps.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whatever_meets_nothing_deadlocks() {
    let database = Database::new();
    let handles = two(&database).await;
    let mut tasks = JoinSet::new();
    for k in 0..64 {
        let store = handles[k % 2].clone();
        tasks.spawn(async move {
            for round in 0..rounds() / 10 {
                all_sorts(&store, k, round).await;
            }
        });
    }
    tasks.join_all().await;
    assert_eq!(deadlocks(&database), "0");
}

async fn all_sorts(store: &Postgres, k: usize, round: usize) {
    let owner = Owner::new(format!("o{}", k % 4)).unwrap();
    let mut reserve = vec![counter("a", 1 << 40), counter("b", 1 << 40), counter("c", 1 << 40)];
    reserve.rotate_left(k % 3);
    reserve.truncate(k % 4);
    let max_running = [Some(1000), None][k % 2];
    let begin = Begin { reserve, max_running, ..say(&format!("s{}", (k + round) % 16), "hi") };
    let turn = begin.turn;
    if let Begun::Started(opened) = store.begin_turn(&owner, begin).await.unwrap() {
        let back = opened.session.reserved.into_iter().rev();
        let settle = back.map(|r| Settle { name: r.name, key: r.key, start_ms: r.start_ms, by: -1 }).collect();
        // Somebody may have deleted the session meanwhile.
        let finish = crate::memory::Finish { settle, cost: 1, ..end(turn, "hello") };
        let _ = store.finish_turn(&owner, finish).await;
    }
    let bill = |n: usize| Op::Bill {
        session: super::kit::id(&format!("s{}", n % 3)),
        model: "tabby".into(),
        purpose: Purpose::Title,
        usage: Usage::default(),
        cost: 1,
    };
    let marks = [k, k + 5, k + 9].map(|n| super::kit::id(&format!("s{}", n % 16)));
    let title = |n: usize| Op::SetTitle { session: marks[n].clone(), title: Some(b"t".to_vec()), over: None };
    for ops in [vec![bill(k), bill(k + 1), bill(k + 2)], vec![title(k % 3), bill(k), title((k + 1) % 3)]] {
        // A session that is not there undoes the call.
        let _ = store.apply(&owner, OpId::fresh(), ops).await;
    }
    match k % 16 {
        0 => drop(store.apply(&owner, OpId::fresh(), vec![Op::DeleteMany { sessions: marks.into() }]).await.unwrap()),
        1 => drop(store.sweep(10).await.unwrap()),
        2 => drop(store.apply(&owner, OpId::fresh(), vec![Op::DeleteEmpty { limit: 3 }]).await.unwrap()),
        // Both may have sessions of one id, or turns may run.
        3 => drop(store.apply(&owner, OpId::fresh(), vec![Op::Claim { from: Owner::new("o0").unwrap() }]).await),
        _ => {}
    }
}

/// How often the server had to end a call because two waited for each other. It counts when a connection ends.
fn deadlocks(database: &Database) -> String {
    database.disconnect();
    database.sql(
        "SELECT pg_stat_clear_snapshot(); SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()",
    )
    .trim()
    .to_owned()
}

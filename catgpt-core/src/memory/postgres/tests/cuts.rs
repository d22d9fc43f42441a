//! What a wire that breaks costs: never an answer, never twice the work; and how often a turn goes over it.

use std::time::Duration;

use catgpt_scratch::Database;

use super::kit::{WHOLE, ann, counts, end, id, opened, piece, say, thorough};
use super::proxy::Proxy;
use crate::id::{OpId, Owner};
use crate::memory::{
    Answer, Begin, Begun, Counter, CounterId, Done, Finish, Kept, Memory, Op, Opened, Postgres, Purpose, Query, Read,
    Reserved, Sealed, Settle, Unit,
};
use crate::message::{Status, Usage};

struct Wired {
    database: Database,
    proxy: Proxy,
    store: Postgres,
}

/// A store behind the proxy with one connection, which is made.
async fn wired() -> Wired {
    let database = Database::new();
    let proxy = Proxy::before(&database).await;
    let url = format!("{}&connection_limit=1", proxy.url(&database));
    let store = Postgres::open(&url).await.unwrap();
    Wired { database, proxy, store }
}

#[tokio::test]
async fn a_turn_is_two_round_trips_and_one_for_each_checkpoint() {
    let wired = wired().await;
    let (proxy, store) = (&wired.proxy, &wired.store);
    for (session, checkpoints) in [("new", 0), ("new", 3), ("other", 10)] {
        let (before, _) = proxy.count();
        let begin = say(session, "hi");
        let turn = begin.turn;
        opened(store.begin_turn(&ann(), begin).await);
        for n in 0..checkpoints {
            assert!(matches!(store.checkpoint(&ann(), piece(turn, n, "x")).await.unwrap(), Kept::Renewed { .. }));
        }
        assert_eq!(store.finish_turn(&ann(), end(turn, "hello")).await.unwrap(), Sealed::Now);
        assert_eq!(proxy.count().0 - before, 2 + checkpoints);
    }
    let (before, _) = proxy.count();
    let begin = Begin { reserve: vec![limit(9), limit(8)], max_running: Some(3), ..say("new", "hi") };
    let turn = begin.turn;
    let opened = opened(store.begin_turn(&ann(), begin).await);
    store.finish_turn(&ann(), Finish { settle: give_back(&opened), cost: 5, ..end(turn, "hello") }).await.unwrap();
    assert_eq!(proxy.count().0 - before, 2, "limits and the ledger cost none");
    let (before, _) = proxy.count();
    store.read(&ann(), Read::Branch { session: id("new"), head: None, limit: WHOLE }).await.unwrap();
    store.apply(&ann(), OpId::fresh(), vec![Op::Delete { session: id("new") }]).await.unwrap();
    store.query(&ann(), Query::Journals { after: vec![(ann(), 0), (Owner::local(), 3)], limit: 9 }).await.unwrap();
    let terms = vec!["kyoto".to_owned()];
    store.query(&ann(), Query::Search { terms, prefix: true, after: None, limit: 9 }).await.unwrap();
    store.sweep(100).await.unwrap();
    assert_eq!(proxy.count().0 - before, 5, "everything else is one round trip too");
}

/// Calls `step` for places all along what goes over the wire while it runs: every seventh, or each if somebody asked.
/// It gets the number of the try, which is new each time, and what arms the cut.
async fn all_along(wired: &Wired, mut step: impl AsyncFnMut(u64, &dyn Fn())) {
    let stride = if thorough() { 1 } else { 7 };
    let mut n = 0;
    loop {
        step(n, &|| wired.proxy.cut_after(n * stride)).await;
        if wired.proxy.spare() {
            // It was over before the cut.
            break;
        }
        n += 1;
    }
    assert!(n * stride > 200, "only {n} places were tried");
}

#[tokio::test]
async fn a_begin_that_is_cut_anywhere_begins_once() {
    let wired = wired().await;
    let store = &wired.store;
    all_along(&wired, async |n, cut| {
        let session = format!("s{n}");
        let reserve = vec![limit(u64::MAX)];
        let begin = Begin { key: Some(("k".into(), [1; 32])), reserve, max_running: Some(9999), ..say(&session, "hi") };
        cut();
        let first = opened(store.begin_turn(&ann(), begin.clone()).await);
        assert_eq!(counted(store).await, n + 1, "try {n}");
        assert!(first.created && (first.user_seq, first.reply_seq) == (Some(1), 2), "try {n}");
        assert_eq!(opened(store.begin_turn(&ann(), begin.clone()).await), first, "try {n}");
        let keyed = Begin { key: begin.key.clone(), ..say(&session, "hi") };
        assert_eq!(store.begin_turn(&ann(), keyed).await.unwrap(), Begun::Replay { turn: begin.turn });
        if n % 16 == 0 {
            assert_eq!(counts(store, &session).await, (2, 2), "try {n}");
        }
    })
    .await;
}

#[tokio::test]
async fn a_checkpoint_that_is_cut_anywhere_is_kept_once() {
    let wired = wired().await;
    let (store, begin) = (&wired.store, say("s", "hi"));
    opened(store.begin_turn(&ann(), begin.clone()).await);
    all_along(&wired, async |n, cut| {
        cut();
        let kept = store.checkpoint(&ann(), piece(begin.turn, n, "x")).await;
        assert_eq!(kept.unwrap(), Kept::Renewed { cancel: false }, "try {n}");
    })
    .await;
    let view = store.read(&ann(), Read::Tail { turn: begin.turn, from: 0 }).await.unwrap();
    assert!(view.chunks.iter().enumerate().all(|(n, chunk)| (chunk.from, chunk.to) == (n as u64, n as u64 + 1)));
}

#[tokio::test]
async fn an_end_that_is_cut_anywhere_ends_once() {
    let wired = wired().await;
    let store = &wired.store;
    all_along(&wired, async |n, cut| {
        let session = format!("s{n}");
        let begin = say(&session, "hi");
        let begun = opened(store.begin_turn(&ann(), Begin { reserve: vec![limit(9)], ..begin.clone() }).await);
        let finish = Finish { cost: 1, settle: give_back(&begun), ..end(begin.turn, "hello") };
        cut();
        match store.finish_turn(&ann(), finish).await.unwrap() {
            Sealed::Now => {}
            Sealed::Before(row) => assert_eq!((row.status, row.body), (Status::Complete, b"hello".to_vec())),
            other => panic!("try {n}: {other:?}"),
        }
        assert!(matches!(store.finish_turn(&ann(), end(begin.turn, "hello")).await.unwrap(), Sealed::Before(_)));
        assert_eq!((spent(store).await, counted(store).await), (n + 1, 0), "try {n}");
        if n % 16 == 0 {
            assert_eq!(counts(store, &session).await, (2, 3), "try {n}");
        }
    })
    .await;
}

#[tokio::test]
async fn an_operation_that_is_cut_anywhere_is_made_once() {
    let wired = wired().await;
    let store = &wired.store;
    let create = Op::create(id("s"));
    assert_eq!(store.apply(&ann(), OpId::fresh(), vec![create]).await.unwrap(), [Done::Version(1)]);
    all_along(&wired, async |n, cut| {
        let ops = vec![Op::SetTitle { session: id("s"), title: Some(b"t".to_vec()), over: None }];
        let op = OpId::fresh();
        cut();
        let done = store.apply(&ann(), op, ops.clone()).await.unwrap();
        assert_eq!(done, [Done::Version(n + 2)], "try {n}");
        assert_eq!(store.apply(&ann(), op, ops).await.unwrap(), done, "try {n}");
    })
    .await;
}

#[tokio::test]
async fn counts_and_numbers_that_are_cut_anywhere_come_back() {
    let wired = wired().await;
    let store = &wired.store;
    opened_turn(store).await;
    let mut over = None;
    all_along(&wired, async |n, cut| {
        let made = id(&format!("s{n}"));
        let (body, model, usage) = (b"sum".to_vec(), "tabby".to_owned(), Usage::default());
        let (purpose, cost) = (Purpose::Summary, 1);
        let ops = vec![
            Op::create(made.clone()),
            Op::DeleteMany { sessions: vec![made.clone(), id("none")] },
            Op::AddSummary { session: id("s"), upto: 2, over, body, model: model.clone(), usage: None },
            Op::Bill { session: made, model, purpose, usage, cost },
        ];
        let op = OpId::fresh();
        cut();
        let done = store.apply(&ann(), op, ops.clone()).await.unwrap();
        assert_eq!(done, [Done::Version(1), Done::Count(1), Done::Seq(n + 3), Done::Nothing], "try {n}");
        assert_eq!(store.apply(&ann(), op, ops).await.unwrap(), done, "try {n}");
        assert_eq!(spent(store).await, n + 1, "try {n}");
        over = Some(n + 3);
    })
    .await;
}

/// A counter of turns without end.
fn limit(limit: u64) -> Counter {
    let (name, key, window) = (format!("below {limit}"), "all".to_owned(), Duration::from_millis(1 << 50));
    Counter { name, key, window, add: 1, limit, unit: Unit::Turns }
}

fn give_back(opened: &Opened) -> Vec<Settle> {
    let settle = |Reserved { name, key, start_ms, .. }| Settle { name, key, start_ms, by: -1 };
    opened.session.reserved.iter().cloned().map(settle).collect()
}

/// How far all counters of [`limit`] that these tests use have come.
async fn counted(store: &Postgres) -> u64 {
    let id = |Counter { name, key, window, .. }| CounterId { name, key, window };
    match store.query(&ann(), Query::Counters([9, u64::MAX].map(|most| id(limit(most))).into())).await.unwrap() {
        Answer::Counters(counts) => counts.iter().sum(),
        other => panic!("expected counters, got {other:?}"),
    }
}

/// What the owner's ledger says of the cost.
async fn spent(store: &Postgres) -> u64 {
    let query = Query::Usage { from_ms: None, to_ms: None, session: None, by: Vec::new() };
    match store.query(&ann(), query).await.unwrap() {
        Answer::Usage(sums) => sums[0].cost,
        other => panic!("expected sums, got {other:?}"),
    }
}

#[tokio::test]
async fn an_opening_that_is_cut_anywhere_leaves_nothing_or_all() {
    let Wired { database, proxy, store } = wired().await;
    store.close().await.unwrap();
    let mut cut = 0;
    loop {
        database.sql("DROP SCHEMA IF EXISTS catgpt CASCADE");
        proxy.cut_after(cut);
        let opened = Postgres::open(&proxy.url(&database)).await;
        if proxy.spare() {
            break;
        }
        if let Err(error) = opened {
            assert!(error.kind() == crate::ErrorKind::Store, "at byte {cut}: {error:?}");
        }
        let store = Postgres::open(&database.url()).await.unwrap();
        opened_turn(&store).await;
        cut += 997;
    }
    assert!(cut > 10_000, "the schema went over the wire");
}

async fn opened_turn(store: &Postgres) {
    let begin = say("s", "hi");
    let turn = begin.turn;
    opened(store.begin_turn(&ann(), begin).await);
    assert_eq!(store.finish_turn(&ann(), end(turn, "hello")).await.unwrap(), Sealed::Now);
}

//! What is older than a day goes, a bounded number at a time.

use std::path::Path;
use std::time::Duration;

use rusqlite::Connection;

use super::files::holds;
use super::kit::{ann, end, folder, id, open, say, talk};
use crate::id::{OpId, Owner};
use crate::memory::{Answer, Begin, Begun, Counter, Done, Memory, Op, Query, Sqlite, Unit};

/// Makes everything that the store remembers a day older.
fn a_day_passes(path: &Path) {
    let conn = Connection::open(path).unwrap();
    for table in ["idem", "op", "change"] {
        conn.execute_batch(&format!("UPDATE {table} SET at = at - 86400000 - 1000")).unwrap();
    }
}

async fn numbers(store: &Sqlite) -> Vec<u64> {
    match store.query(&ann(), Query::Changes { after: 0, limit: 1000 }).await.unwrap() {
        Answer::Changes(changes) => changes.iter().map(|change| change.n).collect(),
        other => panic!("{other:?}"),
    }
}

fn title(title: &str) -> Vec<Op> {
    vec![Op::SetTitle { session: id("s"), title: Some(title.into()), over: None }]
}

#[tokio::test]
async fn the_journal_counts_on_when_all_of_it_is_swept() {
    let folder = folder();
    let path = folder.path().join("chat.db");
    let store = open(&path).await;
    talk(&store, "s", "hi").await;
    talk(&store, "s", "hi").await;
    assert_eq!(store.sweep(100).await.unwrap().deleted, 0, "nothing is due");
    assert_eq!(numbers(&store).await, [1, 2, 3, 4, 5]);
    a_day_passes(&path);
    let swept = store.sweep(3).await.unwrap();
    assert_eq!((swept.deleted, swept.more, numbers(&store).await), (3, true, vec![4, 5]));
    let swept = store.sweep(3).await.unwrap();
    assert_eq!((swept.deleted, swept.more, numbers(&store).await), (2, false, vec![]));
    talk(&store, "s", "hi").await;
    assert_eq!(numbers(&store).await, [6, 7]);
    let bob = Owner::new("bob").unwrap();
    store.apply(&bob, OpId::fresh(), vec![Op::create(id("s"))]).await.unwrap();
    a_day_passes(&path);
    store.sweep(100).await.unwrap();
    talk(&store, "s", "hi").await;
    assert_eq!(numbers(&store).await, [8, 9]);
}

#[tokio::test]
async fn keys_and_answers_are_forgotten_after_a_day_swept_or_not() {
    let folder = folder();
    let path = folder.path().join("chat.db");
    let store = open(&path).await;
    talk(&store, "s", "hi").await;
    let keyed = || Begin { key: Some(("k".into(), [1; 32])), ..say("t", "hi") };
    let op = OpId::fresh();
    let Begun::Started(_) = store.begin_turn(&ann(), keyed()).await.unwrap() else { panic!("it begins") };
    let done = store.apply(&ann(), op, title("one")).await.unwrap();
    assert_eq!(store.apply(&ann(), op, title("one")).await.unwrap(), done);
    assert!(matches!(store.begin_turn(&ann(), keyed()).await.unwrap(), Begun::Replay { .. }));
    for swept in [false, true] {
        a_day_passes(&path);
        if swept {
            // The key, the answer, the journal.
            assert!(store.sweep(100).await.unwrap().deleted > 2);
        }
        assert!(matches!(store.begin_turn(&ann(), keyed()).await.unwrap(), Begun::Busy { .. }));
        let again = store.apply(&ann(), op, title("two")).await.unwrap();
        assert!(matches!((&done[..], &again[..]), ([Done::Version(first)], [Done::Version(then)]) if then > first));
    }
}

#[tokio::test]
async fn a_session_goes_when_its_time_is_over_but_not_while_a_turn_runs() {
    let folder = folder();
    let path = folder.path().join("chat.db");
    let store = open(&path).await;
    let ttl = Some(Duration::from_secs(60));
    let mut turns = Vec::new();
    for session in ["used", "runs", "goes", "goes, too"] {
        let begin = Begin { ttl, ..say(session, "the-cat-knows") };
        turns.push(begin.turn);
        store.begin_turn(&ann(), begin).await.unwrap();
    }
    for turn in [turns[0], turns[2], turns[3]] {
        store.finish_turn(&ann(), end(turn, "the-cat-knows")).await.unwrap();
    }
    talk(&store, "stays", "hi").await;
    assert_eq!(store.sweep(100).await.unwrap().deleted, 0);
    Connection::open(&path).unwrap().execute_batch("UPDATE session SET updated_at = updated_at - 61000").unwrap();
    talk(&store, "used", "hi").await;
    let before = numbers(&store).await.len();
    let swept = store.sweep(1).await.unwrap();
    assert_eq!((swept.deleted, swept.more), (1, true));
    let swept = store.sweep(100).await.unwrap();
    assert_eq!((swept.deleted, swept.more), (1, false));
    assert_eq!(numbers(&store).await.len(), before + 2, "the journal says so");
    let all = Query::Sessions { after: None, limit: 9, archived: false };
    let Answer::Sessions { rows, .. } = store.query(&ann(), all).await.unwrap() else { panic!("sessions") };
    let ids: Vec<_> = rows.iter().map(|row| row.id.as_str()).collect();
    assert_eq!(ids, ["used", "stays", "runs"]);
    store.finish_turn(&ann(), end(turns[1], "it came to an end")).await.unwrap();
    Connection::open(&path).unwrap().execute_batch("UPDATE session SET updated_at = updated_at - 61000").unwrap();
    assert_eq!(store.sweep(100).await.unwrap().deleted, 2);
    assert!(!holds(folder.path(), b"the-cat-knows"));
}

#[tokio::test]
async fn counters_go_a_day_after_their_window() {
    let folder = folder();
    let path = folder.path().join("chat.db");
    let store = open(&path).await;
    let counter = |name: &str| Counter {
        name: name.into(),
        key: "ann".into(),
        window: Duration::from_secs(3600),
        add: 1,
        limit: 100,
        unit: Unit::Turns,
    };
    for (n, session) in ["a", "b", "c"].into_iter().enumerate() {
        let begin = Begin { reserve: (0..=n).map(|n| counter(&n.to_string())).collect(), ..say(session, "hi") };
        store.begin_turn(&ann(), begin).await.unwrap();
    }
    let count = || Connection::open(&path).unwrap().query_row("SELECT count(*) FROM counter", [], |row| row.get(0));
    let older = "UPDATE counter SET start = start - 90000000, ends = ends - 90000000";
    store.sweep(100).await.unwrap();
    assert_eq!(count(), Ok(3));
    Connection::open(&path).unwrap().execute_batch(older).unwrap();
    let swept = store.sweep(2).await.unwrap();
    assert_eq!((swept.deleted, swept.more, count()), (2, true, Ok(1)));
    let swept = store.sweep(2).await.unwrap();
    assert_eq!((swept.deleted, swept.more, count()), (1, false, Ok(0)));
}

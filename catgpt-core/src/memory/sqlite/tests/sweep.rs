//! What is older than a day goes, a bounded number at a time.

use std::path::Path;

use rusqlite::Connection;

use super::kit::{ann, folder, id, open, say, talk};
use crate::id::{OpId, Owner};
use crate::memory::{Answer, Begin, Begun, Done, Memory, Op, Query, Sqlite};

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

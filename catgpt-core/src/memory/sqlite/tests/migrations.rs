//! Files of other versions and other applications, and many who open at once.

use std::path::Path;

use rusqlite::Connection;
use tokio::task::JoinSet;

use super::super::ops;
use super::kit::{ann, end, folder, id, open, say, talk};
use crate::error::ErrorKind;
use crate::id::{Owner, TurnId};
use crate::memory::{
    Answer, Begin, Begun, Checkpoint, Done, Kept, Limit, Memory, Query, Read, Sealed, Sqlite, Unindexed,
};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn eight_open_a_new_store_at_once() {
    for _ in 0..10 {
        let folder = folder();
        let path = folder.path().join("chat.db");
        let mut openers = JoinSet::new();
        for n in 0..8 {
            let path = path.clone();
            openers.spawn(async move {
                let store = open(&path).await;
                talk(&store, &format!("s{n}"), "hi").await;
                store
            });
        }
        let stores = openers.join_all().await;
        let Answer::Sessions { rows, .. } =
            stores[0].query(&ann(), Query::Sessions { after: None, limit: 100, archived: false }).await.unwrap()
        else {
            panic!("sessions")
        };
        assert_eq!(rows.len(), 8);
    }
}

/// A store that the first version wrote.
fn written_by_v1(path: &Path) {
    let conn = Connection::open(path).unwrap();
    conn.execute_batch("PRAGMA journal_mode = WAL; BEGIN").unwrap();
    conn.execute_batch(include_str!("../v1.sql")).unwrap();
    conn.execute_batch(include_str!("v1_store.sql")).unwrap();
    conn.execute_batch("PRAGMA application_id = 0x43415447; PRAGMA user_version = 1; COMMIT").unwrap();
}

fn turn(n: u8) -> TurnId {
    format!("01900000-0000-7000-8000-0000000000{n:02}").parse().unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_store_of_the_first_version_is_whole_after_eight_open_it_at_once() {
    for _ in 0..5 {
        let folder = folder();
        let path = folder.path().join("chat.db");
        written_by_v1(&path);
        let mut openers = JoinSet::new();
        for _ in 0..8 {
            let path = path.clone();
            openers.spawn(async move { open(&path).await });
        }
        let stores = openers.join_all().await;
        let conn = Connection::open(&path).unwrap();
        let number = |sql: &str| conn.query_row(sql, [], |row| row.get::<_, i64>(0)).unwrap();
        assert_eq!(number("PRAGMA user_version"), 2);
        assert_eq!(number("SELECT count(*) FROM pragma_foreign_key_check"), 0);
        all_of_v1_is_there(&stores[3]).await;
        what_v1_began_goes_on(&stores[5]).await;
    }
}

async fn all_of_v1_is_there(store: &Sqlite) {
    let list = Query::Sessions { after: None, limit: 9, archived: false };
    let Answer::Sessions { rows, more: false } = store.query(&ann(), list).await.unwrap() else { panic!("sessions") };
    let ids: Vec<_> = rows.iter().map(|row| row.id.as_str()).collect();
    assert_eq!(ids, ["now", "trip", "empty"]);
    let trip = &rows[1];
    assert_eq!((trip.title.as_deref(), trip.pin.as_deref()), (Some(&b"Kyoto"[..]), Some(&b"persona"[..])));
    assert_eq!((trip.version, trip.messages, trip.head, trip.updated_ms), (6, 4, Some(4), 3000));
    assert_eq!((trip.pinned, trip.archived, trip.ttl, trip.summary), (false, false, None, None));
    let limit = Limit { messages: 9, bytes: 999 };
    let tree = Read::Tree { session: id("trip"), after: 0, limit, bodies: true };
    let rows = store.read(&ann(), tree).await.unwrap().rows;
    let bodies: Vec<_> = rows.iter().map(|row| std::str::from_utf8(&row.body).unwrap()).collect();
    assert_eq!(bodies, ["three days", "temples", "four days", "more temp"]);
    assert_eq!(rows[1].usage.map(|usage| (usage.input_tokens, usage.output_tokens)), Some((3, 5)));
    assert_eq!(store.query(&ann(), Query::JournalEnd).await.unwrap(), Answer::JournalEnd(8));
    let bob = Owner::new("bob").unwrap();
    assert_eq!(store.query(&bob, Query::JournalEnd).await.unwrap(), Answer::JournalEnd(3));
    let open = |session, title| Unindexed { session: id(session), indexed: 0, title };
    let unindexed = store.query(&ann(), Query::Unindexed { limit: 9 }).await.unwrap();
    assert_eq!(unindexed, Answer::Unindexed(vec![open("trip", true)]), "one turn runs, one session is empty");
}

async fn what_v1_began_goes_on(store: &Sqlite) {
    let op = "01900000-0000-7000-8000-000000000009".parse().unwrap();
    assert_eq!(store.apply(&ann(), op, vec![]).await.unwrap(), [Done::Version(6), Done::Nothing]);
    let again = Begin { key: Some(("k".into(), [0; 32])), ..say("trip", "three days") };
    assert_eq!(store.begin_turn(&ann(), again).await.unwrap(), Begun::Replay { turn: turn(1) });
    assert_eq!(store.query(&ann(), Query::Turns).await.unwrap(), Answer::Turns(vec![(id("now"), turn(2))]));
    let piece = Checkpoint::new(turn(2), 3, 5, b"lo".to_vec());
    assert_eq!(store.checkpoint(&ann(), piece).await.unwrap(), Kept::Renewed { cancel: false });
    assert_eq!(store.finish_turn(&ann(), end(turn(2), "Hello")).await.unwrap(), Sealed::Now);
    talk(store, "trip", "and a fifth day").await;
    assert_eq!(store.query(&ann(), Query::JournalEnd).await.unwrap(), Answer::JournalEnd(11));
}

#[test]
fn answers_of_operations_come_back_as_they_went() {
    let all = [Done::Version(7), Done::Nothing, Done::Count(0), Done::Seq(12), Done::Nothing];
    for n in 0..all.len() {
        assert_eq!(ops::decode(&ops::encode(&all[n..])), all[n..]);
        assert_eq!(ops::decode(&ops::encode(&all[..n])), all[..n]);
    }
    assert_eq!(ops::decode("3,,"), [Done::Version(3), Done::Nothing], "as the first version wrote it");
}

#[tokio::test]
async fn a_newer_store_is_refused_with_both_numbers() {
    let folder = folder();
    let path = folder.path().join("chat.db");
    open(&path).await.close().await.unwrap();
    Connection::open(&path).unwrap().execute_batch("PRAGMA user_version = 99").unwrap();
    let before = std::fs::read(&path).unwrap();
    let error = Sqlite::open(&path).await.unwrap_err();
    assert_eq!((error.kind(), error.is_retryable()), (ErrorKind::Store, false));
    assert_eq!((error.context("store_version"), error.context("known_version")), (Some("99"), Some("2")));
    assert!(error.message().contains("upgrade"), "{error}");
    assert_eq!(std::fs::read(&path).unwrap(), before, "nothing was written");
}

#[tokio::test]
async fn the_file_of_another_application_is_refused_untouched() {
    for made in [
        "CREATE TABLE theirs(x)",
        "PRAGMA application_id = 42",
        "PRAGMA user_version = 3",
        "PRAGMA application_id = 42; PRAGMA user_version = 1; CREATE TABLE theirs(x)",
    ] {
        let folder = folder();
        let path = folder.path().join("theirs.db");
        Connection::open(&path).unwrap().execute_batch(made).unwrap();
        let before = std::fs::read(&path).unwrap();
        let error = Sqlite::open(&path).await.unwrap_err();
        assert_eq!((error.kind(), error.is_retryable()), (ErrorKind::Store, false), "{made}");
        assert!(error.message().contains("another application"), "{error}");
        assert_eq!(error.context("path"), path.to_str());
        assert_eq!(std::fs::read(&path).unwrap(), before, "{made}");
    }
}

#[tokio::test]
async fn a_migration_that_was_cut_off_left_nothing() {
    let folder = folder();
    let path = folder.path().join("chat.db");
    let conn = Connection::open(&path).unwrap();
    conn.execute_batch("PRAGMA journal_mode = WAL; BEGIN IMMEDIATE; CREATE TABLE session(x); PRAGMA user_version = 1")
        .unwrap();
    // Dropped without a commit, as a kill would.
    drop(conn);
    talk(&open(&path).await, "s", "hi").await;
}

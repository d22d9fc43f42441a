//! Files of other versions and other applications, and many who open at once.

use rusqlite::Connection;
use tokio::task::JoinSet;

use super::kit::{ann, folder, open, talk};
use crate::error::ErrorKind;
use crate::memory::{Answer, Memory, Query, Sqlite};

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

#[tokio::test]
async fn a_newer_store_is_refused_with_both_numbers() {
    let folder = folder();
    let path = folder.path().join("chat.db");
    open(&path).await.close().await.unwrap();
    Connection::open(&path).unwrap().execute_batch("PRAGMA user_version = 99").unwrap();
    let before = std::fs::read(&path).unwrap();
    let error = Sqlite::open(&path).await.unwrap_err();
    assert_eq!((error.kind(), error.is_retryable()), (ErrorKind::Store, false));
    assert_eq!((error.context("store_version"), error.context("known_version")), (Some("99"), Some("1")));
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

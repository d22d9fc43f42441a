//! Paths that cannot be used, files that are damaged, modes, and what stays in a file.

use std::path::Path;
use std::time::Duration;

use rusqlite::Connection;

use super::kit::{ann, end, folder, id, open, say, started, talk};
use crate::error::ErrorKind;
use crate::id::OpId;
use crate::memory::{Checkpoint, Limit, Memory, Op, Read, Sqlite};

#[tokio::test]
async fn a_path_that_cannot_be_used_is_named() {
    let folder = folder();
    let path = folder.path().join("none").join("chat.db");
    let error = Sqlite::open(&path).await.unwrap_err();
    assert_eq!((error.kind(), error.is_retryable()), (ErrorKind::Store, false));
    assert!(error.message().contains("folder does not exist"), "{error}");
    assert_eq!(error.context("path"), path.to_str());
    let error = Sqlite::open(folder.path()).await.unwrap_err();
    assert_eq!((error.kind(), error.context("path")), (ErrorKind::Store, folder.path().to_str()));
    for nowhere in ["", ":memory:"] {
        assert_eq!(Sqlite::open(nowhere).await.unwrap_err().kind(), ErrorKind::InvalidInput);
    }
}

#[tokio::test]
async fn what_is_no_database_is_refused() {
    let folder = folder();
    let path = folder.path().join("notes.txt");
    std::fs::write(&path, "these are my notes, and nobody may write over them\n".repeat(50)).unwrap();
    let before = std::fs::read(&path).unwrap();
    let error = Sqlite::open(&path).await.unwrap_err();
    assert_eq!((error.kind(), error.is_retryable()), (ErrorKind::Store, false));
    assert!(error.message().contains("not a SQLite database"), "{error}");
    assert_eq!(std::fs::read(&path).unwrap(), before);
}

#[tokio::test]
async fn a_damaged_file_says_so() {
    let folder = folder();
    let path = folder.path().join("chat.db");
    let store = open(&path).await;
    for _ in 0..20 {
        talk(&store, "s", "x".repeat(2000)).await;
    }
    store.close().await.unwrap();
    let root = "SELECT rootpage FROM sqlite_schema WHERE name = 'message'";
    let root: u16 = Connection::open(&path).unwrap().query_row(root, [], |row| row.get(0)).unwrap();
    let root = usize::from(root);
    let mut bytes = std::fs::read(&path).unwrap();
    bytes[(root - 1) * 4096..root * 4096].fill(0xAA);
    std::fs::write(&path, bytes).unwrap();
    let store = open(&path).await;
    let error = store.begin_turn(&ann(), say("s", "hi")).await.unwrap_err();
    assert_eq!((error.kind(), error.is_retryable()), (ErrorKind::Store, false));
    assert!(error.message().contains("damaged"), "{error}");
}

#[tokio::test]
async fn a_store_that_stays_locked_may_be_tried_again() {
    let folder = folder();
    let path = folder.path().join("chat.db");
    let store = open(&path).await;
    store.pragma("PRAGMA busy_timeout = 20").await;
    let other = Connection::open(&path).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    let begin = say("s", "hi");
    let error = store.begin_turn(&ann(), begin.clone()).await.unwrap_err();
    assert_eq!((error.kind(), error.is_retryable()), (ErrorKind::Store, true));
    assert!(error.message().contains("locked"), "{error}");
    other.execute_batch("ROLLBACK").unwrap();
    started(store.begin_turn(&ann(), begin).await);
}

#[cfg(unix)]
#[tokio::test]
async fn only_the_owner_of_a_new_file_may_read_it() {
    use std::os::unix::fs::PermissionsExt;
    let folder = folder();
    let path = folder.path().join("chat.db");
    let store = open(&path).await;
    talk(&store, "s", "hi").await;
    let mode = |name: &str| std::fs::metadata(folder.path().join(name)).unwrap().permissions().mode() & 0o777;
    for name in ["chat.db", "chat.db-wal", "chat.db-shm"] {
        assert_eq!(mode(name), 0o600, "{name}");
    }
}

pub(super) fn holds(folder: &Path, text: &[u8]) -> bool {
    let files = std::fs::read_dir(folder).unwrap().map(|file| std::fs::read(file.unwrap().path()).unwrap());
    files.into_iter().any(|bytes| bytes.windows(text.len()).any(|window| window == text))
}

#[tokio::test]
async fn nothing_of_a_deleted_session_stays_in_any_file() {
    let folder = folder();
    let store = open(&folder.path().join("chat.db")).await;
    let secret = b"the-cat-knows";
    talk(&store, "keep", "hi").await;
    // Short and long, said and answered, in pieces.
    for length in [1, 400, 9000] {
        talk(&store, "s", secret.repeat(length)).await;
    }
    let begin = say("s", "hi");
    let turn = begin.turn;
    started(store.begin_turn(&ann(), begin).await);
    let lease = Duration::from_secs(600);
    let piece = Checkpoint { turn, from: 0, to: 9, body: secret.repeat(300), lease, sync: false };
    store.checkpoint(&ann(), piece).await.unwrap();
    store.finish_turn(&ann(), end(turn, secret.repeat(500))).await.unwrap();
    assert!(holds(folder.path(), secret));
    store.apply(&ann(), OpId::fresh(), vec![Op::Delete { session: id("s") }]).await.unwrap();
    assert!(!holds(folder.path(), secret));
}

#[tokio::test]
async fn closing_leaves_one_file_and_all_that_was_given() {
    let folder = folder();
    let path = folder.path().join("chat.db");
    let store = open(&path).await;
    let mut begins = Vec::new();
    for n in 0..20 {
        // Polled once: queued, nobody waits for the answer.
        let (owner, begin) = (ann(), say(&format!("s{n}"), "hi"));
        let mut call = Box::pin(store.begin_turn(&owner, begin.clone()));
        assert!(futures_util::poll!(&mut call).is_pending() || n > 0);
        begins.push(begin);
    }
    store.close().await.unwrap();
    let names: Vec<_> = std::fs::read_dir(folder.path()).unwrap().map(|file| file.unwrap().file_name()).collect();
    assert_eq!(names, ["chat.db"]);
    let store = open(&path).await;
    for begin in begins {
        let limit = Limit { messages: 9, bytes: 999 };
        let view = store.read(&ann(), Read::Branch { session: begin.session, head: None, limit }).await.unwrap();
        assert_eq!((view.session.running, view.rows.len()), (Some(begin.turn), 2));
    }
}

#[tokio::test]
async fn dropping_without_close_ends_the_threads() {
    let folder = folder();
    let store = open(&folder.path().join("chat.db")).await;
    talk(&store, "s", "hi").await;
    let threads = store.shelf.close().unwrap();
    drop(store);
    let crate::memory::sqlite::Threads { writer, readers, writing, reading } = threads;
    drop((writer, readers));
    // They say so by going away.
    for end in reading.into_iter().chain([writing]) {
        assert!(end.await.is_err());
    }
}

#[tokio::test]
async fn around_a_fork_no_file_is_open_and_after_it_all_goes_on() {
    let folder = folder();
    let path = folder.path().join("chat.db");
    let store = open(&path).await;
    talk(&store, "s", "hi").await;
    store.shelf.pause();
    // The last connection that closes puts the journal into the file and takes it away.
    assert!(!folder.path().join("chat.db-wal").exists());
    store.shelf.resume();
    talk(&store, "s", "and again").await;
}

//! Copies of a store that is in use.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use super::kit::{ann, folder, id, open, talk};
use crate::error::ErrorKind;
use crate::memory::{self, Answer, Limit, Memory, Query, Read, Sqlite};

async fn backup(from: &Path, to: &Path) -> crate::Result<()> {
    memory::backup(&format!("sqlite:{}", from.display()), to, |_, _| {}).await
}

async fn messages(store: &Sqlite, session: &str) -> u64 {
    match store.query(&ann(), Query::Session { session: id(session) }).await.unwrap() {
        Answer::Sessions { rows, .. } => rows[0].messages,
        other => panic!("{other:?}"),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_copy_holds_all_that_was_committed_before_it_began_while_turns_run() {
    let folder = folder();
    let (path, copy) = (folder.path().join("chat.db"), folder.path().join("copy.db"));
    let store = Arc::new(open(&path).await);
    for _ in 0..50 {
        talk(&*store, "before", "x".repeat(100_000)).await;
    }
    let (stop, turns) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
    let (writer, stopped, counted) = (Arc::clone(&store), Arc::clone(&stop), Arc::clone(&turns));
    let writing = tokio::spawn(async move {
        while !stopped.load(Ordering::Relaxed) {
            talk(&*writer, "meanwhile", "y".repeat(20_000)).await;
            counted.fetch_add(1, Ordering::Relaxed);
        }
    });
    // Turns are written before, in the midst of and after the copying of pages: each step waits for another turn.
    let seen = Arc::clone(&turns);
    let wait = move |done, total| {
        assert!(done <= total);
        let before = seen.load(Ordering::Relaxed);
        while seen.load(Ordering::Relaxed) == before {
            std::thread::yield_now();
        }
    };
    memory::backup(&format!("sqlite:{}", path.display()), &copy, wait).await.unwrap();
    stop.store(true, Ordering::Relaxed);
    writing.await.unwrap();
    assert!(turns.load(Ordering::Relaxed) > 0);
    let copied = open(&copy).await;
    assert_eq!(messages(&copied, "before").await, 100);
    let limit = Limit { messages: 500, bytes: 1 << 30 };
    let read = Read::Tree { session: id("before"), after: 0, limit, bodies: true };
    assert_eq!(copied.read(&ann(), read.clone()).await.unwrap().rows, store.read(&ann(), read).await.unwrap().rows);
    // It is a store, and takes turns itself.
    talk(&copied, "before", "more").await;
    assert_eq!((messages(&copied, "before").await, messages(&store, "before").await), (102, 100));
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        assert_eq!(std::fs::metadata(&copy).unwrap().permissions().mode() & 0o777, 0o600);
    }
}

#[tokio::test]
async fn a_backup_overwrites_nothing_and_leaves_nothing_behind() {
    let folder = folder();
    let (path, copy) = (folder.path().join("chat.db"), folder.path().join("copy.db"));
    let store = open(&path).await;
    talk(&store, "s", "hi").await;
    backup(&path, &copy).await.unwrap();
    let first = std::fs::read(&copy).unwrap();
    let error = backup(&path, &copy).await.unwrap_err();
    assert_eq!((error.kind(), error.context("path")), (ErrorKind::InvalidInput, copy.to_str()));
    assert_eq!(std::fs::read(&copy).unwrap(), first);
    let nowhere = folder.path().join("none").join("copy.db");
    assert_eq!(backup(&path, &nowhere).await.unwrap_err().kind(), ErrorKind::InvalidInput);
    let other = folder.path().join("other.db");
    assert_eq!(backup(&folder.path().join("none.db"), &other).await.unwrap_err().kind(), ErrorKind::Store);
    std::fs::write(folder.path().join("other.db.partial"), "").unwrap();
    let error = backup(&path, &other).await.unwrap_err();
    assert!(error.to_string().contains("other.db.partial"), "{error}");
    std::fs::remove_file(folder.path().join("other.db.partial")).unwrap();
    let mut names: Vec<_> = std::fs::read_dir(folder.path()).unwrap().map(|file| file.unwrap().file_name()).collect();
    names.sort();
    assert_eq!(names, ["chat.db", "chat.db-shm", "chat.db-wal", "copy.db"]);
}

#[tokio::test]
async fn other_stores_say_what_to_do_instead() {
    for (url, advice) in [("memory:", "export"), ("postgres://u:hunter2@h/d", "pg_dump")] {
        let error = memory::backup(url, "copy.db", |_, _| {}).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unsupported);
        assert!(error.to_string().contains(advice) && !error.to_string().contains("hunter2"), "{error}");
    }
}

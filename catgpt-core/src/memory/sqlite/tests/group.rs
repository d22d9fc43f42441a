//! One commit for many: who fails falls alone, and who is told "done" is on disk.

use std::sync::mpsc;

use tokio::sync::oneshot;

use super::kit::{ann, folder, id, open, say, started, talk};
use crate::error::ErrorKind;
use crate::id::OpId;
use crate::memory::sqlite::Sqlite;
use crate::memory::sqlite::writer::{Care, Job};
use crate::memory::{Begin, Begun, Memory, Op, Query};

/// Keeps the writer busy until the sender is dropped, so that what is sent meanwhile becomes one batch.
async fn hold(store: &Sqlite) -> mpsc::Sender<()> {
    let (go, wait) = mpsc::channel();
    let (began, begun) = oneshot::channel();
    let (job, _) = Job::new(Care::Process, move |_| {
        let _ = began.send(());
        let _: Result<(), _> = wait.recv();
        Ok(())
    });
    let queue = store.shelf.with(|threads| threads.writer.clone()).unwrap();
    queue.send(job).await.ok().unwrap();
    begun.await.unwrap();
    go
}

/// Sends all of `begins` in one batch.
async fn together(store: &Sqlite, begins: Vec<Begin>) -> Vec<crate::Result<Begun>> {
    let go = hold(store).await;
    let owner = ann();
    let mut calls: Vec<_> = begins.into_iter().map(|begin| Box::pin(store.begin_turn(&owner, begin))).collect();
    for call in &mut calls {
        assert!(futures_util::poll!(call).is_pending());
    }
    drop(go);
    futures_util::future::join_all(calls).await
}

#[tokio::test]
async fn who_fails_does_not_undo_its_neighbours() {
    let folder = folder();
    let store = open(&folder.path().join("chat.db")).await;
    talk(&store, "old", "hi").await;
    let wrong = |session: &str| Begin { if_version: Some(77), ..say(session, "x") };
    // First, in the middle, last, and twice in a row.
    let begins = vec![wrong("old"), say("a", "x"), wrong("old"), wrong("a"), say("b", "x"), say("b", "y"), wrong("c")];
    let turns = [begins[1].turn, begins[4].turn];
    let begun = together(&store, begins).await;
    for failed in [0, 2, 3, 6] {
        assert_eq!(begun[failed].as_ref().unwrap_err().kind(), ErrorKind::Conflict, "{failed}");
    }
    assert!(matches!(begun[5], Ok(Begun::Busy { turn, .. }) if turn == turns[1]));
    let mut running = match store.query(&ann(), Query::Turns).await.unwrap() {
        crate::memory::Answer::Turns(running) => running,
        other => panic!("{other:?}"),
    };
    running.sort();
    assert_eq!(running, [(id("a"), turns[0]), (id("b"), turns[1])]);
}

#[tokio::test]
async fn who_finds_no_room_takes_down_nobody_who_was_told_it_is_done() {
    let folder = folder();
    let store = open(&folder.path().join("chat.db")).await;
    talk(&store, "old", "hi").await;
    store.pragma("PRAGMA max_page_count = 1").await;
    let begins = vec![say("a", "x"), say("huge", vec![b'x'; 1 << 20]), say("b", "x"), say("old", "x")];
    let again = begins.clone();
    let begun = together(&store, begins).await;
    assert_eq!(begun[1].as_ref().unwrap_err().kind(), ErrorKind::StoreFull);
    store.pragma("PRAGMA max_page_count = 4294967294").await;
    for (begin, begun) in again.into_iter().zip(begun) {
        let there = store.query(&ann(), Query::Session { session: begin.session.clone() }).await;
        let running = |answer| match answer {
            crate::memory::Answer::Sessions { rows, .. } => rows[0].running == Some(begin.turn),
            other => panic!("{other:?}"),
        };
        // Told that it began: it is there. Told otherwise: it is not.
        assert_eq!(there.is_ok_and(running), begun.is_ok(), "{}", begin.session);
        started(store.begin_turn(&ann(), begin).await);
    }
}

#[tokio::test]
async fn a_commit_that_fails_fails_for_all() {
    let folder = folder();
    let store = open(&folder.path().join("chat.db")).await;
    talk(&store, "old", "hi").await;
    // A deferred check is the one way to fail at COMMIT that can be had at will.
    let go = hold(&store).await;
    let owner = ann();
    let mut neighbour = Box::pin(store.begin_turn(&owner, say("a", "x")));
    assert!(futures_util::poll!(&mut neighbour).is_pending());
    let (job, answer) = Job::new(Care::Process, |conn| {
        conn.execute_batch("PRAGMA defer_foreign_keys = ON")?;
        conn.execute("INSERT INTO chunk(sid, seq, start, stop, body) VALUES(999, 1, 0, 1, x'00')", [])?;
        Ok(())
    });
    store.shelf.with(|threads| threads.writer.clone()).unwrap().send(job).await.ok().unwrap();
    drop(go);
    assert!(answer.await.unwrap().is_err());
    assert_eq!(neighbour.await.unwrap_err().kind(), ErrorKind::Unexpected);
    assert_eq!(store.query(&ann(), Query::Session { session: id("a") }).await.unwrap_err().kind(), ErrorKind::NotFound);
    started(store.begin_turn(&ann(), say("a", "x")).await);
}

#[tokio::test]
async fn a_caller_who_goes_away_undoes_nothing() {
    let folder = folder();
    let store = open(&folder.path().join("chat.db")).await;
    let go = hold(&store).await;
    let owner = ann();
    let create = |name: &str| vec![Op::create(id(name))];
    let mut gone = Box::pin(store.apply(&owner, OpId::fresh(), create("a")));
    assert!(futures_util::poll!(&mut gone).is_pending());
    drop(gone);
    drop(go);
    store.apply(&owner, OpId::fresh(), create("b")).await.unwrap();
    store.query(&owner, Query::Session { session: id("a") }).await.unwrap();
}

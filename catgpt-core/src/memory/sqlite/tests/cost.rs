//! What a turn may cost: counted in statements, commits, rows and pages, not in time.

use std::path::Path;
use std::sync::{Arc, Mutex};

use rusqlite::StatementStatus;
use rusqlite::trace::{TraceEvent, TraceEventCodes};

use super::kit::{ann, end, folder, id, say, started, talk};
use crate::id::OpId;
use crate::memory::sqlite::writer::Care;
use crate::memory::sqlite::{Sqlite, connect, start};
use crate::memory::{Begin, Checkpoint, Memory, Op, Parent};

/// What the writing connection did.
#[derive(Clone, Debug, Default, PartialEq)]
struct Work {
    statements: Vec<String>,
    rows: usize,
}

impl Work {
    fn count(&self, sql: &str) -> usize {
        self.statements.iter().filter(|statement| statement.starts_with(sql)).count()
    }
}

/// A store whose writing connection is watched.
fn watched(path: &Path) -> (Sqlite, Arc<Mutex<Work>>) {
    let work = Arc::new(Mutex::new(Work::default()));
    let mut conn = connect::writer(path).unwrap();
    let seen = work.clone();
    let note = move |event: TraceEvent<'_>| match event {
        TraceEvent::Stmt(statement, _) => seen.lock().unwrap().statements.push(statement.sql().into_owned()),
        TraceEvent::Row(_) => seen.lock().unwrap().rows += 1,
        _ => {}
    };
    conn.trace_v2(TraceEventCodes::SQLITE_TRACE_STMT | TraceEventCodes::SQLITE_TRACE_ROW, Some(note)).unwrap();
    let threads = start(path, conn).unwrap();
    let path: Arc<Path> = path.into();
    (Sqlite::on(path, threads), work)
}

fn taken(work: &Mutex<Work>) -> Work {
    std::mem::take(&mut *work.lock().unwrap())
}

/// The pages that were written to the log since it was emptied.
fn pages(path: &Path) -> u64 {
    std::fs::metadata(path.with_extension("db-wal")).map_or(0, |file| file.len().saturating_sub(32) / (4096 + 24))
}

#[tokio::test]
async fn a_turn_is_two_commits_and_few_statements() {
    let folder = folder();
    let (store, work) = watched(&folder.path().join("chat.db"));
    talk(&store, "s", "hi").await;
    taken(&work);
    let begin = say("s", "hi");
    let turn = begin.turn;
    started(store.begin_turn(&ann(), begin).await);
    let begun = taken(&work);
    assert_eq!((begun.count("BEGIN IMMEDIATE"), begun.count("COMMIT"), begun.count("SAVEPOINT")), (1, 1, 0));
    assert!(begun.statements.len() <= 9, "{:#?}", begun.statements);
    let lease = std::time::Duration::from_secs(5);
    let piece = Checkpoint { turn, from: 0, to: 3, body: "Hel".into(), lease, sync: true };
    store.checkpoint(&ann(), piece).await.unwrap();
    let kept = taken(&work);
    assert_eq!(kept.count("COMMIT"), 1);
    assert!(kept.statements.len() <= 6, "{:#?}", kept.statements);
    store.finish_turn(&ann(), end(turn, "Hello")).await.unwrap();
    let finished = taken(&work);
    assert_eq!((finished.count("BEGIN IMMEDIATE"), finished.count("COMMIT")), (1, 1));
    assert!(finished.statements.len() <= 8, "{:#?}", finished.statements);
}

#[tokio::test]
async fn a_turn_costs_the_same_in_a_long_session_and_in_a_large_store() {
    let folder = folder();
    let path = folder.path().join("chat.db");
    let (store, work) = watched(&path);
    for session in 0..40 {
        talk(&store, &format!("other {session}"), "hi").await;
    }
    let mut costs = Vec::new();
    for turns in [30, 600] {
        for _ in 0..turns {
            talk(&store, "s", "hello ".repeat(70)).await;
        }
        store.pragma("PRAGMA wal_checkpoint(TRUNCATE)").await;
        taken(&work);
        let before = pages(&path);
        for _ in 0..10 {
            talk(&store, "s", "hello ".repeat(70)).await;
        }
        costs.push((taken(&work), pages(&path) - before));
    }
    let [(short, few), (long, many)] = &costs[..] else { panic!("two") };
    assert_eq!(short, long, "the same statements, the same number of rows");
    assert!(*few <= 160 && *many <= 160, "{few} and {many} pages for 10 turns");
}

#[tokio::test]
async fn a_window_skips_other_branches_without_reading_them() {
    let folder = folder();
    let (store, work) = watched(&folder.path().join("chat.db"));
    for _ in 0..30 {
        talk(&store, "s", "hi").await;
    }
    // 600 messages of another branch lie between this head and what it goes on from.
    for _ in 0..300 {
        talk(&store, "s", "elsewhere").await;
    }
    taken(&work);
    let opened = started(store.begin_turn(&ann(), Begin { parent: Parent::Under(60), ..say("s", "back") }).await);
    assert_eq!(opened.window.len(), 50);
    let rows = taken(&work).rows;
    assert!(rows <= 50 + 16 + 10, "{rows} rows");
}

#[tokio::test]
async fn only_pieces_do_without_the_disk() {
    let folder = folder();
    let (store, work) = watched(&folder.path().join("chat.db"));
    let begin = say("s", "hi");
    let turn = begin.turn;
    started(store.begin_turn(&ann(), begin).await);
    taken(&work);
    let lease = std::time::Duration::from_secs(5);
    let piece = |from: u64, sync| Checkpoint { turn, from, to: from + 1, body: "x".into(), lease, sync };
    let syncs = |work: Work| {
        let set =
            work.statements.into_iter().filter_map(|sql| Some(sql.strip_prefix("PRAGMA synchronous = ")?.to_owned()));
        set.collect::<Vec<_>>()
    };
    for from in 0..3 {
        store.checkpoint(&ann(), piece(from, false)).await.unwrap();
    }
    assert_eq!(syncs(taken(&work)), ["NORMAL"]);
    store.checkpoint(&ann(), piece(3, true)).await.unwrap();
    assert_eq!(syncs(taken(&work)), ["FULL"]);
    store.checkpoint(&ann(), piece(4, false)).await.unwrap();
    assert_eq!(syncs(taken(&work)), ["NORMAL"]);
    store.apply(&ann(), OpId::fresh(), vec![Op::SetTitle { session: id("s"), title: None, over: None }]).await.unwrap();
    assert_eq!(syncs(taken(&work)), ["FULL"]);
    store.checkpoint(&ann(), piece(5, false)).await.unwrap();
    assert_eq!(syncs(taken(&work)), ["NORMAL"]);
    store.finish_turn(&ann(), end(turn, "x")).await.unwrap();
    assert_eq!(syncs(taken(&work)), ["FULL"]);
}

#[tokio::test]
async fn statements_are_compiled_once() {
    let folder = folder();
    let (store, work) = watched(&folder.path().join("chat.db"));
    for n in 0..20 {
        talk(&store, &format!("s{}", n % 3), "hi").await;
    }
    let statements = taken(&work).statements.into_iter().collect::<std::collections::BTreeSet<_>>();
    let again = store.write(Care::Bare, |conn| {
        let again = statements
            .into_iter()
            .filter(|sql| conn.prepare_cached(sql).unwrap().get_status(StatementStatus::RePrepare) > 0);
        Ok(again.collect::<Vec<_>>())
    });
    assert_eq!(again.await.unwrap(), Vec::<String>::new());
}

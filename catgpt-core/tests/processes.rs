//! The promises of the engine between processes: several engines on one SQLite file, one of them watched, refused,
//! stopped, killed.
//!
//! The other process is this test program again. It is told by its input what to do and says what happens, so that no
//! test has to sleep. `CATGPT_ROUNDS` and `CATGPT_KILL_ROUNDS` say how long the tests with chance in them go on.
#![cfg(unix)]
#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]
#![allow(unreachable_pub, reason = "the modules are those of one test program")]

#[path = "processes/child.rs"]
mod child;
mod common;
#[path = "processes/gate.rs"]
mod gate;
#[path = "processes/killed.rs"]
mod killed;
#[cfg(feature = "redis")]
#[path = "processes/live.rs"]
mod live;
#[path = "processes/other.rs"]
mod other;
#[path = "processes/paused.rs"]
mod paused;
#[path = "processes/tools.rs"]
mod tools;
#[path = "processes/watching.rs"]
mod watching;

use std::path::Path;

use catgpt_core::{Busy, Scripted, Status};
use other::{LONG, session, shared, whole};

/// Whose sessions all of this is about.
const ME: &str = "alice";
/// The test that is the other process when its environment says so.
const CHILD: &str = "a_process_that_closes_frees_its_sessions_and_keeps_its_text";

/// How many rounds a test with chance in it goes on.
fn rounds(variable: &str, usual: usize) -> usize {
    std::env::var(variable).map_or(usual, |rounds| rounds.parse().unwrap())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_process_that_closes_frees_its_sessions_and_keeps_its_text() {
    if let Some(path) = std::env::var_os(child::STORE) {
        return child::run(Path::new(&path)).await;
    }
    let store = shared();
    let mut other = store.other(LONG).await;
    other.send("a", "trip", "cued").await;
    other.tell("speak a Half").await;
    other.hear("a", &["text"]).await;
    let last = other.leave().await;
    assert!(last.iter().any(|line| line.is("a", "finished") && line.rest == "interrupted 4"), "{last:?}");
    let engine = store.engine(&Scripted::reply("Fine")).await;
    let trip = session(&engine, "trip");
    let again = trip.send("Again").busy(Busy::Reject).await.unwrap();
    assert_eq!(again.text().await.unwrap(), "Fine");
    let said: Vec<_> = whole(&trip).await.into_iter().map(|m| (m.status, m.text())).collect();
    assert_eq!(said[1], (Status::Interrupted, "Half".to_owned()));
}

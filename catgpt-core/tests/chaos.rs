//! Three replicas on one PostgreSQL and one Redis, clients that do as they please, and everything breaks. What all of them
//! saw is written down, and a checker compares it with what is stored in the end.
//!
//! `cargo xtask chaos --seconds 600 --seed 7` runs it for longer; here it takes half a minute.
#![cfg(unix)]
#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]
#![allow(clippy::print_stdout, reason = "a run tells its seed and its figures")]
#![allow(unreachable_pub, reason = "the modules are those of one test program")]
#![allow(clippy::large_futures, reason = "there are few of them, each a task of its own")]

#[path = "chaos/checker.rs"]
mod checker;
#[path = "chaos/client.rs"]
mod client;
#[path = "chaos/driver.rs"]
mod driver;
#[path = "chaos/history.rs"]
mod history;
#[path = "chaos/model.rs"]
mod model;
#[path = "chaos/nemesis.rs"]
mod nemesis;
#[path = "chaos/replica.rs"]
mod replica;
#[path = "chaos/report.rs"]
mod report;
#[path = "chaos/slot.rs"]
mod slot;
#[path = "chaos/wire.rs"]
mod wire;
#[path = "chaos/world.rs"]
mod world;

use std::time::Duration;

/// The test that is a replica when its environment says so.
const NAME: &str = "nothing_is_lost_doubled_or_left_hanging_whatever_breaks";
/// How long it goes on, and what its chances come from.
const SECONDS: &str = "CATGPT_CHAOS_SECONDS";
const SEED: &str = "CATGPT_CHAOS_SEED";

/// A number from the environment.
fn given(variable: &str) -> Option<u64> {
    std::env::var(variable).ok().map(|number| number.parse().unwrap())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_lost_doubled_or_left_hanging_whatever_breaks() {
    if let Ok(store) = std::env::var(replica::STORE) {
        return replica::run(&store).await;
    }
    let seconds = Duration::from_secs(given(SECONDS).unwrap_or(15));
    let seed = given(SEED).unwrap_or_else(|| fastrand::u64(..1_000_000));
    println!("seed {seed}, {} s", seconds.as_secs());
    let (history, store) = driver::run(seed, seconds).await;
    print!("{}", report::figures(&history, &store));
    let flaws = checker::check(&history, &store);
    if !flaws.is_empty() {
        let path = driver::keep(seed, &history, &store);
        panic!("seed {seed}, history in {}:\n{}", path.display(), report::accusation(&flaws));
    }
}

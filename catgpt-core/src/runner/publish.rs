//! Shows a running turn to other processes: a reader of its log like any other, which hands on what it reads.
//!
//! It waits for nobody and nobody waits for it: while the live log is slow or gone the reply goes on, and what was missed
//! goes out in one piece later.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, sleep, timeout_at};

use super::Held;
use crate::body::frame;
use crate::id::{Owner, TurnId};
use crate::live::Live;
use crate::live::local::Log;

/// The least time between two frames, so that many small pieces go together.
const EVERY: Duration = Duration::from_millis(50);
/// So much content does not wait.
const ENOUGH: u64 = 1 << 10;
/// The pause after a failure.
const PAUSE: Duration = Duration::from_millis(250);

/// Hands on a turn's log to its end, which is said on every outcome and after its commit.
pub(super) async fn publish(live: Arc<dyn Live>, owner: Owner, turn: TurnId, log: Arc<Log>, _held: Held) {
    let (mut sent, mut next, mut failing) = (0, Instant::now(), false);
    loop {
        // In this order a reply that flows wakes it once a frame, and a word after a silence goes out at once.
        let _ = timeout_at(next, log.reached(sent + ENOUGH)).await;
        log.reached(sent + 1).await;
        let (content, ended) = log.since(sent);
        let frame = frame(&content, sent, ended);
        let end = frame.end;
        next = Instant::now() + EVERY;
        match live.append(&owner, turn, frame).await {
            Ok(()) => (sent, failing) = (end, false),
            Err(error) => {
                if !failing {
                    tracing::warn!(%error, %turn, "a reply cannot be shown to other processes; they look at the store");
                }
                failing = true;
                if !ended {
                    sleep(PAUSE).await;
                }
            }
        }
        if ended {
            return;
        }
    }
}

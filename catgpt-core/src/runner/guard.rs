//! Foreign code that the core leans on, made safe to lean on: a store that hangs or panics answers with an error within a
//! deadline, and a counter that panics is guessed for.

use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use futures_util::stream::{self, BoxStream, StreamExt};
use futures_util::{FutureExt, future};
use tokio::time::timeout;

use super::feeds::Feeds;
use crate::error::{Error, ErrorKind, Result};
use crate::id::{OpId, Owner, TurnId};
use crate::live::{Frame, Live};
use crate::memory::{
    Answer, Begin, Begun, Caps, Checkpoint, Done, Finish, Kept, Memory, Op, Query, Read, Sealed, Swept, View,
};
use crate::message::Offset;
use crate::observe::{Meter, Of};
use crate::prompt::TokenCounter;

/// How long a call may take that no running turn waits for, and the most that any may take.
pub(crate) const LONGEST: Duration = Duration::from_secs(10);
/// The least that a call is given, so that a slow disk is not taken for one that hangs.
const LEAST: Duration = Duration::from_secs(2);
/// How long the live log may take: no turn waits for it, and a burial only so long.
const LIVE: Duration = Duration::from_secs(3);

/// A store of which every call is answered.
pub(crate) struct GuardedMemory {
    memory: Arc<dyn Memory>,
    /// For what a turn writes.
    turn: Duration,
    /// Who is told that something was written.
    feeds: Arc<Feeds>,
    meter: Arc<Meter>,
}

impl GuardedMemory {
    pub(crate) fn new(memory: Arc<dyn Memory>, lease: Duration, feeds: Arc<Feeds>, meter: &Arc<Meter>) -> Self {
        Self { memory, turn: write_within(lease), feeds, meter: Arc::clone(meter) }
    }

    /// Says that something was written, even if it is unknown whether.
    fn told<T>(&self, owner: &Owner, answer: Result<T>) -> Result<T> {
        self.feeds.touched(owner);
        answer
    }

    async fn answered<T>(&self, within: Duration, call: impl Future<Output = Result<T>>) -> Result<T> {
        let counted = |error: &Error| self.meter.failed(Of::StoreErrors, error.kind());
        answered(within, call).await.inspect_err(counted)
    }
}

/// How long a turn waits for a write: half of its lease, so that one that is lost leaves time for another.
pub(crate) fn write_within(lease: Duration) -> Duration {
    (lease / 2).clamp(LEAST, LONGEST)
}

/// The answer, or an error that leaves the outcome unknown.
pub(crate) async fn answered<T>(within: Duration, call: impl Future<Output = Result<T>>) -> Result<T> {
    match timeout(within, AssertUnwindSafe(call).catch_unwind()).await {
        Ok(Ok(answer)) => answer,
        Ok(Err(_)) => {
            Err(Error::new(ErrorKind::Unexpected, "the store panicked; this is a defect of the store's code"))
        }
        Err(_) => {
            let late =
                Error::new(ErrorKind::Store, "the store did not answer in time; what became of the call is unknown");
            Err(late.with("seconds", within.as_secs()))
        }
    }
}

#[async_trait]
impl Memory for GuardedMemory {
    async fn begin_turn(&self, owner: &Owner, begin: Begin) -> Result<Begun> {
        self.told(owner, self.answered(self.turn, async { self.memory.begin_turn(owner, begin).await }).await)
    }
    async fn checkpoint(&self, owner: &Owner, checkpoint: Checkpoint) -> Result<Kept> {
        self.answered(self.turn, async { self.memory.checkpoint(owner, checkpoint).await }).await
    }
    async fn finish_turn(&self, owner: &Owner, finish: Finish) -> Result<Sealed> {
        self.told(owner, self.answered(self.turn, async { self.memory.finish_turn(owner, finish).await }).await)
    }
    async fn apply(&self, owner: &Owner, op_id: OpId, ops: Vec<Op>) -> Result<Vec<Done>> {
        let other = ops.iter().find_map(|op| if let Op::Claim { from } = op { Some(from.clone()) } else { None });
        let done = self.answered(LONGEST, async { self.memory.apply(owner, op_id, ops).await }).await;
        other.iter().for_each(|other| self.feeds.touched(other));
        self.told(owner, done)
    }
    async fn read(&self, owner: &Owner, read: Read) -> Result<View> {
        self.answered(LONGEST, async { self.memory.read(owner, read).await }).await
    }
    async fn query(&self, owner: &Owner, query: Query) -> Result<Answer> {
        self.answered(LONGEST, async { self.memory.query(owner, query).await }).await
    }
    async fn sweep(&self, limit: u32) -> Result<Swept> {
        self.answered(LONGEST, async { self.memory.sweep(limit).await }).await
    }
    fn caps(&self) -> Caps {
        self.memory.caps()
    }
    async fn close(&self) -> Result<()> {
        self.answered(LONGEST, async { self.memory.close().await }).await
    }
}

impl fmt::Debug for GuardedMemory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.memory.fmt(f)
    }
}

/// A live log that answers or fails soon, and never takes a reader with it.
pub(crate) struct GuardedLive {
    live: Arc<dyn Live>,
    meter: Arc<Meter>,
}

impl GuardedLive {
    pub(crate) fn new(live: Arc<dyn Live>, meter: &Arc<Meter>) -> Self {
        Self { live, meter: Arc::clone(meter) }
    }

    async fn answered<T>(&self, call: impl Future<Output = Result<T>>) -> Result<T> {
        let counted = |error: &Error| self.meter.failed(Of::LiveErrors, error.kind());
        answered(LIVE, call).await.inspect_err(counted)
    }
}

#[async_trait]
impl Live for GuardedLive {
    async fn append(&self, owner: &Owner, turn: TurnId, frame: Frame) -> Result<()> {
        self.answered(async { self.live.append(owner, turn, frame).await }).await
    }
    fn follow(&self, owner: &Owner, turn: TurnId, after: Offset) -> BoxStream<'static, Result<Frame>> {
        let meter = Arc::clone(&self.meter);
        let counted = move |error: &Error| meter.failed(Of::LiveErrors, error.kind());
        let panicked = |_| Error::new(ErrorKind::Unexpected, "the live log panicked; this is a defect of its code");
        match catch_unwind(AssertUnwindSafe(|| self.live.follow(owner, turn, after))) {
            Ok(frames) => {
                let frames = AssertUnwindSafe(frames).catch_unwind();
                frames.map(move |frame| frame.map_err(panicked).flatten().inspect_err(&counted)).boxed()
            }
            Err(panic) => stream::once(future::ready(Err(panicked(panic)))).boxed(),
        }
    }
    async fn tail(&self, owner: &Owner, turn: TurnId, after: Offset) -> Result<Vec<Frame>> {
        self.answered(async { self.live.tail(owner, turn, after).await }).await
    }
    async fn close(&self) -> Result<()> {
        self.answered(async { self.live.close().await }).await
    }
}

impl fmt::Debug for GuardedLive {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.live.fmt(f)
    }
}

/// A counter that always counts. One that panicked while a dead turn is buried would lock its session for ever.
pub(crate) struct GuardedCounter(pub(crate) Arc<dyn TokenCounter>);

impl TokenCounter for GuardedCounter {
    fn count(&self, text: &str) -> u64 {
        catch_unwind(AssertUnwindSafe(|| self.0.count(text))).unwrap_or_else(|_| text.len().div_ceil(4) as u64)
    }

    fn observe(&self, bytes: u64, tokens: u64) {
        // What it does not learn it does not know; nothing else depends on it.
        let _ = catch_unwind(AssertUnwindSafe(|| self.0.observe(bytes, tokens)));
    }
}

impl fmt::Debug for GuardedCounter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

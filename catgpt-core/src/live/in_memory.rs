//! A live log in this process, which can be lost on request: for tests of what is built on one.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use futures_util::stream::{BoxStream, StreamExt};
use tokio::sync::watch;

use super::{Frame, Live};
use crate::error::{Error, ErrorKind, Result};
use crate::id::{Owner, TurnId};
use crate::message::Offset;

/// A [`Live`] that engines of one process share. It keeps everything until it is dropped or [wiped](Self::wipe).
#[derive(Clone, Debug, Default)]
pub struct InMemoryLive {
    shared: Arc<Shared>,
    closed: Arc<AtomicBool>,
}

#[derive(Debug, Default)]
struct Shared {
    state: Mutex<State>,
    /// Counts changes.
    changed: watch::Sender<u64>,
}

#[derive(Debug, Default)]
struct State {
    turns: BTreeMap<TurnId, Vec<Frame>>,
    gone: bool,
}

impl InMemoryLive {
    /// An empty one.
    pub fn new() -> Self {
        Self::default()
    }

    /// Another handle on the same log: closing one leaves the other open.
    #[must_use]
    pub fn again(&self) -> Self {
        Self { shared: Arc::clone(&self.shared), closed: Arc::default() }
    }

    /// Forgets all frames.
    pub fn wipe(&self) {
        self.change(|state| state.turns.clear());
    }

    /// Cannot be reached any more (`true`), or can be again.
    pub fn set_gone(&self, gone: bool) {
        self.change(|state| state.gone = gone);
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.shared.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn change(&self, f: impl FnOnce(&mut State)) {
        f(&mut self.state());
        self.shared.changed.send_modify(|changes| *changes += 1);
    }

    fn reached(&self) -> Result<MutexGuard<'_, State>> {
        if self.closed.load(Ordering::Relaxed) {
            return Err(Error::new(ErrorKind::Closed, "the live log was closed"));
        }
        let state = self.state();
        match state.gone {
            true => Err(Error::new(ErrorKind::Unavailable, "the live log cannot be reached")),
            false => Ok(state),
        }
    }

    fn frames(&self, turn: TurnId, after: Offset) -> Result<Vec<Frame>> {
        let state = self.reached()?;
        let mut frames = Vec::new();
        for frame in state.turns.get(&turn).into_iter().flatten() {
            if frame.end > after || frame.last {
                frames.push(frame.clone());
            }
            if frame.last {
                break;
            }
        }
        Ok(frames)
    }
}

#[async_trait]
impl Live for InMemoryLive {
    async fn append(&self, _: &Owner, turn: TurnId, frame: Frame) -> Result<()> {
        drop(self.reached()?);
        self.change(|state| {
            let frames = state.turns.entry(turn).or_default();
            let newest = frames.last().map(|newest| (newest.end, newest.last));
            if newest < Some((frame.end, frame.last)) {
                frames.push(frame);
            }
        });
        Ok(())
    }

    fn follow(&self, _: &Owner, turn: TurnId, after: Offset) -> BoxStream<'static, Result<Frame>> {
        let this = self.clone();
        let frames = async_stream::stream! {
            let mut after = after;
            let mut changed = this.shared.changed.subscribe();
            loop {
                match this.frames(turn, after) {
                    Ok(frames) => for frame in frames {
                        let last = frame.last;
                        after = frame.end;
                        yield Ok(frame);
                        if last {
                            return;
                        }
                    },
                    Err(error) => {
                        yield Err(error);
                        return;
                    }
                }
                if changed.changed().await.is_err() {
                    return;
                }
            }
        };
        frames.boxed()
    }

    async fn tail(&self, _: &Owner, turn: TurnId, after: Offset) -> Result<Vec<Frame>> {
        self.frames(turn, after)
    }

    async fn close(&self) -> Result<()> {
        self.closed.store(true, Ordering::Relaxed);
        self.change(|_| ());
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::live::conformance::{Harness, Server};

    struct Here;

    #[async_trait]
    impl Harness for Here {
        async fn open(&self) -> Box<dyn Server> {
            Box::new(InMemoryLive::new())
        }
    }

    #[async_trait]
    impl Server for InMemoryLive {
        async fn handle(&self) -> Arc<dyn Live> {
            Arc::new(self.again())
        }
        async fn wipe(&self) {
            InMemoryLive::wipe(self);
        }
        async fn set_gone(&self, gone: bool) {
            InMemoryLive::set_gone(self, gone);
        }
    }

    crate::live_tests!(Here);
}

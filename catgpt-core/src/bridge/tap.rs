//! Something that comes piece by piece, as a host's event loop reads it: polled on its own thread, and rung for when there
//! is more.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Wake, Waker};

use super::hub::{Hub, Notice, fresh};
use super::runtime::{enter, generation};
use super::subscription::Polled;
use crate::error::{Error, ErrorKind, Result};

/// A source until it is over. Dropping or closing it drops the source.
#[derive(Debug)]
pub(super) struct Tap<T> {
    pub(super) id: u64,
    generation: u64,
    bell: Arc<Bell>,
    waker: Waker,
    source: Mutex<Option<T>>,
}

/// Rings at the hub when the one who polls has nothing and waits, and only then.
#[derive(Debug)]
struct Bell {
    id: u64,
    hub: Arc<Hub>,
    armed: AtomicBool,
}

impl Wake for Bell {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        if self.armed.swap(false, Ordering::AcqRel) {
            self.hub.post(Notice::Ready { id: self.id });
        }
    }
}

impl<T> Tap<T> {
    pub(super) fn new(source: T, hub: &Arc<Hub>) -> Self {
        let id = fresh();
        let bell = Arc::new(Bell { id, hub: Arc::clone(hub), armed: AtomicBool::new(false) });
        let waker = Waker::from(Arc::clone(&bell));
        Self { id, generation: generation(), bell, waker, source: Mutex::new(Some(source)) }
    }

    /// Polls once, armed: a wake that comes while nothing was found rings. What gives `Ready(None)` is over.
    pub(super) fn poll<R>(
        &self,
        poll: impl FnOnce(&mut T, &mut Context<'_>) -> Result<Poll<Option<R>>>,
    ) -> Result<Polled<R>> {
        let mut slot = self.slot()?;
        let Some(source) = slot.as_mut() else { return Ok(Polled::Over) };
        self.bell.armed.store(true, Ordering::Release);
        let polled = enter(|| poll(source, &mut Context::from_waker(&self.waker)))?;
        if polled.is_ready() {
            self.bell.armed.store(false, Ordering::Release);
        }
        Ok(match polled {
            Poll::Pending => Polled::Waiting,
            Poll::Ready(Some(found)) => Polled::Ready(found),
            Poll::Ready(None) => {
                *slot = None;
                Polled::Over
            }
        })
    }

    /// Drops the source.
    pub(super) fn close(&self) {
        if let Ok(mut slot) = self.slot() {
            let source = slot.take();
            enter(|| drop(source));
        }
    }

    /// The source, unless it is the parent's of a forked process.
    pub(super) fn slot(&self) -> Result<MutexGuard<'_, Option<T>>> {
        if self.generation != generation() {
            let stale = "this was opened before the process forked; open it again";
            return Err(Error::new(ErrorKind::Closed, stale));
        }
        Ok(self.source.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl<T> Drop for Tap<T> {
    fn drop(&mut self) {
        self.close();
        if self.generation != generation() {
            // The parent's: dropping it here would reach for threads that are not in this process.
            let source = self.source.get_mut().unwrap_or_else(PoisonError::into_inner).take();
            let _ = std::mem::ManuallyDrop::new(source);
        }
    }
}

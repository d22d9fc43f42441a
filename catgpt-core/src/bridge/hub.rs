//! What an event loop of the host is told, and the one wake that tells it to look.

use std::fmt;
use std::mem;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::Duration;

use super::log::LogRecord;
use super::{Answer, Failure};

/// So much may wait at a hub before lines of a log are lost.
const ENOUGH: usize = 1024;

/// One thing that has come.
#[derive(Debug)]
pub enum Notice {
    /// A [`Subscription`](super::Subscription) has news, or a [`Desk`](super::Desk) takes more of an answer.
    Ready {
        /// Its number.
        id: u64,
    },
    /// A call has ended.
    Done {
        /// The [`Ticket`](super::Ticket)'s number.
        id: u64,
        /// What it gave.
        outcome: Result<Answer, Failure>,
    },
    /// The host's own code is asked; it answers at the [`Desk`](super::Desk).
    Ask {
        /// The desk's number.
        desk: u64,
        /// The question's number.
        id: u64,
        /// What is asked: `stream`, `tool`, or a method of [`Memory`](crate::Memory) or [`Hook`](crate::Hook).
        method: &'static str,
        /// The arguments, as JSON.
        body: String,
    },
    /// Nobody waits for this answer any more: end the work on it.
    Forget {
        /// The question's number.
        id: u64,
    },
    /// A line of the log, for whoever [listens](super::listen).
    Log(Box<LogRecord>),
}

/// Collects [`Notice`]s for one event loop, or for one thread that waits.
pub struct Hub {
    notices: Mutex<Vec<Notice>>,
    wake: Box<dyn Fn() + Send + Sync>,
}

impl Hub {
    /// A hub whose loop is woken by `wake`: called on any thread, once for all that comes before the next
    /// [`drain`](Self::drain). It must not block and must not run host code.
    pub fn new(wake: impl Fn() + Send + Sync + 'static) -> Arc<Self> {
        Arc::new(Self { notices: Mutex::default(), wake: Box::new(wake) })
    }

    /// A hub for threads that wait in [`Parked::wait`].
    pub fn parked() -> (Arc<Self>, Parked) {
        let bell = Arc::<(Mutex<bool>, Condvar)>::default();
        let ring = Arc::clone(&bell);
        let hub = Self::new(move || {
            *ring.0.lock().unwrap_or_else(PoisonError::into_inner) = true;
            ring.1.notify_all();
        });
        (hub, Parked { bell })
    }

    /// Posts what may be lost if nobody comes for it.
    pub(super) fn tell(&self, notice: Notice) {
        self.push(notice, ENOUGH);
    }

    pub(super) fn post(&self, notice: Notice) {
        self.push(notice, usize::MAX);
    }

    fn push(&self, notice: Notice, most: usize) {
        let mut notices = self.notices.lock().unwrap_or_else(PoisonError::into_inner);
        if notices.len() >= most {
            return;
        }
        notices.push(notice);
        let first = notices.len() == 1;
        drop(notices);
        if first {
            (self.wake)();
        }
    }

    /// Wakes the loop, though nothing has come.
    pub fn ring(&self) {
        (self.wake)();
    }

    /// Takes what has come. Whatever the wake set (a byte in a pipe, a flag) must be cleared before.
    pub fn drain(&self) -> Vec<Notice> {
        mem::take(&mut self.notices.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl fmt::Debug for Hub {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Hub").finish_non_exhaustive()
    }
}

/// The waiting side of [`Hub::parked`].
#[derive(Debug)]
pub struct Parked {
    bell: Arc<(Mutex<bool>, Condvar)>,
}

impl Parked {
    /// Blocks this thread until something has come, or for `most`. Says whether something has come.
    pub fn wait(&self, most: Duration) -> bool {
        let rung = self.bell.0.lock().unwrap_or_else(PoisonError::into_inner);
        let waited = self.bell.1.wait_timeout_while(rung, most, |rung| !*rung);
        let (mut rung, _) = waited.unwrap_or_else(PoisonError::into_inner);
        mem::take(&mut rung)
    }
}

/// A number that no subscription, call or question of this process has had.
pub(super) fn fresh() -> u64 {
    static NEXT: AtomicU64 = AtomicU64::new(1);
    NEXT.fetch_add(1, Ordering::Relaxed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_number_of_notices_are_one_wake() {
        let wakes = Arc::new(AtomicU64::new(0));
        let seen = Arc::clone(&wakes);
        let hub = Hub::new(move || {
            seen.fetch_add(1, Ordering::Relaxed);
        });
        (0..3).for_each(|id| hub.post(Notice::Ready { id }));
        assert_eq!(wakes.load(Ordering::Relaxed), 1);
        assert_eq!(hub.drain().len(), 3);
        hub.post(Notice::Ready { id: 9 });
        assert_eq!(wakes.load(Ordering::Relaxed), 2);
    }

    #[test]
    fn a_thread_waits_for_what_comes_and_no_longer() {
        let (hub, parked) = Hub::parked();
        assert!(!parked.wait(Duration::ZERO));
        let poster = Arc::clone(&hub);
        let thread = std::thread::spawn(move || poster.post(Notice::Ready { id: 1 }));
        assert!(parked.wait(Duration::from_secs(10)));
        thread.join().unwrap();
        assert_eq!(hub.drain().len(), 1);
        assert!(!parked.wait(Duration::ZERO));
    }
}

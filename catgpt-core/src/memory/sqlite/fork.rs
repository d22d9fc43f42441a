//! Forks: a child must inherit no open file, for SQLite counts its locks in the process's memory, and the copy would count
//! locks that nobody holds. So all files are closed before a fork, and opened again in the parent.

use std::path::Path;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, Weak};
use std::time::{Duration, Instant};

use tokio::sync::oneshot;
use tokio::sync::oneshot::error::TryRecvError;

use super::{Threads, connect, start};
use crate::error::{Error, ErrorKind, Result};

/// How long a fork waits for what is being written.
const PATIENCE: Duration = Duration::from_secs(5);

static SHELVES: Mutex<Vec<Weak<Shelf>>> = Mutex::new(Vec::new());

/// What a store holds of its threads, which a fork takes away for a moment.
pub(super) struct Shelf {
    path: Arc<Path>,
    state: Mutex<State>,
    back: Condvar,
}

enum State {
    Open(Threads),
    Forking,
    Closed,
}

impl Shelf {
    pub(super) fn new(path: Arc<Path>, threads: Threads) -> Arc<Self> {
        let shelf = Arc::new(Self { path, state: Mutex::new(State::Open(threads)), back: Condvar::new() });
        let mut shelves = lock(&SHELVES);
        shelves.retain(|shelf| shelf.strong_count() > 0);
        shelves.push(Arc::downgrade(&shelf));
        shelf
    }

    /// Looks at the threads. During a fork this waits, for a few milliseconds.
    pub(super) fn with<T>(&self, look: impl FnOnce(&Threads) -> T) -> Result<T> {
        match &*self.settled() {
            State::Open(threads) => Ok(look(threads)),
            _ => Err(Error::new(ErrorKind::Closed, "the store is closed: open it again")),
        }
    }

    /// Takes the threads for good.
    pub(super) fn close(&self) -> Option<Threads> {
        match std::mem::replace(&mut *self.settled(), State::Closed) {
            State::Open(threads) => Some(threads),
            _ => None,
        }
    }

    fn settled(&self) -> MutexGuard<'_, State> {
        let forking = |state: &mut State| matches!(state, State::Forking);
        self.back.wait_while(lock(&self.state), forking).unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn pause(&self) {
        let mut state = lock(&self.state);
        if matches!(*state, State::Open(_))
            && let State::Open(threads) = std::mem::replace(&mut *state, State::Forking)
        {
            drop(state);
            let Threads { writer, readers, writing, reading } = threads;
            drop((writer, readers));
            let end = Instant::now() + PATIENCE;
            reading.into_iter().chain([writing]).for_each(|thread| wait(thread, end));
        }
    }

    pub(super) fn resume(&self) {
        let mut state = lock(&self.state);
        if matches!(*state, State::Forking) {
            // What cannot be opened any more is closed, and says so.
            let threads = connect::writer(&self.path).and_then(|conn| start(&self.path, conn));
            *state = threads.map_or(State::Closed, State::Open);
            self.back.notify_all();
        }
    }
}

/// Before this process forks: closes the files of all stores after what they were given. Calls wait until [`resume`].
pub fn pause() {
    shelves().iter().for_each(|shelf| shelf.pause());
}

/// After the fork, in the parent: opens them again.
pub fn resume() {
    shelves().iter().for_each(|shelf| shelf.resume());
}

/// After the fork, in the child: lets go of them, for they are the parent's. The child opens its own.
pub fn forget() {
    lock(&SHELVES).clear();
}

fn shelves() -> Vec<Arc<Shelf>> {
    lock(&SHELVES).iter().filter_map(Weak::upgrade).collect()
}

/// Waits for a thread's end, without a runtime and not for ever.
fn wait(mut thread: oneshot::Receiver<()>, end: Instant) {
    while matches!(thread.try_recv(), Err(TryRecvError::Empty)) && Instant::now() < end {
        std::thread::sleep(Duration::from_millis(1));
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

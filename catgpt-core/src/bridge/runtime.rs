//! The one runtime of a process: begun by the first call, never by loading, and begun anew in a forked child.

use std::mem::ManuallyDrop;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::runtime::{Builder, EnterGuard, Handle, Runtime};

use crate::error::{Error, ErrorKind, Result};

/// How many threads drive turns. They decode, write logs and wait: two carry hundreds of thousands of events a second,
/// and each more wakes another core for the same work.
const THREADS: usize = 2;

static GENERATION: AtomicU64 = AtomicU64::new(0);
static RUNTIME: Mutex<Option<(u64, ManuallyDrop<Runtime>)>> = Mutex::new(None);

/// Tells that this process is about to fork: what must not be copied is closed, and calls wait until [`after_fork`].
pub fn before_fork() {
    super::log::before_fork();
    #[cfg(feature = "sqlite")]
    crate::memory::fork::pause();
}

/// Tells the parent that it has forked: all goes on.
pub fn after_fork() {
    super::log::after_fork();
    #[cfg(feature = "sqlite")]
    crate::memory::fork::resume();
}

/// Tells that this process is a forked child. Threads do not survive a fork: what the parent had running is left alone,
/// and the next call begins a runtime of its own.
pub fn forked() {
    GENERATION.fetch_add(1, Ordering::Relaxed);
    super::log::forked();
    #[cfg(feature = "sqlite")]
    crate::memory::fork::forget();
}

/// Counts forks; what bears another number belongs to a parent.
pub(super) fn generation() -> u64 {
    GENERATION.load(Ordering::Relaxed)
}

/// The runtime, begun if it is not there.
pub(super) fn get() -> Result<Handle> {
    let mut slot = RUNTIME.lock().unwrap_or_else(PoisonError::into_inner);
    match &*slot {
        Some((begun_in, runtime)) if *begun_in == generation() => Ok(runtime.handle().clone()),
        _ => {
            let built = Builder::new_multi_thread().worker_threads(THREADS).thread_name("catgpt").enable_all().build();
            let failed = |cause| Error::new(ErrorKind::Unexpected, "no runtime could be begun").caused_by(cause);
            let runtime = built.map_err(failed)?;
            let handle = runtime.handle().clone();
            *slot = Some((generation(), ManuallyDrop::new(runtime)));
            Ok(handle)
        }
    }
}

/// Makes the runtime known to this thread while `f` runs, so that subscriptions can be polled and dropped.
pub fn enter<T>(f: impl FnOnce() -> T) -> T {
    let handle = get().ok();
    let _entered: Option<EnterGuard<'_>> = handle.as_ref().map(Handle::enter);
    f()
}

/// Ends the runtime of this process, waiting at most `most` for what runs. Turns that run are interrupted as by a crash:
/// close engines first. A later call begins a new one.
pub fn shutdown(most: Duration) {
    let taken = RUNTIME.lock().unwrap_or_else(PoisonError::into_inner).take();
    if let Some((begun_in, runtime)) = taken
        && begun_in == generation()
    {
        ManuallyDrop::into_inner(runtime).shutdown_timeout(most);
    }
}

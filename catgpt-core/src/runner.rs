//! Where model, memory and live meet: it knows the turns that run here, begins them, stops them and buries the dead.

pub(crate) mod begin;
mod decide;
mod drive;
mod feed;
pub(crate) mod feeds;
mod follow;
pub(crate) mod guard;
mod health;
pub(crate) mod hooks;
mod index;
mod jobs;
pub(crate) mod limits;
mod observed;
mod publish;
#[cfg(feature = "encryption")]
mod reseal;
pub(crate) mod summaries;
pub(crate) mod titles;
pub(crate) mod tools;

use std::collections::{HashMap, HashSet};
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use futures_util::task::AtomicWaker;
use tokio::sync::Notify;
use tokio::task::JoinHandle;
use tokio::time::timeout;

use crate::error::{Error, ErrorKind, Result};
use crate::id::{OpId, Owner, SessionId, TurnId};
use crate::live::Live;
use crate::live::local::Log;
use crate::memory::{Done, Memory, Op};
use crate::model::ChatModel;
use crate::observe::Meter;
use crate::persona::Persona;
use crate::prompt::{TokenCounter, Window};
use crate::turn::{Rules, Stop};

/// How often a running turn writes, renews its lease and hears of a stop.
pub(crate) const TICK: Duration = Duration::from_millis(500);
/// How often turns that died are looked for.
const SWEEP_EVERY: Duration = Duration::from_secs(30);
/// How many rows a sweep touches.
const SWEEP_LIMIT: u32 = 500;

/// What an engine is made of, and what runs in it.
pub(crate) struct Runner {
    pub(crate) model: Arc<dyn ChatModel>,
    pub(crate) memory: Arc<dyn Memory>,
    pub(crate) live: Option<Arc<dyn Live>>,
    pub(crate) persona: Arc<Persona>,
    pub(crate) window: Window,
    pub(crate) counter: Arc<dyn TokenCounter>,
    pub(crate) rules: Rules,
    pub(crate) hooks: hooks::Hooks,
    pub(crate) tools: tools::Toolbox,
    pub(crate) titles: Option<titles::Titles>,
    pub(crate) summaries: Option<summaries::Summaries>,
    pub(crate) resting: summaries::Resting,
    pub(crate) lease: Duration,
    pub(crate) session_ttl: Option<Duration>,
    pub(crate) search: bool,
    #[cfg(feature = "encryption")]
    pub(crate) sealed: Option<Arc<crate::memory::Encrypted>>,
    pub(crate) meter: Arc<Meter>,
    pub(crate) record_content: bool,
    pub(crate) policy: limits::Policy,
    pub(crate) turns: Mutex<Turns>,
    pub(crate) changed: Notify,
    pub(crate) queues: begin::Queues,
    pub(crate) feeds: Arc<feeds::Feeds>,
    pub(crate) sweeper: Mutex<Option<JoinHandle<()>>>,
}

/// The turns that run here.
#[derive(Default)]
pub(crate) struct Turns {
    running: HashMap<TurnId, Arc<Running>>,
    /// What else is under way: sends that are being committed, replies that are shown to other processes, titles and
    /// summaries that are made.
    held: usize,
    closed: bool,
    stopping: bool,
    /// Whose turns ended here since the last sweep.
    talked: HashSet<Owner>,
}

impl Turns {
    fn idle(&self) -> bool {
        self.running.is_empty() && self.held == 0
    }
}

/// A turn that runs here.
pub(crate) struct Running {
    pub(crate) owner: Owner,
    pub(crate) session: SessionId,
    pub(crate) turn: TurnId,
    pub(crate) log: Arc<Log>,
    stop: Mutex<Option<Stop>>,
    waker: AtomicWaker,
}

impl Running {
    fn new(owner: Owner, session: SessionId, turn: TurnId, log: Arc<Log>) -> Self {
        Self { owner, session, turn, log, stop: Mutex::new(None), waker: AtomicWaker::new() }
    }

    /// Tells the turn to stop; the first word counts.
    pub(crate) fn stop(&self, stop: Stop) {
        self.stop.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(stop);
        self.waker.wake();
    }

    fn poll_stop(&self, cx: &Context<'_>) -> Poll<Stop> {
        self.waker.register(cx.waker());
        let stop = *self.stop.lock().unwrap_or_else(PoisonError::into_inner);
        stop.map_or(Poll::Pending, Poll::Ready)
    }
}

impl Runner {
    fn turns(&self) -> MutexGuard<'_, Turns> {
        self.turns.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Who answers where a turn says `model`.
    fn chosen(&self, model: Option<&str>) -> Result<&dyn ChatModel> {
        Ok(self.model.chosen(model)?.unwrap_or(&*self.model))
    }

    /// The turn, if it runs here and is this owner's.
    pub(crate) fn running(&self, owner: &Owner, turn: TurnId) -> Option<Arc<Running>> {
        self.turns().running.get(&turn).filter(|running| running.owner == *owner).cloned()
    }

    /// Holds the engine open while a send is committed.
    fn enter(self: &Arc<Self>) -> Result<Held> {
        let turns = self.turns();
        if turns.closed {
            return Err(Error::new(ErrorKind::Closed, "the engine is closing and takes no new turns"));
        }
        Ok(self.hold(turns))
    }

    fn hold(self: &Arc<Self>, mut turns: MutexGuard<'_, Turns>) -> Held {
        turns.held += 1;
        Held(Arc::clone(self))
    }

    fn register(self: &Arc<Self>, running: &Arc<Running>) {
        let mut turns = self.turns();
        if turns.stopping {
            running.stop(Stop::Shutdown);
        }
        turns.running.insert(running.turn, Arc::clone(running));
        if let Some(live) = &self.live {
            let held = self.hold(turns);
            tokio::spawn(publish::publish(
                Arc::clone(live),
                running.owner.clone(),
                running.turn,
                Arc::clone(&running.log),
                held,
            ));
        }
    }

    fn forget(&self, turn: TurnId) {
        let mut turns = self.turns();
        if let Some(running) = turns.running.remove(&turn) {
            turns.talked.insert(running.owner.clone());
        }
        drop(turns);
        self.changed.notify_waiters();
    }

    /// Asks a turn to stop, wherever it runs. One that has ended is left as it is.
    pub(crate) async fn cancel(&self, owner: &Owner, turn: TurnId) -> Result<()> {
        if let Some(running) = self.running(owner, turn) {
            running.stop(Stop::Cancel);
            return Ok(());
        }
        self.apply(owner, vec![Op::Cancel { turn }]).await?;
        self.bury_if_dead(owner, turn).await
    }

    /// Changes the store, again if the outcome is unknown.
    pub(crate) async fn apply(&self, owner: &Owner, ops: Vec<Op>) -> Result<Vec<Done>> {
        let op_id = OpId::fresh();
        patiently(|| self.memory.apply(owner, op_id, ops.clone())).await
    }

    /// Changes a session in which no turn may run; one that died in it is ended first. What is said is made findable later.
    pub(crate) async fn apply_idle(self: &Arc<Self>, owner: &Owner, ops: Vec<Op>) -> Result<Vec<Done>> {
        let _entered = self.enter()?;
        let done = match self.apply(owner, ops.clone()).await {
            Err(error) if error.kind() == ErrorKind::Busy => {
                let turn = error.turn().ok_or(error)?;
                self.bury_if_dead(owner, turn).await?;
                self.apply(owner, ops).await?
            }
            done => done?,
        };
        self.turns().talked.insert(owner.clone());
        self.keep_sweeping();
        Ok(done)
    }

    /// Ends what died and deletes what is due, once. A turn that cannot be ended does not keep the others from it.
    pub(crate) async fn sweep(&self) -> Result<()> {
        loop {
            let swept = self.memory.sweep(SWEEP_LIMIT).await?;
            let mut done = Ok(());
            for (owner, turn) in swept.expired {
                done = done.and(self.bury_if_dead(&owner, turn).await);
            }
            // Whatever could not be ended is listed again: the next sweep tries it, not this one for ever.
            if done.is_err() || !swept.more {
                return done;
            }
        }
    }

    /// Sweeps until the engine is closed or gone. The first send begins it, and one in another runtime begins it anew.
    fn keep_sweeping(self: &Arc<Self>) {
        let mut sweeper = self.sweeper.lock().unwrap_or_else(PoisonError::into_inner);
        if sweeper.as_ref().is_some_and(|sweeper| !sweeper.is_finished()) {
            return;
        }
        let weak = Arc::downgrade(self);
        *sweeper = Some(tokio::spawn(async move {
            loop {
                tokio::time::sleep(SWEEP_EVERY).await;
                let Some(runner) = weak.upgrade().filter(|runner| !runner.turns().closed) else { return };
                if let Err(error) = runner.sweep().await {
                    tracing::warn!(%error, "sweeping failed; it will be tried again");
                }
                runner.index_news().await;
            }
        }));
    }

    /// Refuses new sends, waits for the turns that run here, then ends the rest with the text that they have.
    pub(crate) async fn close(&self, deadline: Duration) -> Result<()> {
        self.turns().closed = true;
        self.feeds.close();
        if timeout(deadline, self.idle()).await.is_err() {
            let rest: Vec<_> = {
                let mut turns = self.turns();
                turns.stopping = true;
                turns.running.values().cloned().collect()
            };
            self.changed.notify_waiters();
            rest.iter().for_each(|running| running.stop(Stop::Shutdown));
            // Each ends within its patience with the store and one last write; nothing here can wait for ever.
            let end = self.rules.patience.saturating_add(guard::write_within(self.lease)).saturating_add(TICK * 4);
            let _ = timeout(end, self.idle()).await;
        }
        let closed = self.memory.close().await;
        if let Some(live) = &self.live
            && let Err(error) = live.close().await
        {
            tracing::warn!(%error, "the live log could not be closed; nothing is lost by that");
        }
        closed
    }

    async fn idle(&self) {
        loop {
            // Made before it is looked at, so that no change is missed in between.
            let changed = self.changed.notified();
            if self.turns().idle() {
                return;
            }
            changed.await;
        }
    }
}

impl fmt::Debug for Runner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Runner").field("model", &self.model).field("memory", &self.memory).finish_non_exhaustive()
    }
}

/// Keeps the engine from being idle.
struct Held(Arc<Runner>);

impl Drop for Held {
    fn drop(&mut self) {
        self.0.turns().held -= 1;
        self.0.changed.notify_waiters();
    }
}

pub(crate) fn wrong_answer() -> Error {
    Error::new(ErrorKind::Unexpected, "the memory answered another question than it was asked")
}

/// Tries a repeatable store call up to three times while the store says that it may be tried again.
async fn patiently<T, F>(mut call: impl FnMut() -> F) -> Result<T>
where
    F: Future<Output = Result<T>>,
{
    for pause in [50, 250] {
        match call().await {
            Err(error) if error.kind() == ErrorKind::Store && error.is_retryable() => {
                tokio::time::sleep(Duration::from_millis(pause)).await;
            }
            other => return other,
        }
    }
    call().await
}

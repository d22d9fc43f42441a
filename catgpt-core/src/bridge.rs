//! What a front end in another language stands on: the engine with plain data at its edges, and not one rule more.
//!
//! - A [`Call`] is JSON in; its answer is JSON, or a [`Subscription`] to a turn.
//! - A [`Hub`] tells the host's event loop, with **one wake for any number of news**, what has come: a subscription that
//!   can be polled, a call that has ended, a wish for the host's own code. The runtime's threads never run host code.
//! - A [`Subscription`] polls the turn's log from the host's thread: no task, no queue and no copy per subscriber. Who
//!   lags gets what was missed in one piece.
//! - [`listen`] hands the core's log to a hub, for hosts that have a log of their own.
//! - [`Desk`] is where models, stores, hooks and tools that are written in the host's language are asked, and answer.
//!
//! Everything here is used by `catgpt-py` and `catgpt-node`; other front ends are welcome to it.

mod call;
mod client;
mod config;
mod desk;
mod given;
mod hook;
mod hub;
mod jobs;
mod log;
mod memory;
mod model;
mod models;
mod news;
mod options;
mod remote;
mod run;
mod runtime;
mod script;
mod served;
mod subscription;
mod tap;
mod tool;
mod transfer;
mod watch;

use std::fmt;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures_util::FutureExt;
use tokio::sync::OnceCell;
use tokio::task::AbortHandle;

use crate::engine::Engine;
use crate::error::{Error, ErrorInfo, ErrorKind, Result};
use crate::hooks::Hook;
use crate::memory::Memory;
use crate::model::ChatModel;
use crate::tools::Tool;
use crate::transfer::Progress;

pub use call::Call;
pub use config::{Cache, Config};
pub use desk::{Desk, Heard, Said};
pub use given::{Hidden, Line, Piece, Place, Who, Words};
pub use hook::{DeskAsks, DeskHook};
pub use hub::{Hub, Notice, Parked};
pub use log::{LogLevel, LogRecord, listen};
pub use memory::{DeskCaps, DeskMemory};
pub use model::{DeskModel, DeskTimeouts};
pub use models::{Drawing, Model};
pub use options::{SendOptions, WhenBusy};
pub use remote::{Adaptive, Plain, Reasoned, Remote, Thinking, Thoughtful};
pub use runtime::{after_fork, before_fork, enter, forked, shutdown};
pub use script::Play;
pub use served::Served;
pub use subscription::{BATCH, Polled, Subscription};
pub use tool::{DeskTool, DeskToolSpec};
pub use transfer::{Content, ImportOptions};
use watch::Watch;

/// What a call gives.
#[derive(Debug)]
pub enum Answer {
    /// Data, as JSON.
    Json(String),
    /// A turn to watch.
    Reply(Box<Subscription>),
    /// A response of the HTTP API.
    Served(Box<Served>),
}

/// An error as data, and the number of the host's own failure behind it, if that is what it was.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// The error.
    pub info: ErrorInfo,
    /// The [`Desk`]'s question in which the host's code failed.
    pub cause: Option<u64>,
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self { info: error.info(), cause: desk::cause_of(&error) }
    }
}

/// A call on its way.
#[derive(Debug)]
pub struct Ticket {
    /// The number that its [`Notice::Done`] bears.
    pub id: u64,
    watch: Arc<Watch>,
    task: AbortHandle,
}

impl Ticket {
    /// The number whose [`Notice::Ready`] says that [`progress`](Self::progress) has news.
    pub fn watch(&self) -> u64 {
        self.watch.id
    }

    /// How far a call has come that was made with `watch`; `None` if there is no news of it.
    pub fn progress(&self) -> Option<Progress> {
        self.watch.take()
    }

    /// Nobody waits for the answer any more. A send that is being committed leaves nothing, or a turn that runs.
    pub fn abandon(&self) {
        self.task.abort();
    }
}

/// An engine behind plain data. Making one does no I/O; the first call opens the store.
pub struct Bridge {
    config: Config,
    model: Arc<dyn ChatModel>,
    memory: Option<Arc<dyn Memory>>,
    hooks: Vec<Arc<dyn Hook>>,
    tools: Vec<Arc<dyn Tool>>,
    /// The engine of this process; a forked child opens its own.
    engine: Mutex<(u64, Arc<Slot>)>,
}

/// The engine of one process.
#[derive(Default)]
struct Slot {
    engine: OnceCell<Engine>,
    /// It was asked to close, perhaps before it was open.
    closed: AtomicBool,
}

impl Slot {
    /// Lets it be opened no more, and says whether there is one to close. One that is being opened is waited for.
    async fn close(&self, within: Duration) -> bool {
        self.closed.store(true, SeqCst);
        let opening = self.engine.get_or_try_init(async || Err(()));
        matches!(tokio::time::timeout(within, opening).await, Ok(Ok(_)))
    }
}

impl Bridge {
    /// Reads a [`Config`]. The models of the host's own are those that it names by their numbers; a store that is handed
    /// over takes the place of the one that it names.
    ///
    /// # Errors
    /// `InvalidInput` for a config that cannot be used; the text names the field.
    pub fn new(config: &str, own: &[Arc<dyn ChatModel>], memory: Option<Arc<dyn Memory>>) -> Result<Self> {
        let config: Config = parse("config", config)?;
        config.check()?;
        let model = config.model(own)?;
        let engine = Mutex::new((runtime::generation(), Arc::default()));
        Ok(Self { config, model, memory, hooks: Vec::new(), tools: Vec::new(), engine })
    }

    /// Adds hooks, which are asked in this order.
    #[must_use]
    pub fn hooks(mut self, hooks: Vec<Arc<dyn Hook>>) -> Self {
        self.hooks.extend(hooks);
        self
    }

    /// Adds tools.
    ///
    /// # Errors
    /// As [`EngineBuilder::tools`](crate::EngineBuilder::tools).
    pub fn tools(mut self, tools: Vec<Arc<dyn Tool>>) -> Result<Self> {
        self.tools.extend(tools);
        Engine::builder().tools(self.tools.iter().cloned())?;
        Ok(self)
    }

    /// Begins a [`Call`]. Its answer comes to `hub` as [`Notice::Done`].
    ///
    /// # Errors
    /// `InvalidInput` for what is not a call; the text names the field.
    pub fn call(self: &Arc<Self>, hub: &Arc<Hub>, call: &str) -> Result<Ticket> {
        let call: Call = parse("call", call)?;
        let (id, hub, bridge) = (hub::fresh(), Arc::clone(hub), Arc::clone(self));
        let watch = Watch::new(&hub);
        let watched = Arc::clone(&watch);
        let task = runtime::get()?.spawn(async move {
            let answered = std::panic::AssertUnwindSafe(bridge.answer(call, &hub, &watched)).catch_unwind().await;
            let outcome = answered.unwrap_or_else(|_| Err(Error::new(ErrorKind::Unexpected, "the call panicked")));
            hub.post(Notice::Done { id, outcome: outcome.map_err(Failure::from) });
        });
        Ok(Ticket { id, watch, task: task.abort_handle() })
    }

    async fn answer(&self, call: Call, hub: &Arc<Hub>, watch: &Arc<Watch>) -> Result<Answer> {
        if let Call::Backup { path, watch: watched } = call {
            return self.backup(path, watched.then_some(watch)).await;
        }
        let slot = self.slot();
        if let Call::Close { deadline_ms } = call
            && !slot.close(Duration::from_millis(deadline_ms)).await
        {
            return Ok(Answer::Json("null".into()));
        }
        match slot.engine.get_or_try_init(|| self.open(&slot.closed)).await {
            Ok(engine) => call.run(engine, hub, watch).await,
            Err(error) => call.without_engine(error),
        }
    }

    async fn backup(&self, path: PathBuf, watch: Option<&Arc<Watch>>) -> Result<Answer> {
        let url = match &self.memory {
            None => self.config.store(),
            Some(_) => return Err(Error::new(ErrorKind::Unsupported, "a store of your own is backed up by you")),
        };
        let mut hears = watch.map(Watch::hears);
        let tell = move |done, total| {
            if let Some(hears) = &mut hears {
                hears(Progress { done, total: Some(total) });
            }
        };
        crate::memory::backup(url, path, tell).await.map(|()| Answer::Json("null".into()))
    }

    fn slot(&self) -> Arc<Slot> {
        let mut engine = self.engine.lock().unwrap_or_else(PoisonError::into_inner);
        if engine.0 != runtime::generation() {
            // What the parent opened is not touched here: its threads do not exist, and its files are the parent's.
            let parents = std::mem::replace(&mut *engine, (runtime::generation(), Arc::default()));
            let _ = std::mem::ManuallyDrop::new(parents);
        }
        Arc::clone(&engine.1)
    }

    async fn open(&self, closed: &AtomicBool) -> Result<Engine> {
        let error = || Error::new(ErrorKind::Closed, "the engine was closed: make another one");
        if closed.load(SeqCst) {
            return Err(error());
        }
        let engine = self.config.open(Arc::clone(&self.model), self.memory.clone(), &self.hooks, &self.tools).await?;
        // It was closed meanwhile, by somebody who perhaps waits no more.
        if closed.load(SeqCst) {
            engine.close(Duration::ZERO).await?;
            return Err(error());
        }
        Ok(engine)
    }
}

impl fmt::Debug for Bridge {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Bridge").field("model", &self.model).finish_non_exhaustive()
    }
}

/// Reads JSON from the host. The error says where and what, and quotes no value.
fn parse<T: serde::de::DeserializeOwned>(what: &'static str, json: &str) -> Result<T> {
    serde_json::from_str(json).map_err(|error| {
        let text = error.to_string();
        // serde quotes values of a wrong type; up to there it names the field and what it should be.
        let (text, _) = text.split_once("invalid value").or(text.split_once("invalid type")).unwrap_or((&text, ""));
        let text = if text.is_empty() { "a field has a value of a wrong type" } else { text };
        Error::invalid(format!("this {what} cannot be read: {text}"))
    })
}

fn json(value: &impl serde::Serialize) -> String {
    serde_json::to_string(value).expect("plain data has a JSON form")
}

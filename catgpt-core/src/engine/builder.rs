//! What an engine is made of.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Notify;

use super::Engine;
#[cfg(feature = "encryption")]
use crate::encryption::Encryption;
use crate::error::Result;
use crate::hooks::Hook;
use crate::limits::Limit;
#[cfg(feature = "encryption")]
use crate::live;
use crate::live::Live;
#[cfg(feature = "encryption")]
use crate::memory;
use crate::memory::{InMemory, MAX_BODY, Memory};
use crate::model::{ChatModel, RetryPolicy};
use crate::observe::Meter;
use crate::persona::Persona;
use crate::prices::Prices;
use crate::prompt::{Estimate, TokenCounter, Window};
use crate::runner::Runner;
use crate::runner::guard::{GuardedCounter, GuardedLive, GuardedMemory};
use crate::runner::hooks::Hooks;
use crate::runner::limits::Policy;
use crate::runner::summaries::Summaries;
use crate::runner::titles::Titles;
use crate::runner::tools::Toolbox;
use crate::tools::Tool;
use crate::turn::Rules;

/// What a stored reply may hold besides its content, in bytes: why the model stopped, what went wrong.
const AROUND_BODY: usize = 64 << 10;
/// How often the model may be asked in one turn where nothing is said.
const MAX_STEPS: u32 = 8;

/// Puts an [`Engine`] together.
#[derive(Debug)]
pub struct EngineBuilder<M> {
    model: M,
    parts: Parts,
}

/// Everything but the model.
#[derive(Debug)]
struct Parts {
    memory: Arc<dyn Memory>,
    live: Option<Arc<dyn Live>>,
    #[cfg(feature = "encryption")]
    encryption: Option<Encryption>,
    persona: Arc<Persona>,
    window: Window,
    counter: Arc<dyn TokenCounter>,
    retry: RetryPolicy,
    lease: Option<Duration>,
    hooks: Vec<Arc<dyn Hook>>,
    tools: Toolbox,
    max_steps: u32,
    session_ttl: Option<Duration>,
    titles: Option<Titles>,
    summaries: Option<Summaries>,
    search: bool,
    record_content: bool,
    policy: Policy,
}

impl EngineBuilder<()> {
    pub(super) fn new() -> Self {
        let parts = Parts {
            memory: Arc::new(InMemory::default()),
            live: None,
            #[cfg(feature = "encryption")]
            encryption: None,
            persona: Arc::new(Persona::plain()),
            window: Window::default(),
            counter: Arc::new(Estimate::default()),
            retry: RetryPolicy::default(),
            lease: None,
            hooks: Vec::new(),
            tools: Toolbox::default(),
            max_steps: MAX_STEPS,
            session_ttl: None,
            titles: None,
            summaries: None,
            search: true,
            record_content: false,
            policy: Policy::default(),
        };
        Self { model: (), parts }
    }
}

impl<M> EngineBuilder<M> {
    /// Who answers is this model.
    pub fn model(self, model: impl ChatModel) -> EngineBuilder<Arc<dyn ChatModel>> {
        EngineBuilder { model: Arc::new(model), parts: self.parts }
    }

    /// Where sessions are kept.
    #[must_use]
    pub fn memory(mut self, memory: impl Memory) -> Self {
        self.parts.memory = Arc::new(memory);
        self
    }

    /// Shows running replies to other processes on the same store as they grow. Without it they look at the store; if it is
    /// lost they do so until it is back.
    #[must_use]
    pub fn live(mut self, live: impl Live) -> Self {
        self.parts.live = Some(Arc::new(live));
        self
    }

    /// Seals what is stored, and the live log, with keys of this [`KeyProvider`](crate::encryption::KeyProvider): then
    /// whoever has the store's files, its backups or its database reads no message, title or persona. There is no search
    /// then. See [`encryption`](crate::encryption).
    #[cfg(feature = "encryption")]
    #[must_use]
    pub fn encryption(mut self, encryption: impl Into<Encryption>) -> Self {
        self.parts.encryption = Some(encryption.into());
        self
    }

    /// Who answers in sessions that have no persona yet.
    #[must_use]
    pub fn persona(mut self, persona: impl Into<Arc<Persona>>) -> Self {
        self.parts.persona = persona.into();
        self
    }

    /// How much of a conversation the model is sent.
    #[must_use]
    pub fn window(mut self, window: Window) -> Self {
        self.parts.window = window;
        self
    }

    /// How tokens are counted; by default an estimate that learns from what providers report.
    #[must_use]
    pub fn token_counter(mut self, counter: impl TokenCounter + 'static) -> Self {
        self.parts.counter = Arc::new(counter);
        self
    }

    /// Adds the application's own code at four places of each turn; see [`hooks`](crate::hooks). Hooks are asked in the
    /// order in which they are added.
    #[must_use]
    pub fn hook(mut self, hook: impl Hook) -> Self {
        self.parts.hooks.push(Arc::new(hook));
        self
    }

    /// Adds something that the model may ask for; see [`tools`](crate::tools).
    ///
    /// # Errors
    /// `InvalidInput` for a name that a model could not say or that another tool has, and for parameters that are no JSON
    /// Schema of an object.
    pub fn tool(self, tool: impl Tool) -> Result<Self> {
        self.tools([tool])
    }

    /// Adds several; `Arc<dyn Tool>` is one, too.
    ///
    /// # Errors
    /// As with [`tool`](Self::tool).
    pub fn tools<T: Tool>(mut self, tools: impl IntoIterator<Item = T>) -> Result<Self> {
        tools.into_iter().try_for_each(|tool| self.parts.tools.add(Arc::new(tool)))?;
        Ok(self)
    }

    /// How often the model may be asked in one turn, 8 if nothing is said; retries do not count. A turn in which the model
    /// asks for tools each time ends as `interrupted` with what it has.
    #[must_use]
    pub fn max_steps(mut self, steps: u32) -> Self {
        self.parts.max_steps = steps.max(1);
        self
    }

    /// How patiently the model is asked again before anything was shown.
    #[must_use]
    pub fn retry(mut self, retry: RetryPolicy) -> Self {
        self.parts.retry = retry;
        self
    }

    /// How long after their last change new sessions are deleted; by default they stay. A session may have its own time:
    /// [`Session::set_ttl`](crate::Session::set_ttl).
    #[must_use]
    pub fn session_ttl(mut self, ttl: impl Into<Option<Duration>>) -> Self {
        self.parts.session_ttl = ttl.into();
        self
    }

    /// Has a model make a title of each session's first message, beside the turn, which does not wait for it. Off if
    /// nothing is said, since it costs a request a session: then the beginning of the first message is the title, and
    /// [`Session::make_title`](crate::Session::make_title) makes one when asked to.
    #[must_use]
    pub fn titles(mut self, titles: Titles) -> Self {
        self.parts.titles = Some(titles);
        self
    }

    /// Has a model sum up the beginning of conversations that grow out of the window, after a turn and beside the next.
    /// Off if nothing is said, since it costs: then what is too far back is not sent, and
    /// [`Session::summarize`](crate::Session::summarize) sums up when asked to.
    #[must_use]
    pub fn summaries(mut self, summaries: Summaries) -> Self {
        self.parts.summaries = Some(summaries);
        self
    }

    /// Whether messages are made findable (they are by default). It is done while nobody waits, and takes about as much
    /// room as the words themselves.
    #[must_use]
    pub fn search(mut self, search: bool) -> Self {
        self.parts.search = search;
        self
    }

    /// How long a turn is believed alive after its last checkpoint, which comes every half second; the memory's own
    /// default if not set. At least 2 s, so that one slow checkpoint is not a death.
    ///
    /// A write of a turn may take half of it (2 to 10 s) before it counts as lost and is tried again, and a store that
    /// takes nothing for the whole of it ends the turn. Any other call may take 10 s.
    #[must_use]
    pub fn lease(mut self, lease: Duration) -> Self {
        self.parts.lease = Some(lease.max(Duration::from_secs(2)));
        self
    }

    /// What models cost: with it replies and the ledger tell their cost, and limits may count it. None is built in.
    #[must_use]
    pub fn prices(mut self, prices: Prices) -> Self {
        self.parts.policy.prices = prices;
        self
    }

    /// One more limit. A send that it refuses is [`Limited`](crate::ErrorKind::Limited); nothing is stored then, and no
    /// model asked. Each has its own name. Engines on one store should have the same ones.
    #[must_use]
    pub fn limit(mut self, limit: Limit) -> Self {
        self.parts.policy.limits.push(limit);
        self
    }

    /// How many turns of one owner may run at once, in all processes.
    #[must_use]
    pub fn max_running(mut self, turns: u32) -> Self {
        self.parts.policy.max_running = Some(turns);
        self
    }

    /// Whether the messages themselves are told, as events of the model's spans (`gen_ai.input.messages`,
    /// `gen_ai.output.messages`). Off if nothing is said: then no text of a message reaches a span, a log or a metric.
    #[must_use]
    pub fn record_content(mut self, record: bool) -> Self {
        self.parts.record_content = record;
        self
    }
}

impl EngineBuilder<Arc<dyn ChatModel>> {
    /// The engine. Touches nothing yet.
    pub fn build(self) -> Engine {
        let Self { model, parts } = self;
        #[cfg(feature = "encryption")]
        let (parts, sealed) = parts.seal();
        let lease = parts.lease.unwrap_or_else(|| parts.memory.caps().lease);
        let rules = Rules {
            retry: parts.retry,
            checkpoint_bytes: 4 << 10,
            max_stored: (MAX_BODY - AROUND_BODY) as u64,
            patience: lease,
            grace: Duration::from_secs(2),
            max_steps: parts.max_steps,
        };
        let (feeds, meter) = (Arc::default(), Meter::new());
        Engine {
            runner: Arc::new(Runner {
                model,
                memory: Arc::new(GuardedMemory::new(parts.memory, lease, Arc::clone(&feeds), &meter)),
                live: parts.live.map(|live| Arc::new(GuardedLive::new(live, &meter)) as Arc<dyn Live>),
                persona: parts.persona,
                window: parts.window,
                counter: Arc::new(GuardedCounter(parts.counter)),
                rules,
                hooks: Hooks::new(parts.hooks),
                tools: parts.tools,
                lease,
                session_ttl: parts.session_ttl,
                titles: parts.titles,
                summaries: parts.summaries,
                resting: Default::default(),
                search: parts.search,
                #[cfg(feature = "encryption")]
                sealed,
                feeds,
                meter,
                record_content: parts.record_content,
                policy: parts.policy,
                turns: Default::default(),
                changed: Notify::new(),
                queues: Default::default(),
                sweeper: Default::default(),
            }),
        }
    }
}

impl Parts {
    /// Puts encryption around the memory and the live log, if it is wanted.
    #[cfg(feature = "encryption")]
    fn seal(mut self) -> (Self, Option<Arc<memory::Encrypted>>) {
        let Some(encryption) = self.encryption.take() else { return (self, None) };
        let sealed = Arc::new(memory::Encrypted::new(Arc::clone(&self.memory), encryption.clone()));
        self.memory = Arc::clone(&sealed) as Arc<dyn Memory>;
        self.live = self.live.map(|log| Arc::new(live::Encrypted::new(log, encryption)) as Arc<dyn Live>);
        (self, Some(sealed))
    }
}

//! From a send to a committed turn: what may be sent, and what happens when the session is busy.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use sha2::{Digest, Sha256};
use tokio::sync::{OwnedMutexGuard, oneshot};
use tokio::time::{Instant, sleep, timeout_at};
use tracing::Span;

use super::drive::Drive;
use super::limits::{Account, Gate};
use super::tools::Offer;
use super::{Runner, Running, patiently};
use crate::body::{Body, TitleSource, encode_title};
use crate::error::{Error, ErrorKind, Result};
use crate::event::{EVENT_VERSION, Started};
use crate::id::{Owner, SessionId, TurnId};
use crate::limits::{Limit as UseLimit, LimitKeys};
use crate::live::local::Log;
use crate::memory::{Begin, Begun, MAX_BODY, Opened, Parent, Pin};
use crate::message::{Content, Part, Status};
use crate::model::{Params, Secret};
use crate::persona::Persona;
use crate::reply::{OnDrop, Reply};
use crate::tools::Decision;
use crate::turn::Decided;

/// How long `Interrupt` waits for the running turn to stop by itself.
const INTERRUPT_WAIT: Duration = Duration::from_secs(2);
/// The longest idempotency key, in bytes.
const MAX_KEY: usize = 256;
/// The longest title that is made from a prompt, in characters.
const TITLE_CHARS: usize = 60;

/// What a send does when another turn runs in the session.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Busy {
    /// Fails with [`ErrorKind::Busy`], which names the running turn.
    #[default]
    Reject,
    /// Waits for its place, up to a deadline: in the order of the calls within a process, in any order between
    /// processes. Nothing is stored before the turn begins.
    Queue {
        /// How long; then it fails with [`ErrorKind::Busy`].
        deadline: Duration,
    },
    /// Stops the running turn, which keeps its text, and takes its place.
    Interrupt,
}

impl Busy {
    /// [`Busy::Queue`] with its usual deadline of 30 s.
    pub fn queue() -> Self {
        Self::Queue { deadline: Duration::from_secs(30) }
    }
}

/// How to send, beside what.
#[derive(Clone, Default)]
pub(crate) struct Options {
    pub(crate) key: Option<String>,
    pub(crate) busy: Busy,
    pub(crate) persona: Option<Arc<Persona>>,
    pub(crate) vars: BTreeMap<String, String>,
    pub(crate) params: Params,
    pub(crate) model: Option<String>,
    pub(crate) credentials: Option<Secret>,
    pub(crate) if_version: Option<u64>,
    pub(crate) on_drop: OnDrop,
    pub(crate) limit_keys: LimitKeys,
    pub(crate) limits: Option<Vec<UseLimit>>,
    pub(crate) max_running: Option<u32>,
    /// The names of the tools that the model is offered; `None`: all.
    pub(crate) tools: Option<Vec<String>>,
}

/// What is sent. Without `Debug`, which would show it.
#[derive(Clone)]
pub(crate) struct Ask {
    pub(crate) owner: Owner,
    pub(crate) session: SessionId,
    pub(crate) parent: Parent,
    /// `None` answers the parent again.
    pub(crate) content: Option<Content>,
    /// What is decided about the calls that the parent waits with.
    pub(crate) decisions: Option<Vec<Decision>>,
    pub(crate) options: Options,
}

/// An [`Ask`] that may be committed.
#[derive(Clone)]
pub(super) struct Order {
    pub(super) ask: Ask,
    pub(super) turn: TurnId,
    pub(super) model: String,
    pub(super) gate: Gate,
    pub(super) offer: Offer,
    pub(super) decided: Vec<Decided>,
    /// When it was asked for, and under which span: held until the turn has begun.
    pub(super) asked: Instant,
    pub(super) caller: Span,
    body: Option<Vec<u8>>,
}

enum Committed {
    Reply(Box<Reply>),
    Busy { turn: TurnId },
}

/// The places of those who wait, by session.
pub(crate) type Queues = Mutex<HashMap<(Owner, SessionId), Arc<tokio::sync::Mutex<()>>>>;

impl Ask {
    fn check(&self, persona: &Persona) -> Result<()> {
        self.content.as_ref().map_or(Ok(()), Content::check)?;
        if let Some(key) = &self.options.key
            && (key.is_empty() || key.len() > MAX_KEY)
        {
            return Err(Error::invalid(format!("an idempotency key must be 1 to {MAX_KEY} bytes long")));
        }
        self.options.params.validate()?;
        let persona = self.options.persona.as_deref().unwrap_or(persona);
        persona.validate()?;
        persona.render(&self.options.vars).map(drop)
    }

    /// What an idempotency key stands for: the place and the words.
    fn hash(&self, body: Option<&[u8]>) -> [u8; 32] {
        let mut hash = Sha256::new();
        // Stores keep this, so it does not change with a name in the code.
        if let Some(decisions) = &self.decisions {
            // Whose calls they are is in their ids: a repeated decision need not know where it was made.
            hash.update("decide");
            hash.update(serde_json::to_vec(decisions).unwrap_or_default());
            return hash.finalize().into();
        }
        hash.update(match self.parent {
            Parent::Head => "head".to_owned(),
            Parent::Under(seq) => format!("under {seq}"),
            Parent::Beside(seq) => format!("beside {}", seq.unwrap_or(0)),
        });
        hash.update(body.unwrap_or_default());
        hash.finalize().into()
    }
}

impl Runner {
    /// Sends: comes back once the turn is committed and runs, whether or not anybody watches it then.
    pub(crate) async fn send(self: &Arc<Self>, ask: Ask) -> Result<Reply> {
        match ask.decisions {
            Some(_) => self.decide(ask).await,
            None => self.order(self.ordered(ask, Vec::new())?).await,
        }
    }

    /// An order, if it may be committed.
    pub(super) fn ordered(&self, ask: Ask, decided: Vec<Decided>) -> Result<Order> {
        ask.check(&self.persona)?;
        let offer = self.tools.offer(ask.options.tools.as_deref())?;
        let model = self.chosen(ask.options.model.as_deref())?;
        if !model.takes_images() && ask.content.as_ref().is_some_and(Content::has_visible_images) {
            return Err(Error::new(ErrorKind::Refused, "this model takes no pictures: send text, or choose another"));
        }
        let body = ask.content.as_ref().map(|content| Body::new(content).encode());
        if let Some(body) = &body
            && body.len() > MAX_BODY
        {
            let limit = format!("a message may have at most {MAX_BODY} bytes; send it in parts");
            return Err(Error::invalid(limit).with("bytes", body.len()));
        }
        let model = ask.options.model.clone().unwrap_or_else(|| model.name().to_owned());
        let gate = self.gate(&ask, &model)?;
        let (turn, asked, caller) = (TurnId::fresh(), Instant::now(), Span::current());
        Ok(Order { turn, model, gate, offer, decided, asked, caller, body, ask })
    }

    pub(super) async fn order(self: &Arc<Self>, order: Order) -> Result<Reply> {
        match order.ask.options.busy {
            Busy::Reject => self.once(order).await,
            Busy::Queue { deadline } => self.queue(order, later(deadline)).await,
            Busy::Interrupt => self.interrupt(order).await,
        }
    }

    pub(super) async fn once(self: &Arc<Self>, order: Order) -> Result<Reply> {
        match self.commit(order).await? {
            Committed::Reply(reply) => Ok(*reply),
            Committed::Busy { turn } => Err(busy(turn)),
        }
    }

    async fn queue(self: &Arc<Self>, order: Order, deadline: Instant) -> Result<Reply> {
        let late = |_| Error::new(ErrorKind::Busy, "the session stayed busy until the deadline");
        let _place = timeout_at(deadline, self.place(&order.ask)).await.map_err(late)?;
        loop {
            let turn = match self.commit(order.clone()).await? {
                Committed::Reply(reply) => return Ok(*reply),
                Committed::Busy { turn } => turn,
            };
            timeout_at(deadline, self.turn_ended(&order.ask.owner, turn))
                .await
                .map_err(|_| busy(turn).with("waited", "until the deadline"))?;
        }
    }

    /// Waits for this call's place among those of this process; who lets go of the guard lets the next one in.
    async fn place(&self, ask: &Ask) -> OwnedMutexGuard<()> {
        let line = {
            let mut queues = self.queues.lock().unwrap_or_else(PoisonError::into_inner);
            // Lines in which nobody stands are only held by the map.
            queues.retain(|_, line| Arc::strong_count(line) > 1);
            Arc::clone(queues.entry((ask.owner.clone(), ask.session.clone())).or_default())
        };
        line.lock_owned().await
    }

    /// Waits until it is worth asking again: for the end of a turn that runs here, else for a moment.
    async fn turn_ended(&self, owner: &Owner, turn: TurnId) {
        match self.running(owner, turn) {
            Some(running) => running.log.ended().await,
            None => sleep(self.memory.caps().poll.mul_f64(0.5 + fastrand::f64())).await,
        }
    }

    async fn interrupt(self: &Arc<Self>, order: Order) -> Result<Reply> {
        let turn = match self.commit(order.clone()).await? {
            Committed::Reply(reply) => return Ok(*reply),
            Committed::Busy { turn } => turn,
        };
        self.may_begin(&order).await?;
        let owner = &order.ask.owner;
        match self.cancel(owner, turn).await {
            // Deleted with its session meanwhile: it is not in the way any more.
            Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let stopped = timeout_at(later(INTERRUPT_WAIT), self.stopped(owner, turn)).await;
        if !matches!(stopped, Ok(Ok(()))) {
            // Its process does not listen. Writing under its id ends that turn, and no other one.
            self.bury(owner, turn, Status::Cancelled, false).await?;
        }
        self.once(order).await
    }

    /// Waits until a turn has ended, up to a time; one that died is ended.
    pub(crate) async fn ended(&self, owner: &Owner, turn: TurnId, within: Duration) -> Result<()> {
        self.bury_if_dead(owner, turn).await?;
        timeout_at(later(within), self.stopped(owner, turn)).await.unwrap_or(Ok(()))
    }

    /// Waits until the store says that the turn has ended.
    async fn stopped(&self, owner: &Owner, turn: TurnId) -> Result<()> {
        while self.is_running(owner, turn).await? {
            self.turn_ended(owner, turn).await;
        }
        Ok(())
    }

    /// Commits and starts in a task of its own: a caller who goes away meanwhile leaves nothing, or a turn that runs.
    async fn commit(self: &Arc<Self>, order: Order) -> Result<Committed> {
        if tokio::runtime::Handle::try_current().is_err() {
            return Err(Error::new(ErrorKind::Unsupported, "sending needs a tokio runtime; call it inside one"));
        }
        let entered = self.enter()?;
        self.keep_sweeping();
        let (answer, answered) = oneshot::channel();
        let runner = Arc::clone(self);
        tokio::spawn(async move {
            let begun = runner.begin(&order).await;
            let (committed, drive) = match begun {
                Ok(Some((reply, drive))) => (Ok(Committed::Reply(Box::new(reply))), drive),
                Ok(None) => (Err(Error::new(ErrorKind::Busy, "the session changed hands too often")), None),
                Err(Refused::Busy(turn)) => (Ok(Committed::Busy { turn }), None),
                Err(Refused::Error(error)) => (Err(error), None),
            };
            drop((entered, order));
            let _ = answer.send(committed);
            if let Some(drive) = drive {
                drive.run().await;
            }
        });
        let lost =
            |_| Error::new(ErrorKind::Unexpected, "the runtime ended, or code of ours panicked, during the commit");
        answered.await.map_err(lost)?
    }

    async fn begin(self: &Arc<Self>, order: &Order) -> Result<Option<(Reply, Option<Drive>)>, Refused> {
        let owner = &order.ask.owner;
        // Each round ends a turn that died; more than a few in one session means that something else is wrong.
        for _ in 0..8 {
            match patiently(|| self.memory.begin_turn(owner, self.request(order))).await? {
                Begun::Started(opened) => return Ok(Some(self.start(order, *opened))),
                Begun::Replay { turn } => {
                    let reply = self.attach(owner, turn, 0).await?.on_drop(order.ask.options.on_drop);
                    return Ok(Some((reply, None)));
                }
                Begun::Busy { turn, .. } => return Err(Refused::Busy(turn)),
                Begun::Limited { name, retry_after } => {
                    return Err(order.gate.refused(name.as_deref(), retry_after).into());
                }
                Begun::Stale { turn } => self.bury(owner, turn, Status::Interrupted, true).await?,
            }
        }
        Ok(None)
    }

    fn request(&self, order: &Order) -> Begin {
        let ask = &order.ask;
        let pin = ask.options.persona.as_deref();
        Begin {
            session: ask.session.clone(),
            turn: order.turn,
            key: ask.options.key.clone().map(|key| (key, ask.hash(order.body.as_deref()))),
            parent: ask.parent,
            if_version: ask.options.if_version,
            message: order.body.clone(),
            title: ask.content.as_ref().map(title_of),
            model: order.model.clone(),
            pin: Pin { body: pin.unwrap_or(&self.persona).encode(), replace: pin.is_some() },
            lease: self.lease,
            window: self.read_limit(),
            ttl: self.session_ttl,
            reserve: order.gate.reserve.clone(),
            max_running: order.gate.max_running,
        }
    }

    fn start(self: &Arc<Self>, order: &Order, opened: Opened) -> (Reply, Option<Drive>) {
        let ask = &order.ask;
        let pinned = opened.session.pin.as_deref().map_or_else(|| Ok((*self.persona).clone()), Persona::decode);
        let log = Log::new(Started {
            v: EVENT_VERSION,
            turn: order.turn,
            session: ask.session.clone(),
            user_seq: opened.window.last().map(|row| row.seq),
            reply_seq: opened.reply_seq,
            persona: pinned.as_ref().map_or_else(|_| "?".to_owned(), |persona| persona.name.clone()),
            model: order.model.clone(),
            offset: 0,
        });
        let running = Arc::new(Running::new(ask.owner.clone(), ask.session.clone(), order.turn, log));
        let reply = Reply::local(Arc::clone(self), Arc::clone(&running), 0).on_drop(ask.options.on_drop);
        self.register(&running);
        let reserved = opened.session.reserved.clone();
        let account = Account { model: order.model.clone(), reserved };
        let drive = Drive::new(Arc::clone(self), running, order, account, pinned, opened);
        (reply, Some(drive))
    }
}

enum Refused {
    Busy(TurnId),
    Error(Error),
}

impl From<Error> for Refused {
    fn from(error: Error) -> Self {
        Self::Error(error)
    }
}

/// So long from now; what is too long to be a time is a century.
fn later(wait: Duration) -> Instant {
    const CENTURY: Duration = Duration::from_secs(100 * 365 * 24 * 60 * 60);
    let now = Instant::now();
    now.checked_add(wait).unwrap_or_else(|| now + CENTURY)
}

pub(super) fn busy(turn: TurnId) -> Error {
    Error::new(ErrorKind::Busy, "another turn is running in this session; attach to it, wait for it, or stop it")
        .with_turn(turn)
}

/// The beginning of a prompt's first line that says something, as the session's first title; of a picture alone, what it
/// shows.
pub(crate) fn title_of(content: &Content) -> Vec<u8> {
    let shows = content.parts().iter().find_map(|part| match part {
        Part::Image(image) => Some(image.alt.clone().unwrap_or_else(|| "Image".into())),
        _ => None,
    });
    let text = content.text();
    let line = text.lines().map(str::trim).find(|line| !line.is_empty()).or(shows.as_deref()).unwrap_or_default();
    let words: String = line.chars().filter(|c| !c.is_control()).take(TITLE_CHARS).collect();
    let cut = words.len() < line.len();
    encode_title(&if cut { format!("{}…", words.trim_end()) } else { words }, TitleSource::Prompt)
}

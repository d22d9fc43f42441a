//! Drives one turn: carries out its effects and feeds it what happens, until its end is shown.

mod beside;
mod hooked;
mod material;
mod tools;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::task::{Context, Poll};

use futures_util::future::BoxFuture;
use futures_util::stream::{BoxStream, FuturesUnordered, StreamExt};
use tokio::time::{Instant, Interval, MissedTickBehavior, interval_at, sleep};
use tracing::Instrument;

use self::beside::Beside;
use self::hooked::Hooked;
use self::material::Material;
use self::tools::Tooled;
use super::begin::Order;
use super::limits::Account;
use super::observed::Observed;
use super::{Runner, Running, TICK};
use crate::body::{Body, message};
use crate::error::{Error, ErrorKind, Result};
use crate::event::Finished;
use crate::memory::{Checkpoint, Finish, Memory, Opened, Sealed};
use crate::message::{Content, Message, Offset, Part, Status, Usage};
use crate::model::{ChatModel, ModelEvent, ModelRequest};
use crate::persona::Persona;
use crate::prompt::Measured;
use crate::turn::{Effect, Input, Turn};

/// How many events of the model are taken before anything else gets its turn.
const BURST: u32 = 64;

/// A turn and what it needs to run.
pub(super) struct Drive {
    runner: Arc<Runner>,
    running: Arc<Running>,
    turn: Turn,
    /// What to ask; let go of as soon as something was shown, since it is not asked again then.
    material: Option<Result<Material>>,
    beside: Beside,
    /// The request of this step, what those before it have used, and where it begins.
    asked: Measured,
    spent: Usage,
    step_from: Offset,
    account: Account,
    model: Option<BoxStream<'static, Result<ModelEvent>>>,
    hooked: Option<Box<Hooked>>,
    tooled: Option<Box<Tooled>>,
    jobs: FuturesUnordered<BoxFuture<'static, Input>>,
    tick: Interval,
    begun: Instant,
    burst: u32,
    deaf: bool,
    news: News,
    observed: Observed,
}

/// What was shown and not announced yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum News {
    None,
    /// So many pieces.
    Fresh(u32),
    /// The model had nothing more; whoever brings its bytes gets one chance to bring more first.
    Waited,
}

impl Drive {
    pub(super) fn new(
        runner: Arc<Runner>,
        running: Arc<Running>,
        order: &Order,
        account: Account,
        persona: Result<Persona>,
        opened: Opened,
    ) -> Self {
        let hooked = Hooked::new(&runner.hooks, &running, order, &opened);
        let mut beside = Beside::new(&runner, order, &opened);
        let (window, summary) = (opened.window, opened.summary);
        let material = persona.and_then(|persona| Material::new(persona, order, (window, summary)));
        beside.measure(&runner, &material);
        let begun = Instant::now();
        let mut tick = interval_at(begun + TICK, TICK);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        Self {
            observed: Observed::new(&runner, &running, order),
            turn: Turn::new(runner.rules, hooked.is_some())
                .with_tools(order.offer.rules.clone(), order.decided.clone()),
            tooled: Tooled::new(order),
            runner,
            running,
            material: Some(material),
            beside,
            asked: Measured::default(),
            spent: Usage::default(),
            step_from: 0,
            account,
            model: None,
            hooked,
            jobs: FuturesUnordered::new(),
            tick,
            begun,
            burst: 0,
            deaf: false,
            news: News::None,
        }
    }

    /// Runs the turn to its end.
    pub(super) async fn run(self) {
        let span = self.observed.span();
        self.drive().instrument(span).await;
    }

    async fn drive(mut self) {
        loop {
            while let Some(effect) = self.turn.effect() {
                self.observed.effect(&effect);
                match effect {
                    Effect::End(finished) => return self.end(*finished),
                    effect => self.carry_out(effect),
                }
            }
            let input = std::future::poll_fn(|cx| self.poll_input(cx)).await;
            self.observed.input(&input);
            if matches!(input, Input::Model(_) | Input::ModelOver { .. }) {
                self.begin_title();
            }
            self.turn.on(input);
        }
    }

    fn carry_out(&mut self, effect: Effect) {
        match effect {
            Effect::Prepare => self.prepare(),
            Effect::Check { from, to } => self.check(from, to),
            Effect::Ask { shrink } => self.ask(shrink),
            Effect::Call(call) => self.call(call),
            Effect::StepOver { usage } => self.step_over(usage),
            Effect::Hush => self.hush(),
            Effect::Pause(pause) => self.jobs.push(Box::pin(async move {
                sleep(pause).await;
                Input::Resume
            })),
            Effect::Show(part) => self.show(part),
            Effect::Note(event) => self.running.log.note(event),
            Effect::Keep { from, to, sync } => self.keep(from, to, sync),
            Effect::Seal(finished) => self.seal(finished),
            Effect::End(_) => {}
        }
    }

    fn ask(&mut self, shrink: bool) {
        let request = match &self.material {
            Some(Ok(material)) => material
                .request(&self.runner, shrink, self.said())
                .map(|request| ModelRequest { turn: Some(self.running.turn), ..request }),
            Some(Err(error)) => Err(error.info().into()),
            None => Err(Error::new(ErrorKind::Unexpected, "the model was asked again after it had answered")),
        };
        let input = match (request, &mut self.hooked) {
            (Ok(request), Some(hooked)) => return hooked.send(request),
            (Ok(request), None) => self.stream(request),
            (Err(error), _) => Some(Input::ModelOver { error: Some(error), jitter: 1.0 }),
        };
        self.jobs.extend(input.map(|input| Box::pin(async { input }) as _));
    }

    /// Asks the model; if that fails at once, that is what has happened.
    fn stream(&mut self, request: ModelRequest) -> Option<Input> {
        self.beside.asked();
        self.asked = Measured::of(&request, self.runner.counter.as_ref());
        self.observed.asked(&request);
        // A model is foreign code: when it panics, the turn fails and the process goes on.
        match catch_unwind(AssertUnwindSafe(|| self.runner.model.stream(request))) {
            Ok(stream) => {
                self.model = Some(stream);
                None
            }
            Err(_) => Some(Input::ModelOver { error: Some(panicked()), jitter: 1.0 }),
        }
    }

    /// Lets go of the model, of what hooks are asked and of tools; all are foreign code, which may panic even then.
    fn hush(&mut self) {
        self.let_go();
        let asked = self.hooked.as_mut().map(|hooked| hooked.hush());
        let _ = catch_unwind(AssertUnwindSafe(|| drop(asked)));
        self.tooled.iter_mut().for_each(|tooled| tooled.hush());
    }

    fn let_go(&mut self) {
        let model = self.model.take();
        let _ = catch_unwind(AssertUnwindSafe(|| drop(model)));
    }

    fn show(&mut self, part: Part) {
        // What hooks wanted to be shown comes before the model is asked, and after a tool it is asked again.
        if self.model.is_some() && self.tooled.is_none() {
            self.material = None;
        }
        self.running.log.push(part);
        self.news = match self.news {
            News::Fresh(pieces) => News::Fresh(pieces + 1),
            News::None | News::Waited => News::Fresh(1),
        };
        if self.news == News::Fresh(BURST) {
            self.announce();
        }
    }

    fn announce(&mut self) {
        self.news = News::None;
        self.running.log.announce();
    }

    fn keep(&mut self, from: Offset, to: Offset, sync: bool) {
        let body = match from == to {
            true => Vec::new(),
            false => self.running.log.content(|content| Body::new(&content.between(from, to)).encode()),
        };
        let lease = self.runner.lease;
        let checkpoint = Checkpoint { turn: self.running.turn, from, to, body, lease, sync };
        let (memory, owner) = (Arc::clone(&self.runner.memory), self.running.owner.clone());
        self.jobs.push(Box::pin(async move { Input::Kept(memory.checkpoint(&owner, checkpoint).await) }));
    }

    fn seal(&mut self, mut finished: Box<Finished>) {
        // A copy, because the counter is foreign code and readers wait for the log.
        let content = self.running.log.content(Content::clone);
        let failure = finished.error.as_ref().map(|error| error.kind);
        let usage = self.used_in_all(finished.usage, &content, failure);
        let (cost, settle) = self.account.settle(&self.runner.policy.prices, &usage);
        (finished.usage, finished.cost) = (Some(usage), cost);
        let mut body = Body::new(&content);
        body.finish_reason.clone_from(&finished.finish_reason);
        body.error.clone_from(&finished.error);
        body.cost = cost;
        let (turn, status, body, cost) = (self.running.turn, finished.status, body.encode(), cost.unwrap_or_default());
        let finish = Finish { turn, status, body, usage: finished.usage, cost, settle, if_expired: false };
        let (memory, owner) = (Arc::clone(&self.runner.memory), self.running.owner.clone());
        self.jobs.push(Box::pin(async move {
            Input::Sealed(match memory.finish_turn(&owner, finish).await {
                Ok(Sealed::Before(row)) => message(*row, &[]).map(|message| Box::new(finished_of(&message))),
                Ok(Sealed::Now | Sealed::Alive { .. }) => Ok(finished),
                Err(error) => Err(error),
            })
        }));
    }

    fn end(mut self, finished: Finished) {
        self.tell(&finished);
        self.begin_title();
        self.begin_summary();
        self.runner.forget(self.running.turn);
        self.running.log.finish(finished);
    }

    /// The next thing that happens. The model comes first, but after a burst the others do, and if there is nothing then
    /// other tasks: a model that never waits would keep its thread to itself.
    fn poll_input(&mut self, cx: &mut Context<'_>) -> Poll<Input> {
        let rest = self.burst == BURST;
        if !rest && let Poll::Ready(input) = self.poll_model(cx) {
            self.burst += 1;
            return Poll::Ready(input);
        }
        self.burst = 0;
        if let Poll::Ready(input) = self.poll_others(cx) {
            return Poll::Ready(input);
        }
        match self.news {
            _ if rest => cx.waker().wake_by_ref(),
            News::Fresh(_) => {
                // Under load the next piece is a few steps of the scheduler away, and readers take both at once.
                self.news = News::Waited;
                cx.waker().wake_by_ref();
            }
            News::Waited => self.announce(),
            News::None => {}
        }
        Poll::Pending
    }

    fn poll_others(&mut self, cx: &mut Context<'_>) -> Poll<Input> {
        if !self.deaf
            && let Poll::Ready(stop) = self.running.poll_stop(cx)
        {
            self.deaf = true;
            return Poll::Ready(Input::Stop(stop));
        }
        if let Some(Poll::Ready(answer)) = self.hooked.as_mut().map(|hooked| hooked.poll(cx)) {
            match self.answered(answer) {
                Some(input) => return Poll::Ready(input),
                // The model is asked now; it has not been polled yet.
                None => cx.waker().wake_by_ref(),
            }
        }
        if let Poll::Ready(Some(input)) = self.jobs.poll_next_unpin(cx) {
            return Poll::Ready(input);
        }
        if let Some(Poll::Ready(input)) = self.tooled.as_mut().map(|tooled| tooled.poll(cx)) {
            return Poll::Ready(input);
        }
        if self.tick.poll_tick(cx).is_ready() {
            return Poll::Ready(Input::Tick { now: self.begun.elapsed() });
        }
        Poll::Pending
    }

    fn poll_model(&mut self, cx: &mut Context<'_>) -> Poll<Input> {
        let Some(model) = &mut self.model else { return Poll::Pending };
        let polled = catch_unwind(AssertUnwindSafe(|| model.poll_next_unpin(cx)));
        let error = match polled {
            Ok(Poll::Pending) => return Poll::Pending,
            Ok(Poll::Ready(Some(Ok(event)))) => {
                self.asked.answered = true;
                return Poll::Ready(match self.hooked.as_ref().map(|hooked| hooked.on_delta(&event)) {
                    None | Some(Ok(())) => Input::Model(event),
                    Some(Err(error)) => Input::Refused(error),
                });
            }
            Ok(Poll::Ready(Some(Err(error)))) => Some(error),
            Ok(Poll::Ready(None)) => None,
            Err(_) => Some(panicked()),
        };
        // What the hooks are asked meanwhile is still to be answered.
        self.let_go();
        Poll::Ready(Input::ModelOver { error, jitter: fastrand::f64() })
    }
}

/// A drive that is dropped before its end (the runtime went away, or a defect) still ends its log: nobody hangs.
impl Drop for Drive {
    fn drop(&mut self) {
        if self.running.log.is_finished() {
            return;
        }
        let error = match std::thread::panicking() {
            true => Error::new(ErrorKind::Unexpected, "the turn's code panicked; its lease will run out"),
            false => Error::new(ErrorKind::Closed, "the runtime ended before the turn did; its lease will run out"),
        };
        let finished = Finished {
            status: Status::Interrupted,
            finish_reason: None,
            usage: None,
            cost: None,
            stored: self.turn.kept(),
            pending: Vec::new(),
            error: Some(error.info()),
            offset: self.turn.kept(),
        };
        self.observed.ended(&finished);
        self.runner.forget(self.running.turn);
        self.running.log.finish(finished);
    }
}

/// How a stored reply ended.
pub(super) fn finished_of(message: &Message) -> Finished {
    let stored = message.content.len();
    Finished {
        status: message.status,
        finish_reason: message.finish_reason.clone(),
        usage: message.usage,
        cost: message.cost,
        stored,
        pending: message.pending(),
        error: message.error.clone(),
        offset: stored,
    }
}

fn panicked() -> Error {
    Error::new(ErrorKind::Unexpected, "the model panicked; this is a defect of the model's code")
}

//! What models are asked beside turns: one question, one piece of text, within a time, with its bill.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Duration;

use futures_util::{FutureExt, StreamExt};
use tokio::time::{sleep, timeout};
use tracing::Instrument;

use super::limits::{ANSWER, Counted};
use super::{Held, Runner};
use crate::error::{Error, ErrorKind, Result};
use crate::hooks::TurnAt;
use crate::id::{Owner, SessionId};
use crate::limits::settle;
use crate::memory::{Done, Op, Purpose, Reserved};
use crate::message::{FinishReason, Usage};
use crate::model::{ChatModel, ModelEvent, ModelRequest, Secret};
use crate::prompt::Measured;

/// The most that is read of an answer, in bytes.
const LONGEST: usize = 64 << 10;

/// Who is asked.
pub(super) struct Asked {
    model: Arc<dyn ChatModel>,
    name: Option<String>,
    credentials: Option<Secret>,
    deadline: Duration,
    /// By what it is counted; `None` for what the engine does by itself, after a turn that was.
    counted: Option<Counted>,
}

/// What was answered.
pub(super) struct Answer {
    pub(super) text: String,
    /// Whether there would have been more.
    pub(super) cut_off: bool,
}

/// What a job used, if the model said anything, and what it had reserved.
#[derive(Default)]
pub(super) struct Used {
    pub(super) usage: Option<Usage>,
    reserved: Vec<Reserved>,
}

/// What is known of an answer that may still grow.
#[derive(Default)]
struct Heard {
    text: String,
    thoughts: usize,
    usage: Option<Usage>,
    any: bool,
}

impl Asked {
    /// The model that bills are written for.
    pub(super) fn name(&self) -> String {
        self.name.clone().unwrap_or_else(|| self.model.name().to_owned())
    }
}

impl Runner {
    /// Who is asked: a model of the job's own, or the engine's, with the key of the turn.
    pub(super) fn asked(
        &self,
        own: Option<&Arc<dyn ChatModel>>,
        name: Option<&String>,
        credentials: Option<Secret>,
        deadline: Duration,
        counted: Option<Counted>,
    ) -> Asked {
        // A key that was given for the engine's model is not shown to another one.
        let credentials = credentials.filter(|_| own.is_none());
        Asked { model: Arc::clone(own.unwrap_or(&self.model)), name: name.cloned(), credentials, deadline, counted }
    }

    /// Holds the engine open for a job; `None` if it is closing.
    pub(super) fn hold_job(self: &Arc<Self>) -> Option<Held> {
        let turns = self.turns();
        (!turns.closed).then(|| self.hold(turns))
    }

    /// Does what somebody asked for in a task of its own, which holds the engine open: who stops waiting for it leaves it to
    /// its end, with its bill.
    pub(crate) async fn made<T: Send + 'static>(
        self: &Arc<Self>,
        make: impl Future<Output = Result<T>> + Send + 'static,
    ) -> Result<T> {
        if tokio::runtime::Handle::try_current().is_err() {
            return Err(Error::new(ErrorKind::Unsupported, "a model is asked in a tokio runtime; call it inside one"));
        }
        let entered = self.enter()?;
        let making = async move {
            let made = make.await;
            drop(entered);
            made
        };
        let lost = |_| Error::new(ErrorKind::Unexpected, "the runtime ended, or code of ours panicked, meanwhile");
        tokio::spawn(making.in_current_span()).await.map_err(lost)?
    }

    /// Asks, again as the engine asks again for turns, and reads until it is `enough`. Also says what was used. `at` is the
    /// turn that set it off.
    pub(super) async fn ask(
        &self,
        asked: &Asked,
        at: &TurnAt,
        mut request: ModelRequest,
        enough: impl Fn(&str) -> bool,
    ) -> (Result<Answer>, Used) {
        request.model.clone_from(&asked.name);
        request.credentials.clone_from(&asked.credentials);
        let measured = Measured::of(&request, self.counter.as_ref());
        let mut used = Used::default();
        if let Some(counted) = &asked.counted {
            let most = Usage {
                input_tokens: measured.tokens,
                output_tokens: request.params.max_tokens.map_or(ANSWER, u64::from),
                ..Usage::default()
            };
            match self.reserve(&at.owner, counted, &asked.name(), &most).await {
                Ok(reserved) => used.reserved = reserved,
                Err(error) => return (Err(error), used),
            }
        }
        let mut heard = Heard::default();
        let read = async {
            // No words reach a model that the hooks have not let through.
            let request = self.hooks.before_model(at, 1, request).await?;
            self.read(asked, request, &mut heard, enough).await
        };
        let late = |_| Error::new(ErrorKind::Timeout, "the model did not answer in time");
        let answer = tokio::select! {
            biased;
            () = self.stopping() => Err(Error::new(ErrorKind::Closed, "the engine is closing")),
            answer = timeout(asked.deadline, read) => answer.map_err(late).flatten(),
        };
        let estimate = || Usage {
            input_tokens: measured.tokens,
            output_tokens: self.counter.count(&heard.text) + (heard.thoughts as u64) / 4,
            estimated: true,
            ..Usage::default()
        };
        used.usage = heard.any.then(|| heard.usage.unwrap_or_else(estimate));
        (answer.map(|cut_off| Answer { text: heard.text, cut_off }), used)
    }

    /// Reads an answer; says whether it was cut off.
    async fn read(
        &self,
        asked: &Asked,
        request: ModelRequest,
        heard: &mut Heard,
        enough: impl Fn(&str) -> bool,
    ) -> Result<bool> {
        let (mut failed, mut waited) = (0, Duration::ZERO);
        loop {
            let once = AssertUnwindSafe(once(&asked.model, request.clone(), heard, &enough)).catch_unwind();
            let panicked = |_| Error::new(ErrorKind::Unexpected, "the model panicked; this is a defect of its code");
            let error = match once.await.map_err(panicked).flatten() {
                Err(error) if !heard.any => error,
                other => return other,
            };
            failed += 1;
            let Some(pause) = self.rules.retry.pause(&error, failed, waited, fastrand::f64()) else {
                return Err(error);
            };
            waited += pause;
            sleep(pause).await;
        }
    }

    /// The line of the ledger for a job, if it used anything, and what becomes of its reservation.
    pub(super) fn bill(&self, session: &SessionId, model: String, purpose: Purpose, used: &Used) -> Vec<Op> {
        let usage = used.usage.unwrap_or_default();
        let cost = self.policy.prices.cost(&model, &usage);
        let settle = settle(&used.reserved, &usage, cost);
        let (session, cost) = (session.clone(), cost.unwrap_or_default());
        let bill = used.usage.map(|usage| Op::Bill { session, model, purpose, usage, cost });
        let settle = (!settle.is_empty()).then_some(Op::Settle { settle });
        bill.into_iter().chain(settle).collect()
    }

    /// Writes what came of a job, with its bill. A session that was deleted meanwhile has none, as for a turn, but what was
    /// reserved for it becomes what was used.
    pub(super) async fn write(&self, owner: &Owner, made: Option<Op>, bill: Vec<Op>) -> Result<Option<Done>> {
        let settle: Vec<_> = bill.iter().filter(|op| matches!(op, Op::Settle { .. })).cloned().collect();
        let ops: Vec<_> = made.into_iter().chain(bill).collect();
        if ops.is_empty() {
            return Ok(None);
        }
        match self.apply(owner, ops).await {
            Err(gone) if gone.kind() == ErrorKind::NotFound && !settle.is_empty() => {
                self.apply(owner, settle).await?;
                Err(gone)
            }
            done => Ok(done?.into_iter().next()),
        }
    }

    /// Waits until the engine ends what still runs.
    async fn stopping(&self) {
        loop {
            // Made before it is looked at, so that no change is missed in between.
            let changed = self.changed.notified();
            if self.turns().stopping {
                return;
            }
            changed.await;
        }
    }
}

async fn once(
    model: &Arc<dyn ChatModel>,
    request: ModelRequest,
    heard: &mut Heard,
    enough: impl Fn(&str) -> bool,
) -> Result<bool> {
    let mut stream = model.stream(request);
    while let Some(event) = stream.next().await {
        let event = event?;
        heard.any = true;
        match event {
            ModelEvent::Text(text) => {
                heard.text.push_str(&text);
                if heard.text.len() > LONGEST {
                    return Ok(true);
                }
                if text.contains('\n') && enough(&heard.text) {
                    return Ok(false);
                }
            }
            ModelEvent::Reasoning(text) => heard.thoughts += text.len(),
            ModelEvent::Usage(usage) => heard.usage = Some(usage),
            ModelEvent::Finish(reason) => return Ok(rest(stream, reason, heard).await),
            ModelEvent::ToolCall(_) | ModelEvent::Part(_) => {}
        }
    }
    Err(Error::new(ErrorKind::Truncated, "the answer ended before it was whole"))
}

/// Takes the usage that may follow the end.
async fn rest(
    mut stream: futures_util::stream::BoxStream<'static, Result<ModelEvent>>,
    reason: FinishReason,
    heard: &mut Heard,
) -> bool {
    while let Some(Ok(event)) = stream.next().await {
        if let ModelEvent::Usage(usage) = event {
            heard.usage = Some(usage);
        }
    }
    // A stream is foreign code to its end.
    let _ = catch_unwind(AssertUnwindSafe(|| drop(stream)));
    reason == FinishReason::Length
}

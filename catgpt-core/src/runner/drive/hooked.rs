//! Where a turn asks the hooks, if there are any: one question at a time, whose answer becomes an input of the turn.

use std::sync::Arc;
use std::task::{Context, Poll, ready};

use futures_util::FutureExt;
use futures_util::future::BoxFuture;

use super::Drive;
use crate::error::{Error, Result};
use crate::event::Finished;
use crate::hooks::{Source, TurnAt};
use crate::memory::Opened;
use crate::message::{Content, Message, Offset, Part, Role, Status};
use crate::model::{ModelEvent, ModelRequest};
use crate::runner::Running;
use crate::runner::begin::Order;
use crate::runner::hooks::Hooks;
use crate::turn::Input;

/// What a turn needs to ask hooks.
pub(super) struct Hooked {
    hooks: Hooks,
    at: TurnAt,
    /// How often the model was asked.
    attempts: u32,
    /// The open question. Letting go of it tells the hook that nobody waits any more.
    asked: Option<BoxFuture<'static, Answer>>,
    /// The reply as it was committed: all but what is still to come.
    reply: Message,
}

pub(super) enum Answer {
    Prepared(Result<Vec<Source>>),
    Request(Result<ModelRequest>),
    Checked(Result<()>),
}

impl Hooked {
    /// `None` without hooks: then nothing of this costs anything.
    pub(super) fn new(hooks: &Hooks, running: &Running, order: &Order, opened: &Opened) -> Option<Box<Self>> {
        if hooks.is_empty() {
            return None;
        }
        let (owner, session, turn) = (running.owner.clone(), running.session.clone(), running.turn);
        let reply = Message {
            seq: opened.reply_seq,
            parent: opened.window.last().map(|row| row.seq),
            turn: Some(turn),
            role: Role::Assistant,
            status: Status::Running,
            content: Content::default(),
            model: Some(order.model.clone()),
            finish_reason: None,
            usage: None,
            cost: None,
            error: None,
            created_ms: opened.session.updated_ms,
        };
        let (hooks, at) = (hooks.clone(), TurnAt { owner, session, turn });
        Some(Box::new(Self { hooks, at, attempts: 0, asked: None, reply }))
    }

    fn ask<F: Future<Output = Answer> + Send + 'static>(&mut self, question: impl FnOnce(Hooks, TurnAt) -> F) {
        self.asked = Some(question(self.hooks.clone(), self.at.clone()).boxed());
    }

    /// Asks what is to be sent instead.
    pub(super) fn send(&mut self, request: ModelRequest) {
        self.attempts += 1;
        let attempt = self.attempts;
        self.ask(|hooks, at| async move { Answer::Request(hooks.before_model(&at, attempt, request).await) });
    }

    pub(super) fn on_delta(&self, said: &ModelEvent) -> Result<()> {
        self.hooks.on_delta(&self.at, said)
    }

    /// The open question, to be let go of.
    pub(super) fn hush(&mut self) -> impl Sized + use<> {
        self.asked.take()
    }

    pub(super) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Answer> {
        let Some(asked) = &mut self.asked else { return Poll::Pending };
        let answer = ready!(asked.poll_unpin(cx));
        self.asked = None;
        Poll::Ready(answer)
    }
}

impl Drive {
    pub(super) fn prepare(&mut self) {
        let Some(hooked) = &mut self.hooked else { return };
        match &self.material {
            Some(Ok(material)) => {
                let branch = Arc::clone(&material.branch);
                hooked.ask(|hooks, at| async move { Answer::Prepared(hooks.before_prompt(&at, &branch).await) });
            }
            // What keeps the turn from asking the model is said when it asks.
            _ => hooked.ask(|_, _| async { Answer::Prepared(Ok(Vec::new())) }),
        }
    }

    pub(super) fn check(&mut self, from: Offset, to: Offset) {
        let shown = self.running.log.content(|content| content.between(from, to));
        if let Some(hooked) = &mut self.hooked {
            hooked.ask(|hooks, at| async move { Answer::Checked(hooks.on_deltas(&at, &shown).await) });
        }
    }

    /// What an answer means to the turn; nothing if it is the request, which goes to the model.
    pub(super) fn answered(&mut self, answer: Answer) -> Option<Input> {
        let input = match answer {
            Answer::Prepared(sources) => sources.map(|sources| Some(Input::Prepared(self.take(sources)))),
            Answer::Request(request) => request.map(|request| self.stream(request)),
            Answer::Checked(passed) => passed.map(|()| Some(Input::Checked)),
        };
        input.unwrap_or_else(|error: Error| Some(Input::Refused(error)))
    }

    /// Takes what there is room for: the texts into the prompt, and the parts to be shown.
    fn take(&mut self, sources: Vec<Source>) -> Vec<Part> {
        let Some(Ok(material)) = &mut self.material else { return Vec::new() };
        let mut parts = Vec::new();
        for source in material.afford(&self.runner, sources) {
            material.context.extend(Some(source.text).filter(|text| !text.is_empty()));
            parts.extend(source.part);
        }
        parts
    }

    /// Tells the hooks how the turn ended, in a task of its own that keeps the engine open.
    pub(super) fn tell(&mut self, finished: &Finished) {
        let Some(hooked) = self.hooked.take() else { return };
        let Hooked { hooks, at, mut reply, .. } = *hooked;
        reply.content = self.running.log.content(|content| content.between(0, finished.stored));
        (reply.status, reply.usage, reply.cost) = (finished.status, finished.usage, finished.cost);
        reply.finish_reason.clone_from(&finished.finish_reason);
        reply.error.clone_from(&finished.error);
        let held = self.runner.hold(self.runner.turns());
        tokio::spawn(async move {
            hooks.after_turn(&at, &reply).await;
            drop(held);
        });
    }
}

//! Where a turn calls tools: each in a task of its own, so that one that computes holds up neither the lease nor a stop,
//! and what the steps between the calls have used together.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::task::{Context, Poll};

use tokio::task::JoinSet;
use tracing::Instrument;

use super::Drive;
use crate::error::ErrorKind;
use crate::message::{Content, Part, ToolCall, ToolResult, Usage};
use crate::prompt::Measured;
use crate::runner::begin::Order;
use crate::runner::tools::span;
use crate::tools::CallAt;
use crate::turn::Input;

/// What a turn needs to call tools.
pub(super) struct Tooled {
    offered: HashSet<String>,
    /// The calls that somebody has approved, which may be of any tool, and the reply that asks for each.
    approved: HashMap<String, String>,
    /// The calls that run. Letting go of it ends them.
    running: JoinSet<ToolResult>,
}

impl Tooled {
    /// `None` without tools: then nothing of this costs anything.
    pub(super) fn new(order: &Order) -> Option<Box<Self>> {
        let rules = order.offer.rules.as_ref()?;
        let offered = rules.keys().cloned().collect();
        let approved = order.decided.iter().filter(|decided| decided.result.is_none());
        let approved = approved.map(|decided| (decided.call.id.clone(), decided.asked.clone())).collect();
        Some(Box::new(Self { offered, approved, running: JoinSet::new() }))
    }

    /// Ends the calls that run.
    pub(super) fn hush(&mut self) {
        self.running.abort_all();
        self.running.detach_all();
    }

    pub(super) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Input> {
        match self.running.poll_join_next(cx) {
            Poll::Ready(Some(Ok(result))) => Poll::Ready(Input::Result(result)),
            // A task ends without a result only if it was told to, or with its runtime.
            Poll::Ready(Some(Err(_))) => {
                cx.waker().wake_by_ref();
                Poll::Pending
            }
            Poll::Ready(None) | Poll::Pending => Poll::Pending,
        }
    }
}

impl Drive {
    pub(super) fn call(&mut self, call: ToolCall) {
        let (at, turn, content) = (self.at(), self.observed.span(), self.runner.record_content);
        let Some(tooled) = &mut self.tooled else { return };
        let mut offered = tooled.offered.clone();
        let approved = tooled.approved.get(&call.id);
        if approved.is_some() {
            offered.insert(call.name.clone());
        }
        let own = at.turn.to_string();
        let at = CallAt::new(at, approved.unwrap_or(&own), &call.id);
        let (runner, span) = (Arc::clone(&self.runner), span(&turn, &call, content));
        tooled.running.spawn(async move { runner.tools.call(at, call, offered).await }.instrument(span));
    }

    /// What the reply holds, if tools have answered in it: then it is what the model goes on from.
    pub(super) fn said(&self) -> Option<Content> {
        let answered = |content: &Content| content.parts().iter().any(|part| matches!(part, Part::ToolResult(_)));
        self.running.log.content(|content| answered(content).then(|| content.clone()))
    }

    /// What the model has used in this step is added to what it had used before.
    pub(super) fn step_over(&mut self, reported: Option<Usage>) {
        let (spent, content) = (self.spent, self.running.log.content(Content::clone));
        self.spent = sum(spent, self.used(reported, &content, None));
        (self.asked, self.step_from) = (Measured::default(), content.len());
    }

    /// What all steps have used, the last of which is over as well.
    pub(super) fn used_in_all(&self, reported: Option<Usage>, content: &Content, failure: Option<ErrorKind>) -> Usage {
        sum(self.spent, self.used(reported, content, failure))
    }

    fn used(&self, reported: Option<Usage>, content: &Content, failure: Option<ErrorKind>) -> Usage {
        let step = (self.step_from > 0).then(|| content.since(self.step_from));
        self.asked.usage(reported, step.as_ref().unwrap_or(content), failure, self.runner.counter.as_ref())
    }
}

fn sum(a: Usage, b: Usage) -> Usage {
    Usage {
        input_tokens: a.input_tokens.saturating_add(b.input_tokens),
        output_tokens: a.output_tokens.saturating_add(b.output_tokens),
        cached_tokens: a.cached_tokens.saturating_add(b.cached_tokens),
        reasoning_tokens: a.reasoning_tokens.saturating_add(b.reasoning_tokens),
        estimated: a.estimated || b.estimated,
    }
}

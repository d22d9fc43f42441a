//! Hooks are foreign code: each is asked with a deadline, in order, and its panic is an error.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use futures_util::FutureExt;
use tokio::time::timeout;

use crate::error::{Error, ErrorKind, Result};
use crate::hooks::{Hook, Source, TurnAt, Verdict};
use crate::message::{Content, Message};
use crate::model::{ModelEvent, ModelRequest};

/// The hooks of an engine.
#[derive(Clone, Debug)]
pub(crate) struct Hooks(Arc<[Arc<dyn Hook>]>);

impl Hooks {
    pub(crate) fn new(hooks: Vec<Arc<dyn Hook>>) -> Self {
        Self(hooks.into())
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) async fn before_prompt(&self, at: &TurnAt, branch: &[Message]) -> Result<Vec<Source>> {
        let mut sources = Vec::new();
        for hook in self.0.iter() {
            sources.append(&mut answered(hook, "before_prompt", async { hook.before_prompt(at, branch).await }).await?);
        }
        Ok(sources)
    }

    pub(super) async fn before_model(
        &self,
        at: &TurnAt,
        attempt: u32,
        mut request: ModelRequest,
    ) -> Result<ModelRequest> {
        for hook in self.0.iter() {
            request = answered(hook, "before_model", async { hook.before_model(at, attempt, request).await }).await?;
        }
        Ok(request)
    }

    pub(super) fn on_delta(&self, at: &TurnAt, said: &ModelEvent) -> Result<()> {
        for hook in self.0.iter() {
            match catch_unwind(AssertUnwindSafe(|| hook.on_delta(at, said))) {
                Ok(Verdict::Pass) => {}
                Ok(Verdict::Stop(error)) => return Err(error),
                Err(_) => return Err(panicked("on_delta")),
            }
        }
        Ok(())
    }

    pub(super) async fn on_deltas(&self, at: &TurnAt, shown: &Content) -> Result<()> {
        for hook in self.0.iter() {
            answered(hook, "on_deltas", async { hook.on_deltas(at, shown).await }).await?;
        }
        Ok(())
    }

    pub(super) async fn after_turn(&self, at: &TurnAt, reply: &Message) {
        for hook in self.0.iter() {
            if let Err(error) = answered(hook, "after_turn", async { hook.after_turn(at, reply).await }).await {
                // The error is the hook's own, and what it says may be anything.
                tracing::warn!(turn = %at.turn, "error.type" = %error.kind(), "a hook failed after the turn; the turn stands");
            }
        }
    }
}

/// The answer, or an error within the hook's deadline. The call itself stands in the future: foreign code may panic
/// before it gives its own.
async fn answered<T>(hook: &Arc<dyn Hook>, method: &'static str, call: impl Future<Output = Result<T>>) -> Result<T> {
    let within = catch_unwind(AssertUnwindSafe(|| hook.deadline())).map_err(|_| panicked("deadline"))?;
    match timeout(within, AssertUnwindSafe(call).catch_unwind()).await {
        Ok(Ok(answer)) => answer,
        Ok(Err(_)) => Err(panicked(method)),
        Err(_) => {
            let late = Error::new(ErrorKind::Timeout, "a hook did not answer in time, so the turn was stopped");
            Err(late.with("hook", method).with("waited_ms", within.as_millis()))
        }
    }
}

fn panicked(method: &'static str) -> Error {
    Error::new(ErrorKind::Unexpected, "a hook panicked; this is a defect of the hook's code").with("hook", method)
}

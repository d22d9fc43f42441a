//! Hooks: the application's own code at four places of a turn. Retrieval, redaction, routing, moderation, audit.
//!
//! | method | asked | may |
//! | --- | --- | --- |
//! | [`before_prompt`](Hook::before_prompt) | once a turn, after its commit | add sources and parts, refuse |
//! | [`before_model`](Hook::before_model) | each time the model is asked, so again for each retry, and after tools | change the request, refuse |
//! | [`on_delta`](Hook::on_delta) | for each thing that the model says, before it is shown | refuse |
//! | [`on_deltas`](Hook::on_deltas) | with what was shown meanwhile, results of tools too, each half second or 4 KiB, before tools are called and before the model goes on with them, and at the end | refuse |
//! | [`after_turn`](Hook::after_turn) | once, after the end was committed and shown | look |
//!
//! Several hooks are asked one after the other, in the order in which they were given to the engine: each `before_model`
//! sees the request as the one before has left it, and the first that refuses is the last that is asked. `after_turn` is
//! told to all of them.
//!
//! A refusal is an error of the hook's choice ([`ErrorKind::Refused`](crate::ErrorKind::Refused) fits): the turn ends as
//! `failed` with that error and with what was shown, and is not tried again. A hook that panics, or that has no answer
//! within its [`deadline`](Hook::deadline), refuses too. A turn that is cancelled while a hook is asked ends at once, and
//! the hook's future is dropped; its lease is renewed meanwhile.
//!
//! No hook is asked for an idempotent send that was answered before, nor for a turn whose process died: whoever finds
//! that one only stores how it ended.
//!
//! The names are the field's (`before_model` as in LangChain's middleware), but for the word `send`, which is what a user
//! of this library does.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use serde::Deserialize;

use crate::error::{Error, Result};
pub use crate::id::TurnAt;
use crate::message::{Content, Message, Part};
use crate::model::{ModelEvent, ModelRequest};

/// How long a hook may think where it does not say.
pub const DEADLINE: Duration = Duration::from_secs(30);

/// Something that the answer can lean on. Sources that are longer than the window's tokens allow are left out with their
/// parts, so give the best one first.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Source {
    /// What the model reads, numbered from 1, after the persona's system prompt. Empty: nothing.
    pub text: String,
    /// What the reader sees: shown before the text of the reply, and stored with it. Usually a [`Part::Citation`].
    pub part: Option<Part>,
}

impl Source {
    /// A text that the reader is not told of.
    pub fn text(text: impl Into<String>) -> Self {
        Self { text: text.into(), part: None }
    }

    /// A text, and where it is from.
    pub fn cited(text: impl Into<String>, url: impl Into<String>, title: Option<String>) -> Self {
        Self { text: text.into(), part: Some(Part::Citation { url: url.into(), title }) }
    }
}

/// What a hook says to a delta.
#[derive(Debug)]
pub enum Verdict {
    /// Go on.
    Pass,
    /// Do not show it; the turn ends as `failed` with this error.
    Stop(Error),
}

/// The application's own code at four places of a turn; see [the module](self). Every method has a default that does
/// nothing.
#[async_trait]
pub trait Hook: fmt::Debug + Send + Sync + 'static {
    /// How long each question may take.
    fn deadline(&self) -> Duration {
        DEADLINE
    }

    /// What to add to the prompt. `branch` is the part of the conversation that the window holds, oldest first; its last
    /// message is the user's, which is to be answered, or the reply that is to be gone on with.
    ///
    /// # Errors
    /// The turn is refused; the model is not asked.
    async fn before_prompt(&self, at: &TurnAt, branch: &[Message]) -> Result<Vec<Source>> {
        let _ = (at, branch);
        Ok(Vec::new())
    }

    /// The request as it is to be sent. `attempt` is 1 the first time, and grows with each retry and each step after tools. The reply's message keeps the name of the model
    /// that the send chose, even if another is asked here.
    ///
    /// # Errors
    /// The turn is refused; the model is not asked.
    async fn before_model(&self, at: &TurnAt, attempt: u32, request: ModelRequest) -> Result<ModelRequest> {
        let _ = (at, attempt);
        Ok(request)
    }

    /// Sees each thing that the model says before it is shown. It holds the reply up, so it must be quick; what takes its
    /// time belongs into [`on_deltas`](Self::on_deltas).
    fn on_delta(&self, at: &TurnAt, said: &ModelEvent) -> Verdict {
        let _ = (at, said);
        Verdict::Pass
    }

    /// Sees what the model has said since the last time, after it was shown: one question at a time, half a second or
    /// 4 KiB after the first word and after the last answer. A turn is not complete before all of it has passed.
    ///
    /// # Errors
    /// The turn is stopped.
    async fn on_deltas(&self, at: &TurnAt, shown: &Content) -> Result<()> {
        let _ = (at, shown);
        Ok(())
    }

    /// Sees the whole reply with its status, usage and error. The session is free by then, and nobody waits, but for
    /// [`Engine::close`](crate::Engine::close).
    ///
    /// # Errors
    /// Only their kind is logged.
    async fn after_turn(&self, at: &TurnAt, reply: &Message) -> Result<()> {
        let _ = (at, reply);
        Ok(())
    }
}

#[async_trait]
impl<H: Hook + ?Sized> Hook for Arc<H> {
    fn deadline(&self) -> Duration {
        (**self).deadline()
    }
    async fn before_prompt(&self, at: &TurnAt, branch: &[Message]) -> Result<Vec<Source>> {
        (**self).before_prompt(at, branch).await
    }
    async fn before_model(&self, at: &TurnAt, attempt: u32, request: ModelRequest) -> Result<ModelRequest> {
        (**self).before_model(at, attempt, request).await
    }
    fn on_delta(&self, at: &TurnAt, said: &ModelEvent) -> Verdict {
        (**self).on_delta(at, said)
    }
    async fn on_deltas(&self, at: &TurnAt, shown: &Content) -> Result<()> {
        (**self).on_deltas(at, shown).await
    }
    async fn after_turn(&self, at: &TurnAt, reply: &Message) -> Result<()> {
        (**self).after_turn(at, reply).await
    }
}

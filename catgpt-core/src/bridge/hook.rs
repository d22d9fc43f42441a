//! Hooks that are written in the host's language.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::desk::Desk;
use super::{json, parse};
use crate::error::Result;
use crate::hooks::{DEADLINE, Hook, Source, TurnAt};
use crate::message::{Content, Message};
use crate::model::{ModelRequest, Params, PromptMessage, Secret, ToolSpec};

/// What a hook of the host's wants to be asked. Nothing else crosses: what is left out costs nothing.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct DeskAsks {
    /// Whether it has a [`Hook::before_prompt`].
    pub before_prompt: bool,
    /// Whether it has a [`Hook::before_model`].
    pub before_model: bool,
    /// Whether it has a [`Hook::on_deltas`].
    pub on_deltas: bool,
    /// Whether it has a [`Hook::after_turn`].
    pub after_turn: bool,
    /// Milliseconds that one question may take; left out: as for any [`Hook`].
    pub timeout_ms: Option<u64>,
}

/// A [`Hook`] that asks a [`Desk`]. Each question bears the method's name; its body has the number of the hook, the owner,
/// the session and the turn beside the method's arguments. `null`, or no answer, means that the hook has nothing to add.
///
/// There is no `on_delta`: a call across languages for each token would cost more than the token.
pub struct DeskHook {
    desk: Arc<Desk>,
    number: usize,
    asks: DeskAsks,
}

impl DeskHook {
    /// The hooks that one desk answers for, numbered from 0.
    pub fn each(desk: &Arc<Desk>, asks: Vec<DeskAsks>) -> Vec<Arc<dyn Hook>> {
        let hook = |(number, asks)| Arc::new(Self { desk: Arc::clone(desk), number, asks }) as Arc<dyn Hook>;
        asks.into_iter().enumerate().map(hook).collect()
    }

    async fn ask<T: DeserializeOwned>(
        &self,
        method: &'static str,
        at: &TurnAt,
        rest: impl Serialize,
    ) -> Result<Option<T>> {
        let mut asked = self.desk.ask(method, json(&Question { hook: self.number, at, rest }))?;
        match asked.next().await {
            Some(answer) => parse("answer of a hook", &answer?),
            None => Ok(None),
        }
    }
}

#[derive(Serialize)]
struct Question<'a, T> {
    hook: usize,
    #[serde(flatten)]
    at: &'a TurnAt,
    #[serde(flatten)]
    rest: T,
}

#[derive(Serialize)]
struct Prompted<'a> {
    branch: &'a [Message],
}

#[derive(Serialize)]
struct Sending<'a> {
    attempt: u32,
    request: Request<'a>,
}

/// What is to be sent. A hook may set a key, but is not shown one.
#[derive(Serialize)]
struct Request<'a> {
    messages: &'a [PromptMessage],
    params: &'a Params,
    model: Option<&'a str>,
    tools: &'a [ToolSpec],
}

/// What a hook changes; the rest stays as it was.
#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Changed {
    messages: Option<Vec<PromptMessage>>,
    params: Option<Params>,
    model: Option<String>,
    tools: Option<Vec<ToolSpec>>,
    credentials: Option<String>,
}

#[derive(Serialize)]
struct Shown<'a> {
    parts: &'a Content,
}

#[derive(Serialize)]
struct Ended<'a> {
    reply: &'a Message,
}

#[async_trait]
impl Hook for DeskHook {
    fn deadline(&self) -> Duration {
        self.asks.timeout_ms.map_or(DEADLINE, Duration::from_millis)
    }

    async fn before_prompt(&self, at: &TurnAt, branch: &[Message]) -> Result<Vec<Source>> {
        match self.asks.before_prompt {
            true => self.ask("before_prompt", at, Prompted { branch }).await.map(Option::unwrap_or_default),
            false => Ok(Vec::new()),
        }
    }

    async fn before_model(&self, at: &TurnAt, attempt: u32, mut request: ModelRequest) -> Result<ModelRequest> {
        if self.asks.before_model {
            let shown = Request {
                messages: &request.messages,
                params: &request.params,
                model: request.model.as_deref(),
                tools: &request.tools,
            };
            let changed: Option<Changed> = self.ask("before_model", at, Sending { attempt, request: shown }).await?;
            let changed = changed.unwrap_or_default();
            request.messages = changed.messages.unwrap_or(request.messages);
            request.params = changed.params.unwrap_or(request.params);
            request.model = changed.model.or(request.model);
            request.tools = changed.tools.map_or(request.tools, Arc::from);
            request.credentials = changed.credentials.map(Secret::from).or(request.credentials);
        }
        Ok(request)
    }

    async fn on_deltas(&self, at: &TurnAt, shown: &Content) -> Result<()> {
        match self.asks.on_deltas {
            true => self.ask("on_deltas", at, Shown { parts: shown }).await.map(said_nothing),
            false => Ok(()),
        }
    }

    async fn after_turn(&self, at: &TurnAt, reply: &Message) -> Result<()> {
        match self.asks.after_turn {
            true => self.ask("after_turn", at, Ended { reply }).await.map(said_nothing),
            false => Ok(()),
        }
    }
}

/// Whatever the host's method returns: it says only that it has not failed.
fn said_nothing(_: Option<serde::de::IgnoredAny>) {}

impl fmt::Debug for DeskHook {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DeskHook").field("asks", &self.asks).finish_non_exhaustive()
    }
}

//! A model that is written in the host's language.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::stream::BoxStream;
use serde::{Deserialize, Serialize};
use tokio::time::timeout;

use super::desk::{Asked, Desk};
use super::{json, parse};
use crate::error::{Error, ErrorKind, Result};
use crate::id::TurnId;
use crate::message::FinishReason;
use crate::model::{ChatModel, ModelEvent, ModelRequest, Params, PromptMessage, ToolSpec};

/// How long the host's code may be silent.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct DeskTimeouts {
    /// Milliseconds from the question to the first piece.
    pub first_ms: u64,
    /// Milliseconds between two pieces.
    pub idle_ms: u64,
}

impl Default for DeskTimeouts {
    /// As for [`OpenAi`](crate::OpenAi): 120 s to the first piece, 60 s between two.
    fn default() -> Self {
        Self { first_ms: 120_000, idle_ms: 60_000 }
    }
}

/// A [`ChatModel`] that asks a [`Desk`]: the question `stream` bears the request, and each piece of its answer is one
/// [`ModelEvent`] as JSON (`{"text":"…"}`). An answer that ends without `finish` has finished: code that returns has said
/// everything, and code that has not raises.
pub struct DeskModel {
    name: String,
    desk: Arc<Desk>,
    timeouts: DeskTimeouts,
}

impl DeskModel {
    /// A model of this name.
    pub fn new(name: impl Into<String>, desk: Arc<Desk>, timeouts: DeskTimeouts) -> Self {
        Self { name: name.into(), desk, timeouts }
    }
}

/// A [`ModelRequest`] as the host sees it. The key is there because whoever gave it wrote the code that gets it.
#[derive(Serialize)]
struct Request<'a> {
    messages: &'a [PromptMessage],
    params: &'a Params,
    model: Option<&'a str>,
    credentials: Option<&'a str>,
    turn: Option<TurnId>,
    tools: &'a [ToolSpec],
}

impl ChatModel for DeskModel {
    fn stream(&self, request: ModelRequest) -> BoxStream<'static, Result<ModelEvent>> {
        let body = json(&Request {
            messages: &request.messages,
            params: &request.params,
            model: request.model.as_deref(),
            credentials: request.credentials.as_ref().map(|key| key.expose()),
            turn: request.turn,
            tools: &request.tools,
        });
        let (desk, timeouts) = (Arc::clone(&self.desk), self.timeouts);
        async_stream::stream! {
            let mut asked = match desk.ask("stream", body) {
                Ok(asked) => asked,
                Err(error) => {
                    yield Err(error);
                    return;
                }
            };
            let mut patience = timeouts.first_ms;
            let mut finished = false;
            loop {
                match next(&mut asked, patience).await {
                    Some(Ok(event)) => {
                        finished |= matches!(event, ModelEvent::Finish(_));
                        yield Ok(event);
                    }
                    Some(Err(error)) => {
                        yield Err(error);
                        return;
                    }
                    None => break,
                }
                patience = timeouts.idle_ms;
            }
            if !finished {
                yield Ok(ModelEvent::Finish(FinishReason::Stop));
            }
        }
        .boxed()
    }

    fn name(&self) -> &str {
        &self.name
    }
}

async fn next(asked: &mut Asked, patience_ms: u64) -> Option<Result<ModelEvent>> {
    let late = || Error::new(ErrorKind::Timeout, "the application's own model said nothing for too long");
    match timeout(Duration::from_millis(patience_ms), asked.next()).await {
        Ok(next) => next.map(|piece| piece.and_then(|piece| parse("model event", &piece))),
        Err(_) => Some(Err(late().with("waited_ms", patience_ms))),
    }
}

impl fmt::Debug for DeskModel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DeskModel").field("name", &self.name).finish_non_exhaustive()
    }
}

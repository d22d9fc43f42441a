//! The client for OpenAI's Responses. The conversation is kept here and not there: each request holds all of it.

mod decode;
mod request;

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use futures_util::StreamExt;
use futures_util::stream::BoxStream;
use serde_json::Value;

use self::decode::Decoder;
use super::decode::Decode;
use super::failure::Reveal;
use super::http::answer::{Answer, Call};
use super::http::{self, Auth, Endpoint};
use super::named::{Access, Vars};
use super::{ChatModel, ModelEvent, ModelInfo, ModelRequest, Provider, Secret};
use crate::error::Result;
use crate::protocol::Protocol;

const MODEL: &str = "gpt-4o-mini";
/// How [`Part::Provider`](crate::Part::Provider) names what is this protocol's own.
const PROVIDER: &str = "openai";

/// A model behind OpenAI's Responses, which gives summaries of what its models think and keeps their thoughts between the
/// steps of a reply. Cheap to clone; clones share their connections.
///
/// ```no_run
/// # fn main() -> catgpt_core::Result<()> {
/// use catgpt_core::Responses;
/// let hosted = Responses::new("sk-…").model("gpt-5").effort("low");
/// let from_env = Responses::from_env()?; // OPENAI_API_KEY, OPENAI_BASE_URL, OPENAI_MODEL
/// # Ok(()) }
/// ```
///
/// Of the parameters, `seed` has no place in this protocol and is left out; `stop` is an error that says so.
#[derive(Clone)]
pub struct Responses {
    endpoint: Endpoint,
    model: Arc<str>,
    images: bool,
    effort: Option<Arc<str>>,
    summary: Option<Arc<str>>,
}

impl Responses {
    /// OpenAI's own endpoint, with a key.
    pub fn new(key: impl Into<Secret>) -> Self {
        let url = http::base_url(Protocol::Responses.base_url()).expect("a constant");
        Self::with(Endpoint::new(Some(key.into()), url, Auth::Bearer))
    }

    /// An endpoint that wants no key, such as a model on this machine.
    pub fn keyless(base_url: &str) -> Result<Self> {
        Ok(Self::with(Endpoint::new(None, http::base_url(base_url)?, Auth::Bearer)))
    }

    /// Reads `OPENAI_API_KEY`, `OPENAI_BASE_URL` and `OPENAI_MODEL`. A base URL without a key is a keyless endpoint.
    pub fn from_env() -> Result<Self> {
        Self::with_access(&Access::default())
    }

    /// As [`from_env`](Self::from_env), with a key and a base URL before those of the environment.
    pub fn with_access(access: &Access) -> Result<Self> {
        let vars = Vars::from_env(Protocol::Responses, access);
        let model = Self::with(Endpoint::from_vars(Protocol::Responses, &vars, Auth::Bearer)?);
        Ok(vars.model.into_iter().fold(model, Self::model))
    }

    fn with(endpoint: Endpoint) -> Self {
        Self { endpoint, model: MODEL.into(), images: true, effort: None, summary: None }
    }

    /// Another endpoint: the address before `/responses`.
    pub fn base_url(mut self, url: &str) -> Result<Self> {
        self.endpoint = self.endpoint.at(http::base_url(url)?);
        Ok(self)
    }

    /// Which model answers, unless a request names one. `gpt-4o-mini` if nothing is said.
    #[must_use]
    pub fn model(mut self, name: impl Into<Arc<str>>) -> Self {
        self.model = name.into();
        self
    }

    /// How much a model thinks that can, in the provider's words: `minimal`, `low`, `medium`, `high`, …
    #[must_use]
    pub fn effort(mut self, effort: impl Into<Arc<str>>) -> Self {
        self.effort = Some(effort.into());
        self
    }

    /// Asks for a summary of what the model thinks, in the provider's words: `auto`, `concise`, `detailed`.
    #[must_use]
    pub fn summary(mut self, summary: impl Into<Arc<str>>) -> Self {
        self.summary = Some(summary.into());
        self
    }

    http::settings!();

    /// The organisation that is billed.
    pub fn organization(self, id: &str) -> Result<Self> {
        self.header("openai-organization", id)
    }

    /// The model that a request names, or the usual one.
    fn asked<'a>(&'a self, request: &'a ModelRequest) -> &'a str {
        request.model.as_deref().map_or(&self.model, |name| Protocol::Responses.bare(name))
    }

    /// Whether it is known to think: by its name, or because it was told how.
    fn thinks(&self, request: &ModelRequest) -> bool {
        let name = self.asked(request);
        let known =
            ["o1", "o3", "o4", "gpt-5"].iter().any(|begins| name.starts_with(begins)) && !name.contains("-chat");
        known || self.effort.is_some() || self.summary.is_some()
    }
}

/// What reads its answers; if `keep`, thoughts become parts that can be sent back.
pub(super) fn decoder(reveal: Reveal, keep: bool) -> Box<dyn Decode> {
    Box::new(Decoder::new(reveal, keep))
}

#[async_trait]
impl ChatModel for Responses {
    fn stream(&self, request: ModelRequest) -> BoxStream<'static, Result<ModelEvent>> {
        let call = Call {
            body: request::body(self, &request),
            // Only a reply that goes on after a tool is sent back with its thoughts.
            decoder: decoder(self.endpoint.reveal, !request.tools.is_empty()),
            key: request.credentials,
            path: "responses",
            endpoint: self.endpoint.clone(),
        };
        Answer::new(call).boxed()
    }

    fn name(&self) -> &str {
        &self.model
    }

    fn takes_images(&self) -> bool {
        self.images
    }

    async fn models(&self) -> Result<Vec<ModelInfo>> {
        http::list::models(&self.endpoint, &[]).await
    }

    fn preview(&self, request: &ModelRequest) -> Result<Value> {
        Ok(self.endpoint.preview("responses", &request::body(self, request)?))
    }

    fn provider(&self) -> Provider {
        self.endpoint.provider(PROVIDER)
    }
}

impl fmt::Debug for Responses {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Responses")
            .field("model", &self.model)
            .field("endpoint", &self.endpoint)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;

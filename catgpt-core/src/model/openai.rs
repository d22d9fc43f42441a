//! The Chat Completions client: OpenAI's own, and every server that speaks its protocol.

mod decode;
mod images;
mod request;

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use futures_util::StreamExt;
use futures_util::stream::BoxStream;
use serde_json::Value;

use self::decode::Decoder;
pub use self::images::Images;
use super::decode::Decode;
use super::failure::Reveal;
use super::http::answer::{Answer, Call};
use super::http::{self, Auth, Endpoint};
use super::named::{Access, Vars};
use super::{ChatModel, ModelEvent, ModelInfo, ModelRequest, Provider, Secret};
use crate::error::Result;
use crate::protocol::Protocol;

const MODEL: &str = "gpt-4o-mini";

/// A model behind the Chat Completions protocol. Cheap to clone; clones share their connections.
///
/// ```no_run
/// # fn main() -> catgpt_core::Result<()> {
/// use catgpt_core::OpenAi;
/// let hosted = OpenAi::new("sk-…").model("gpt-4o");
/// let local = OpenAi::keyless("http://127.0.0.1:11434/v1")?.model("llama3.2");
/// let either = OpenAi::from_env()?; // OPENAI_API_KEY, OPENAI_BASE_URL, OPENAI_MODEL
/// # Ok(()) }
/// ```
#[derive(Clone)]
pub struct OpenAi {
    endpoint: Endpoint,
    model: Arc<str>,
    usage: bool,
    images: bool,
}

impl OpenAi {
    /// OpenAI's own endpoint, with a key.
    pub fn new(key: impl Into<Secret>) -> Self {
        let url = http::base_url(Protocol::OpenAi.base_url()).expect("a constant");
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
        Self::from_vars(Vars::from_env(Protocol::OpenAi, access))
    }

    fn from_vars(vars: Vars) -> Result<Self> {
        let model = Self::with(Endpoint::from_vars(Protocol::OpenAi, &vars, Auth::Bearer)?);
        Ok(vars.model.into_iter().fold(model, Self::model))
    }

    fn with(endpoint: Endpoint) -> Self {
        Self { endpoint, model: MODEL.into(), usage: true, images: true }
    }

    /// Another endpoint, such as `https://openrouter.ai/api/v1`.
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

    http::settings!();

    /// The organisation that is billed.
    pub fn organization(self, id: &str) -> Result<Self> {
        self.header("openai-organization", id)
    }

    /// Does not ask for usage (`stream_options`), for the few servers that refuse the field. It is then estimated.
    #[must_use]
    pub fn without_usage(mut self) -> Self {
        self.usage = false;
        self
    }

    /// The model that a request names, or the usual one.
    fn asked<'a>(&'a self, request: &'a ModelRequest) -> &'a str {
        request.model.as_deref().map_or(&self.model, |name| Protocol::OpenAi.bare(name))
    }
}

/// What reads its answers.
pub(super) fn decoder(reveal: Reveal) -> Box<dyn Decode> {
    Box::new(Decoder::new(reveal))
}

#[async_trait]
impl ChatModel for OpenAi {
    fn stream(&self, request: ModelRequest) -> BoxStream<'static, Result<ModelEvent>> {
        let call = Call {
            body: Ok(request::body(self, &request)),
            key: request.credentials,
            path: "chat/completions",
            decoder: decoder(self.endpoint.reveal),
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
        Ok(self.endpoint.preview("chat/completions", &request::body(self, request)))
    }

    fn provider(&self) -> Provider {
        self.endpoint.provider("openai")
    }
}

impl fmt::Debug for OpenAi {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OpenAi").field("model", &self.model).field("endpoint", &self.endpoint).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;

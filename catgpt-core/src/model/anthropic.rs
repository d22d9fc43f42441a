//! The client for Anthropic's Messages, and for servers that speak that protocol.

mod decode;
mod request;

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use futures_util::StreamExt;
use futures_util::stream::BoxStream;
use reqwest::Url;
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

const MODEL: &str = "claude-sonnet-4-5";
/// The protocol's version; newer fields come without a newer one.
const VERSION: &str = "2023-06-01";
/// How [`Part::Provider`](crate::Part::Provider) names what is this protocol's own.
const PROVIDER: &str = "anthropic";

/// A model behind Anthropic's Messages. Cheap to clone; clones share their connections.
///
/// ```no_run
/// # fn main() -> catgpt_core::Result<()> {
/// use catgpt_core::Anthropic;
/// let hosted = Anthropic::new("sk-ant-…").model("claude-haiku-4-5");
/// let thinking = Anthropic::from_env()?.thinking(4096); // ANTHROPIC_API_KEY, ANTHROPIC_BASE_URL, ANTHROPIC_MODEL
/// # Ok(()) }
/// ```
///
/// Of the parameters, `seed` has no place in this protocol and is left out. A temperature may be at most 1, and a model
/// that thinks takes none but 1; so do newer models. What cannot be sent is an error that says so.
#[derive(Clone)]
pub struct Anthropic {
    endpoint: Endpoint,
    model: Arc<str>,
    images: bool,
    max_tokens: Option<u32>,
    thinking: Thinking,
    effort: Option<Arc<str>>,
}

/// Whether the model thinks before it speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Thinking {
    /// As the model does it when nothing is said.
    Unsaid,
    /// At most so many tokens.
    Budget(u32),
    /// As long as it sees fit.
    Adaptive,
}

impl Anthropic {
    /// Anthropic's own endpoint, with a key.
    pub fn new(key: impl Into<Secret>) -> Self {
        let url = http::base_url(Protocol::Anthropic.base_url()).expect("a constant");
        Self::with(Endpoint::new(Some(key.into()), url, Auth::ApiKey))
    }

    /// An endpoint that wants no key, such as a model on this machine.
    pub fn keyless(base_url: &str) -> Result<Self> {
        Ok(Self::with(Endpoint::new(None, address(base_url)?, Auth::ApiKey)))
    }

    /// Reads `ANTHROPIC_API_KEY`, `ANTHROPIC_BASE_URL` and `ANTHROPIC_MODEL`. A base URL without a key is a keyless
    /// endpoint.
    pub fn from_env() -> Result<Self> {
        Self::with_access(&Access::default())
    }

    /// As [`from_env`](Self::from_env), with a key and a base URL before those of the environment.
    pub fn with_access(access: &Access) -> Result<Self> {
        Self::from_vars(Vars::from_env(Protocol::Anthropic, access))
    }

    fn from_vars(vars: Vars) -> Result<Self> {
        let endpoint = Endpoint::from_vars(Protocol::Anthropic, &vars, Auth::ApiKey)?;
        let url = with_version(endpoint.base_url.clone());
        Ok(vars.model.into_iter().fold(Self::with(endpoint.at(url)), Self::model))
    }

    fn with(endpoint: Endpoint) -> Self {
        let endpoint = endpoint.header("anthropic-version", VERSION).expect("constants");
        Self { endpoint, model: MODEL.into(), images: true, max_tokens: None, thinking: Thinking::Unsaid, effort: None }
    }

    /// Another endpoint: the address before `/v1/messages`.
    pub fn base_url(mut self, url: &str) -> Result<Self> {
        self.endpoint = self.endpoint.at(address(url)?);
        Ok(self)
    }

    /// Which model answers, unless a request names one. `claude-sonnet-4-5` if nothing is said.
    #[must_use]
    pub fn model(mut self, name: impl Into<Arc<str>>) -> Self {
        self.model = name.into();
        self
    }

    /// The most tokens of an answer, thoughts included, where the request has no `max_tokens`: the protocol wants a number.
    /// If nothing is said: 4096 for Claude 3, 32 000 for later Claudes, 8192 for models of other names, or 4096 more
    /// than the budget of [`thinking`](Self::thinking).
    #[must_use]
    pub fn max_tokens(mut self, tokens: u32) -> Self {
        self.max_tokens = Some(tokens);
        self
    }

    /// Lets the model think for so many tokens before it speaks; at least 1024. For models up to Claude Opus 4.5; later
    /// ones think [as they see fit](Self::adaptive_thinking). An answer that may not be longer than this
    /// (`max_tokens`), and the rest of a reply that began without thoughts, come without them.
    #[must_use]
    pub fn thinking(mut self, tokens: u32) -> Self {
        self.thinking = Thinking::Budget(tokens.max(1024));
        self
    }

    /// Lets the model decide how long it thinks before it speaks. For Claude 4.6 and later.
    #[must_use]
    pub fn adaptive_thinking(mut self) -> Self {
        self.thinking = Thinking::Adaptive;
        self
    }

    /// How much work goes into an answer, in the provider's words: `low`, `medium`, `high`, … For Claude Opus 4.5 and later.
    #[must_use]
    pub fn effort(mut self, effort: impl Into<Arc<str>>) -> Self {
        self.effort = Some(effort.into());
        self
    }

    http::settings!();

    /// The model that a request names, or the usual one.
    fn asked<'a>(&'a self, request: &'a ModelRequest) -> &'a str {
        request.model.as_deref().map_or(&self.model, |name| Protocol::Anthropic.bare(name))
    }
}

/// Checks an address; whether it ends with the version is all one.
fn address(url: &str) -> Result<Url> {
    http::base_url(url).map(with_version)
}

fn with_version(mut url: Url) -> Url {
    let path = url.path().trim_end_matches('/').to_owned();
    if !path.ends_with("/v1") {
        url.set_path(&format!("{path}/v1"));
    }
    url
}

/// What reads its answers; if `keep`, thoughts become parts that can be sent back.
pub(super) fn decoder(reveal: Reveal, keep: bool) -> Box<dyn Decode> {
    Box::new(Decoder::new(reveal, keep))
}

#[async_trait]
impl ChatModel for Anthropic {
    fn stream(&self, request: ModelRequest) -> BoxStream<'static, Result<ModelEvent>> {
        let call = Call {
            body: request::body(self, &request),
            // Only a reply that goes on after a tool is sent back with its thoughts.
            decoder: decoder(self.endpoint.reveal, !request.tools.is_empty()),
            key: request.credentials,
            path: "messages",
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
        http::list::models(&self.endpoint, &[("limit", "1000")]).await
    }

    fn preview(&self, request: &ModelRequest) -> Result<Value> {
        Ok(self.endpoint.preview("messages", &request::body(self, request)?))
    }

    fn provider(&self) -> Provider {
        self.endpoint.provider(PROVIDER)
    }
}

impl fmt::Debug for Anthropic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Anthropic")
            .field("model", &self.model)
            .field("endpoint", &self.endpoint)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;

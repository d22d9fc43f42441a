//! The model: the contract for anything that can answer, and what it is asked.

#[cfg(feature = "anthropic")]
pub mod anthropic;
pub mod by_name;
pub mod cached;
#[cfg(feature = "http")]
mod decode;
#[cfg(feature = "http")]
mod failure;
#[cfg(feature = "http")]
mod http;
pub mod named;
pub mod offline;
#[cfg(feature = "openai")]
pub mod openai;
#[cfg(feature = "openai")]
pub mod responses;
pub mod retry;
#[cfg(feature = "http")]
mod said;
pub mod scripted;
#[cfg(feature = "http")]
mod sse;

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use futures_util::stream::BoxStream;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::error::{Error, ErrorKind, Result};
use crate::id::TurnId;
use crate::message::{Content, FinishReason, Part, Role, ToolCall, Usage};

#[cfg(feature = "anthropic")]
pub use anthropic::Anthropic;
pub use by_name::ByName;
pub use cached::Cached;
#[cfg(feature = "http")]
pub use http::Timeouts;
pub use named::{Access, named};
pub use offline::Offline;
#[cfg(feature = "openai")]
pub use openai::{Images, OpenAi};
#[cfg(feature = "openai")]
pub use responses::Responses;
pub use retry::RetryPolicy;
pub use scripted::{Gate, Scripted, Step};

pub use crate::protocol::Protocol;

/// Streams one answer. One method is required.
///
/// The stream begins its work when it is first polled and **ends the upstream request when it is dropped**. It yields
/// [`ModelEvent::Finish`] exactly when the model said that it had finished: a stream that just ends is an answer that
/// was cut off. An error ends it. Retrying is the caller's business: asking again is calling `stream` again.
#[async_trait]
pub trait ChatModel: fmt::Debug + Send + Sync + 'static {
    /// Asks the model.
    fn stream(&self, request: ModelRequest) -> BoxStream<'static, Result<ModelEvent>>;

    /// The model's name, kept with each reply, where a request does not name one.
    fn name(&self) -> &str {
        "model"
    }

    /// Whether pictures may be sent to it. `false` is for a model that is known to take none: a message with one is then
    /// refused before anything is stored, and of older ones it reads the words (`[image: alt]`).
    fn takes_images(&self) -> bool {
        true
    }

    /// Which models there are to choose from, by id. Overriding it takes `#[async_trait]`.
    ///
    /// # Errors
    /// `Unsupported` if it cannot tell.
    async fn models(&self) -> Result<Vec<ModelInfo>> {
        Err(Error::new(ErrorKind::Unsupported, "this model cannot list what there is to choose from"))
    }

    /// Where its answers come from, for spans and metrics.
    fn provider(&self) -> Provider {
        Provider::default()
    }

    /// Which model answers where a request says this name, for what is to be known of it before it is asked; `None`: this
    /// one. For those that choose among others, as [`ByName`] does.
    ///
    /// # Errors
    /// `InvalidInput` if none answers to the name.
    fn chosen(&self, _: Option<&str>) -> Result<Option<&dyn ChatModel>> {
        Ok(None)
    }

    /// What would be sent for this request, as JSON, without a key: for people who look before they send. Nothing is sent.
    /// Who speaks a protocol shows its own words.
    ///
    /// # Errors
    /// `InvalidInput` if none answers to the name that the request says.
    fn preview(&self, request: &ModelRequest) -> Result<Value> {
        let ModelRequest { messages, params, model, tools, .. } = request;
        let model = model.as_deref().unwrap_or(self.name());
        Ok(json!({ "model": model, "messages": messages, "params": params, "tools": tools }))
    }
}

#[async_trait]
impl<M: ChatModel + ?Sized> ChatModel for Arc<M> {
    fn stream(&self, request: ModelRequest) -> BoxStream<'static, Result<ModelEvent>> {
        (**self).stream(request)
    }
    fn name(&self) -> &str {
        (**self).name()
    }
    fn takes_images(&self) -> bool {
        (**self).takes_images()
    }
    async fn models(&self) -> Result<Vec<ModelInfo>> {
        (**self).models().await
    }
    fn provider(&self) -> Provider {
        (**self).provider()
    }
    fn chosen(&self, model: Option<&str>) -> Result<Option<&dyn ChatModel>> {
        (**self).chosen(model)
    }
    fn preview(&self, request: &ModelRequest) -> Result<Value> {
        (**self).preview(request)
    }
}

/// One model of those that there are to choose from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct ModelInfo {
    /// Its name, as a send takes it.
    pub id: String,
    /// When it was made, in seconds since 1970, if that is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub created: Option<i64>,
    /// Whose it is, if that is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub owned_by: Option<String>,
}

impl ModelInfo {
    /// A model of this name, of which nothing more is known.
    pub fn new(id: impl Into<String>) -> Self {
        Self { id: id.into(), created: None, owned_by: None }
    }
}

/// Where answers come from, in OpenTelemetry's words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Provider {
    /// `gen_ai.provider.name`: the protocol that is spoken, such as `openai`; by default `custom`.
    pub name: Cow<'static, str>,
    /// `server.address`: the host, without user and password.
    pub address: Option<String>,
    /// `server.port`.
    pub port: Option<u16>,
}

impl Default for Provider {
    fn default() -> Self {
        Self { name: "custom".into(), address: None, port: None }
    }
}

/// What a model is asked: the messages in order, the system prompt first. Its `Debug` shows no text and no key.
#[derive(Clone, Default, PartialEq)]
pub struct ModelRequest {
    /// The conversation.
    pub messages: Vec<PromptMessage>,
    /// How to answer.
    pub params: Params,
    /// Which model, if not the default one.
    pub model: Option<String>,
    /// The key for this call, if not the default one.
    pub credentials: Option<Secret>,
    /// The turn that asks, for whoever wants to find it again in a log.
    pub turn: Option<TurnId>,
    /// Another answer is wanted than one that was given before: no cache may give it.
    pub fresh: bool,
    /// What the model may ask for.
    pub tools: Arc<[ToolSpec]>,
}

impl fmt::Debug for ModelRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ModelRequest")
            .field("messages", &self.messages.len())
            .field("model", &self.model)
            .finish_non_exhaustive()
    }
}

/// One message of a [`ModelRequest`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PromptMessage {
    /// Who speaks.
    pub role: Role,
    /// What is said.
    pub content: Content,
}

impl PromptMessage {
    /// A message of text.
    pub fn new(role: Role, text: impl Into<String>) -> Self {
        Self { role, content: Content::from(text.into()) }
    }

    /// Puts words in the place of pictures.
    pub(crate) fn hide_images(&mut self) {
        self.content = std::mem::take(&mut self.content).in_words(|_| false);
    }
}

/// A tool, as a model is told of it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ToolSpec {
    /// Its name: 1 to 64 letters, digits, `_` and `-`.
    pub name: String,
    /// What it does and when to call it, for the model.
    #[serde(default)]
    pub description: String,
    /// A JSON Schema of an object: the arguments.
    pub parameters: Value,
}

/// What a model streams. Its JSON is an object with one key: `{"text":"…"}`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum ModelEvent {
    /// More text.
    Text(String),
    /// More of what it thinks.
    Reasoning(String),
    /// A whole tool call.
    ToolCall(ToolCall),
    /// Any other part of the reply: a picture, a citation.
    Part(Part),
    /// What it used so far; the last one counts.
    Usage(Usage),
    /// It has finished. Only usage may follow.
    Finish(FinishReason),
}

/// Sampling parameters; what is not set is the model's default.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Params {
    /// 0 to 2: how freely it chooses.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub temperature: Option<f32>,
    /// 0 to 1: how much of the probability it chooses from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub top_p: Option<f32>,
    /// The most tokens of an answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_tokens: Option<u32>,
    /// Texts that end an answer.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub stop: Vec<String>,
    /// For answers that can be had again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seed: Option<i64>,
}

impl Params {
    /// These, where they are set, before `base`.
    #[must_use]
    pub fn over(self, base: &Params) -> Params {
        Params {
            temperature: self.temperature.or(base.temperature),
            top_p: self.top_p.or(base.top_p),
            max_tokens: self.max_tokens.or(base.max_tokens),
            stop: if self.stop.is_empty() { base.stop.clone() } else { self.stop },
            seed: self.seed.or(base.seed),
        }
    }

    /// Whether a model could take them. The error names the field.
    pub fn validate(&self) -> Result<()> {
        let fail = |field, rule: &'static str| Err(Error::invalid(rule).with("field", field));
        match self {
            Self { temperature: Some(t), .. } if !(0.0..=2.0).contains(t) => {
                fail("temperature", "a temperature must be a number from 0 to 2")
            }
            Self { top_p: Some(p), .. } if !(0.0..=1.0).contains(p) => {
                fail("top_p", "top_p must be a number from 0 to 1")
            }
            Self { max_tokens: Some(0), .. } => fail("max_tokens", "max_tokens must be 1 or more"),
            Self { stop, .. } if stop.len() > 16 || stop.iter().any(|s| s.is_empty() || s.len() > 256) => {
                fail("stop", "stop takes up to 16 texts of 1 to 256 bytes")
            }
            _ => Ok(()),
        }
    }
}

/// A key. It is never shown and cannot be serialised.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(Arc<str>);

impl Secret {
    /// Takes a key.
    pub fn new(key: impl Into<Arc<str>>) -> Self {
        Self(key.into())
    }

    /// The key itself, for the one place that sends it.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

impl From<String> for Secret {
    fn from(key: String) -> Self {
        Self::new(key)
    }
}

impl From<&str> for Secret {
    fn from(key: &str) -> Self {
        Self::new(key)
    }
}

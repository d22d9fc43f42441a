//! The Chat Completions client: OpenAI's own, and every server that speaks its protocol.

mod answer;
mod document;
mod http;
mod images;
mod list;
mod reader;
mod request;
mod retry_after;

use std::fmt;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use async_trait::async_trait;
use futures_util::StreamExt;
use futures_util::stream::BoxStream;
use reqwest::Url;
use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use serde_json::{Value, json};

use self::answer::Answer;
use self::http::Call;
pub use self::images::Images;
use super::failure::Reveal;
use super::{ChatModel, ModelEvent, ModelInfo, ModelRequest, Provider, Secret};
use crate::error::{Error, ErrorKind, Result};

const BASE_URL: &str = "https://api.openai.com/v1";
const MODEL: &str = "gpt-4o-mini";

/// How long each phase of an answer may take. The whole has no limit: it would cut long answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timeouts {
    /// Until the connection stands.
    pub connect: Duration,
    /// From the request to the first byte of the answer.
    pub first_byte: Duration,
    /// Between two pieces of the answer. Any byte counts, also a keep-alive comment.
    pub idle: Duration,
}

impl Default for Timeouts {
    /// 10 s to connect; 120 s to the first byte, since a local model may have to be loaded and a long prompt has to be
    /// read; 60 s between two pieces.
    fn default() -> Self {
        Self { connect: Duration::from_secs(10), first_byte: Duration::from_secs(120), idle: Duration::from_secs(60) }
    }
}

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
    config: Config,
    /// Made when it is first needed, since only then all settings are known.
    client: Arc<OnceLock<reqwest::Client>>,
}

#[derive(Clone)]
struct Config {
    key: Option<Secret>,
    base_url: Url,
    model: Arc<str>,
    timeouts: Timeouts,
    headers: HeaderMap,
    usage: bool,
    images: bool,
    reveal: Reveal,
}

impl OpenAi {
    /// OpenAI's own endpoint, with a key.
    pub fn new(key: impl Into<Secret>) -> Self {
        Self::with(Some(key.into()), Url::parse(BASE_URL).expect("a constant"))
    }

    /// An endpoint that wants no key, such as a model on this machine.
    pub fn keyless(base_url: &str) -> Result<Self> {
        Ok(Self::with(None, http::base_url(base_url)?))
    }

    /// Reads `OPENAI_API_KEY`, `OPENAI_BASE_URL` and `OPENAI_MODEL`. A base URL without a key is a keyless endpoint.
    pub fn from_env() -> Result<Self> {
        Self::from_vars(|name| std::env::var(name).ok())
    }

    /// As [`from_env`](Self::from_env), with a key and a base URL before those of the environment.
    #[cfg(feature = "bridge")]
    pub(crate) fn configured(key: Option<&str>, base_url: Option<&str>) -> Result<Self> {
        Self::from_vars(|name| match name {
            "OPENAI_API_KEY" if key.is_some() => key.map(str::to_owned),
            "OPENAI_BASE_URL" if base_url.is_some() => base_url.map(str::to_owned),
            name => std::env::var(name).ok(),
        })
    }

    fn from_vars(var: impl Fn(&str) -> Option<String>) -> Result<Self> {
        let var = |name| var(name).map(|value| value.trim().to_owned()).filter(|value| !value.is_empty());
        let model = match (var("OPENAI_API_KEY"), var("OPENAI_BASE_URL")) {
            (Some(key), None) => Self::new(key),
            (Some(key), Some(url)) => Self::new(key).base_url(&url)?,
            (None, Some(url)) => Self::keyless(&url)?,
            (None, None) => {
                let message =
                    "no model is configured: set OPENAI_API_KEY, or OPENAI_BASE_URL for an endpoint without a key";
                return Err(Error::new(ErrorKind::Unauthorized, message));
            }
        };
        Ok(match var("OPENAI_MODEL") {
            Some(name) => model.model(name),
            None => model,
        })
    }

    fn with(key: Option<Secret>, base_url: Url) -> Self {
        let config = Config {
            key,
            base_url,
            model: MODEL.into(),
            timeouts: Timeouts::default(),
            headers: HeaderMap::new(),
            usage: true,
            images: true,
            reveal: Reveal::Codes,
        };
        Self { config, client: Arc::default() }
    }

    /// Another endpoint, such as `https://openrouter.ai/api/v1`.
    pub fn base_url(mut self, url: &str) -> Result<Self> {
        self.config.base_url = http::base_url(url)?;
        Ok(self.reconnected())
    }

    /// Which model answers, unless a request names one. `gpt-4o-mini` if nothing is said.
    #[must_use]
    pub fn model(mut self, name: impl Into<Arc<str>>) -> Self {
        self.config.model = name.into();
        self
    }

    /// How long each phase may take.
    #[must_use]
    pub fn timeouts(mut self, timeouts: Timeouts) -> Self {
        self.config.timeouts = timeouts;
        self.reconnected()
    }

    /// Sends another header with every request. Its value is treated as a secret.
    pub fn header(mut self, name: &str, value: &str) -> Result<Self> {
        let bad = |_| Error::invalid("this cannot be a header's name").with("header", name.escape_debug());
        let name = HeaderName::try_from(name).map_err(bad)?;
        let bad = |_| Error::invalid("a header's value holds characters that cannot be sent").with("header", &name);
        let mut value = HeaderValue::try_from(value).map_err(bad)?;
        value.set_sensitive(true);
        self.config.headers.insert(name, value);
        Ok(self)
    }

    /// The organisation that is billed.
    pub fn organization(self, id: &str) -> Result<Self> {
        self.header("openai-organization", id)
    }

    /// Does not ask for usage (`stream_options`), for the few servers that refuse the field. It is then estimated.
    #[must_use]
    pub fn without_usage(mut self) -> Self {
        self.config.usage = false;
        self
    }

    /// Says that these models [take no pictures](ChatModel::takes_images), so that a message with one is refused before it
    /// is stored. Without this the endpoint refuses it, and the turn fails.
    #[must_use]
    pub fn without_images(mut self) -> Self {
        self.config.images = false;
        self
    }

    /// Puts the provider's own sentence into errors, as the fact `detail`. It may repeat parts of the conversation, so
    /// this is off by default: then errors carry the provider's `type` and `code` alone.
    #[must_use]
    pub fn reveal_provider_messages(mut self) -> Self {
        self.config.reveal = Reveal::Messages;
        self
    }

    fn reconnected(mut self) -> Self {
        self.client = Arc::default();
        self
    }

    fn client(&self) -> Result<reqwest::Client> {
        if let Some(client) = self.client.get() {
            return Ok(client.clone());
        }
        let client = http::client(&self.config)?;
        Ok(self.client.get_or_init(|| client).clone())
    }
}

#[async_trait]
impl ChatModel for OpenAi {
    fn stream(&self, request: ModelRequest) -> BoxStream<'static, Result<ModelEvent>> {
        Answer::new(Call { model: self.clone(), request }).boxed()
    }

    fn name(&self) -> &str {
        &self.config.model
    }

    fn takes_images(&self) -> bool {
        self.config.images
    }

    async fn models(&self) -> Result<Vec<ModelInfo>> {
        list::models(self).await
    }

    fn preview(&self, request: &ModelRequest) -> Result<Value> {
        let url = format!("{}/chat/completions", http::shown(&self.config.base_url).trim_end_matches('/'));
        let body: Value =
            serde_json::from_slice(&request::body(&self.config, request)).expect("it was JSON a moment ago");
        Ok(json!({ "method": "POST", "url": url, "body": body }))
    }

    fn provider(&self) -> Provider {
        let url = &self.config.base_url;
        Provider {
            name: "openai".into(),
            address: url.host_str().map(str::to_owned),
            port: url.port_or_known_default(),
        }
    }
}

impl fmt::Debug for OpenAi {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OpenAi")
            .field("base_url", &http::shown(&self.config.base_url))
            .field("model", &self.config.model)
            .field("key", &self.config.key)
            .field("timeouts", &self.config.timeouts)
            .field("headers", &self.config.headers.keys().collect::<Vec<_>>())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;

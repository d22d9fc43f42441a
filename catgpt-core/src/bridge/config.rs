//! What an engine is made of, as data; what is left out is as [`EngineBuilder`](crate::EngineBuilder) has it.

use std::sync::Arc;
use std::time::Duration;

use serde::Deserialize;

use super::given::{Hidden, Who};
use super::jobs::{self, Switch};
use super::models::{self, Model};
use crate::encryption::{Encryption, LocalKeys};
use crate::engine::{Engine, EngineBuilder};
use crate::error::Result;
use crate::hooks::Hook;
use crate::limits::{self, Limit};
use crate::live;
use crate::memory::{self, Memory};
use crate::model::{Access, Cached, ChatModel, RetryPolicy};
use crate::prices::Prices;
use crate::prompt::Window;

/// An engine's parts.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Who is asked; left out: the endpoint's `OPENAI_MODEL`.
    pub model: Option<Model>,
    /// The endpoint; left out: what the environment has for the model's protocol (`OPENAI_BASE_URL`, `ANTHROPIC_BASE_URL`),
    /// else the provider's own. Of several models it is OpenAI's.
    pub base_url: Option<String>,
    /// The key; left out: `OPENAI_API_KEY`, or `ANTHROPIC_API_KEY`. Of several models it is OpenAI's.
    pub api_key: Option<Hidden>,
    /// The store's URL (see [`memory::open`]); left out: `memory:`. `DATABASE_URL` is not looked at: what stands there
    /// may be another program's, and only a program knows whether it is its own.
    pub memory: Option<Hidden>,
    /// The live log's URL (see [`live::open`]); left out: none. `REDIS_URL` is not looked at either.
    pub live: Option<Hidden>,
    /// Who answers; left out: `plain`.
    pub persona: Option<Who>,
    /// How many messages the model is sent.
    pub window_messages: Option<usize>,
    /// How many tokens the model is sent.
    pub window_tokens: Option<u64>,
    /// How much of that stays filled when older turns are let go of, in percent.
    pub window_keep: Option<u8>,
    /// How often the model is asked at most before anything was shown; 1 never retries.
    pub attempts: Option<u32>,
    /// The first pause between two attempts, in milliseconds.
    pub retry_base_ms: Option<u64>,
    /// How long a turn is believed alive after its last checkpoint, in milliseconds.
    pub lease_ms: Option<u64>,
    /// Keeps answers and gives them to the same request again, see [`Cached`]; left out: it does not.
    pub cache: Option<Cache>,
    /// After how many milliseconds without a change new sessions are deleted; left out: never.
    pub session_ttl_ms: Option<u64>,
    /// Titles that a model makes of first messages: `true`, or how. Left out: none.
    pub titles: Option<Switch<jobs::Titles>>,
    /// Summaries of conversations that grow out of the window: `true`, or how. Left out: none.
    pub summaries: Option<Switch<jobs::Summaries>>,
    /// Whether messages are made findable; left out: yes.
    pub search: Option<bool>,
    /// Encrypts what is stored, with these keys; left out: it is stored as it is. `CATGPT_ENCRYPTION_KEYS` is not looked at.
    pub encryption: Option<Sealing>,
    /// What models cost, by name, see [`Prices`]; left out: nobody knows.
    pub prices: Prices,
    /// How much may be used.
    pub limits: Vec<Limit>,
    /// How many turns of one owner may run at once; left out: any number.
    pub max_running: Option<u32>,
    /// Whether messages are told to the log, at the level `info`; left out: no.
    pub record_content: Option<bool>,
}

/// The keys: a text of them or the path of a file, see [`LocalKeys::open`]. Or those, and more.
#[derive(Clone, Debug, Deserialize)]
#[serde(untagged, expecting = "these are keys, the path of a file with them, or an object with `keys`")]
pub enum Sealing {
    /// The keys.
    Keys(Hidden),
    /// The keys, and what becomes of records that are not encrypted.
    Set {
        /// The keys.
        keys: Hidden,
        /// Whether such records are refused, see [`Encryption::refuse_plaintext`].
        #[serde(default)]
        refuse_plaintext: bool,
    },
}

impl Sealing {
    fn read(&self) -> Result<Encryption> {
        let (keys, refuse) = match self {
            Self::Keys(keys) => (keys, false),
            Self::Set { keys, refuse_plaintext } => (keys, *refuse_plaintext),
        };
        let encryption = Encryption::new(LocalKeys::open(&keys.0)?);
        Ok(if refuse { encryption.refuse_plaintext() } else { encryption })
    }
}

/// How much a [`Cached`] model keeps; what is left out is as it has it.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Cache {
    /// The most bytes.
    pub bytes: Option<usize>,
    /// How long an answer may be given again, in milliseconds.
    pub ttl_ms: Option<u64>,
}

impl Config {
    /// What can be told without I/O.
    pub(super) fn check(&self) -> Result<()> {
        self.persona.clone().map(Who::read).transpose()?;
        limits::check(&self.limits)?;
        self.memory.as_ref().map(|url| memory::check(&url.0)).transpose()?;
        self.live.as_ref().map(|url| live::check(&url.0)).transpose().map(drop)
    }

    /// The model, with its cache if one is wanted. `own` are those that the host hands over.
    pub(super) fn model(&self, own: &[Arc<dyn ChatModel>]) -> Result<Arc<dyn ChatModel>> {
        let model = self.model.as_ref().map_or_else(|| models::endpoint(self), |model| model.read(self, own))?;
        let Some(Cache { bytes, ttl_ms }) = self.cache else { return Ok(model) };
        let cached = bytes.into_iter().fold(Cached::new(model), Cached::bytes);
        Ok(Arc::new(ttl_ms.map(Duration::from_millis).into_iter().fold(cached, Cached::ttl)))
    }

    /// The endpoint's key and address.
    pub(super) fn access(&self) -> Access {
        Access { key: self.api_key.as_ref().map(|key| key.0.as_str().into()), base_url: self.base_url.clone() }
    }

    /// The endpoint.
    #[cfg(feature = "openai")]
    pub(super) fn openai(&self) -> Result<crate::model::OpenAi> {
        crate::model::OpenAi::with_access(&self.access())
    }

    /// The URL of the store.
    pub(super) fn store(&self) -> &str {
        self.memory.as_ref().map_or("memory:", |url| &url.0)
    }

    /// Opens the store and puts the engine together.
    pub(super) async fn open(
        &self,
        model: Arc<dyn ChatModel>,
        memory: Option<Arc<dyn Memory>>,
        hooks: &[Arc<dyn Hook>],
    ) -> Result<Engine> {
        let memory = match memory {
            Some(memory) => memory,
            None => memory::open(self.store()).await?,
        };
        let (window, retry) = (Window::default(), RetryPolicy::default());
        let mut builder = Engine::builder().model(model).memory(memory);
        builder = hooks.iter().cloned().fold(builder, EngineBuilder::hook);
        if let Some(url) = &self.live {
            builder = builder.live(live::open(&url.0).await?);
        }
        builder = builder.window(Window {
            messages: self.window_messages.unwrap_or(window.messages),
            tokens: self.window_tokens.unwrap_or(window.tokens),
            keep: self.window_keep.unwrap_or(window.keep),
        });
        builder = builder.retry(RetryPolicy {
            attempts: self.attempts.unwrap_or(retry.attempts),
            base: self.retry_base_ms.map_or(retry.base, Duration::from_millis),
            ..retry
        });
        if let Some(who) = self.persona.clone() {
            builder = builder.persona(who.read()?);
        }
        if let Some(sealing) = &self.encryption {
            builder = builder.encryption(sealing.read()?);
        }
        builder = builder.search(self.search.unwrap_or(true));
        if let Some(titles) = self.titles.clone().and_then(Switch::on) {
            builder = builder.titles(titles.read());
        }
        if let Some(summaries) = self.summaries.clone().and_then(Switch::on) {
            builder = builder.summaries(summaries.read());
        }
        if let Some(ms) = self.session_ttl_ms {
            builder = builder.session_ttl(Duration::from_millis(ms));
        }
        if let Some(ms) = self.lease_ms {
            builder = builder.lease(Duration::from_millis(ms));
        }
        builder = self.limits.iter().cloned().fold(builder.prices(self.prices.clone()), EngineBuilder::limit);
        builder = self.max_running.into_iter().fold(builder, EngineBuilder::max_running);
        Ok(builder.record_content(self.record_content.unwrap_or(false)).build())
    }
}

//! What an engine is made of, as data; what is left out is as [`EngineBuilder`](crate::EngineBuilder) has it.

use std::sync::Arc;
use std::time::Duration;

use serde::Deserialize;

use super::call::Key;
use crate::engine::Engine;
use crate::error::{Error, Result};
use crate::memory::{self, Memory};
use crate::model::{ChatModel, Offline, RetryPolicy};
use crate::persona::Persona;
use crate::prompt::Window;

/// An engine's parts.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// A model's name at the endpoint (see [`OpenAi`](crate::OpenAi)), or `offline` for the built-in cat. Left out:
    /// `OPENAI_MODEL`.
    pub model: Option<String>,
    /// The endpoint; left out: `OPENAI_BASE_URL`, else OpenAI's own.
    pub base_url: Option<String>,
    /// The key; left out: `OPENAI_API_KEY`.
    pub api_key: Option<Key>,
    /// The store's URL (see [`memory::open`]); left out: `memory:`.
    pub memory: Option<String>,
    /// Who answers; left out: `plain`.
    pub persona: Option<Who>,
    /// How many messages the model is sent.
    pub window_messages: Option<usize>,
    /// How many tokens the model is sent.
    pub window_tokens: Option<u64>,
    /// How often the model is asked at most before anything was shown; 1 never retries.
    pub attempts: Option<u32>,
    /// The first pause between two attempts, in milliseconds.
    pub retry_base_ms: Option<u64>,
    /// How long a turn is believed alive after its last checkpoint, in milliseconds.
    pub lease_ms: Option<u64>,
}

/// A persona: a built-in one by its name, or its fields.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(untagged)]
pub enum Who {
    /// The built-in persona of this name.
    Builtin(String),
    /// Its fields, as [`Persona`] has them.
    Fields(Box<Persona>),
}

impl Who {
    /// The persona.
    ///
    /// # Errors
    /// `NotFound` for a name that is not built in; `InvalidInput` for fields that cannot be used.
    pub fn read(self) -> Result<Persona> {
        match self {
            Self::Fields(persona) => persona.validate().map(|()| *persona),
            Self::Builtin(name) => Persona::builtin(&name).ok_or_else(|| {
                Error::not_found("built-in persona")
                    .with("persona", name.escape_debug())
                    .with("known", Persona::BUILTIN.join(", "))
            }),
        }
    }
}

impl Config {
    /// What can be told without I/O.
    pub(super) fn check(&self) -> Result<()> {
        self.persona.clone().map(Who::read).transpose()?;
        self.memory.as_deref().map(memory::check).transpose().map(drop)
    }

    /// The model that is named.
    pub(super) fn model(&self) -> Result<Arc<dyn ChatModel>> {
        match self.model.as_deref() {
            Some("offline") => Ok(Arc::new(Offline::default())),
            name => self.endpoint(name),
        }
    }

    #[cfg(feature = "openai")]
    fn endpoint(&self, name: Option<&str>) -> Result<Arc<dyn ChatModel>> {
        let (key, url) = (self.api_key.as_ref().map(|key| key.0.as_str()), self.base_url.as_deref());
        let model = crate::model::OpenAi::configured(key, url)?;
        Ok(Arc::new(name.into_iter().fold(model, crate::model::OpenAi::model)))
    }

    #[cfg(not(feature = "openai"))]
    fn endpoint(&self, _: Option<&str>) -> Result<Arc<dyn ChatModel>> {
        Err(Error::new(crate::error::ErrorKind::Unsupported, "this build has no client for models: use `offline`"))
    }

    /// Opens the store and puts the engine together.
    pub(super) async fn open(&self, model: Arc<dyn ChatModel>, memory: Option<Arc<dyn Memory>>) -> Result<Engine> {
        let memory = match memory {
            Some(memory) => memory,
            None => memory::open(self.memory.as_deref().unwrap_or("memory:")).await?,
        };
        let (window, retry) = (Window::default(), RetryPolicy::default());
        let mut builder = Engine::builder().model(model).memory(memory);
        builder = builder.window(Window {
            messages: self.window_messages.unwrap_or(window.messages),
            tokens: self.window_tokens.unwrap_or(window.tokens),
        });
        builder = builder.retry(RetryPolicy {
            attempts: self.attempts.unwrap_or(retry.attempts),
            base: self.retry_base_ms.map_or(retry.base, Duration::from_millis),
            ..retry
        });
        if let Some(who) = self.persona.clone() {
            builder = builder.persona(who.read()?);
        }
        if let Some(ms) = self.lease_ms {
            builder = builder.lease(Duration::from_millis(ms));
        }
        Ok(builder.build())
    }
}

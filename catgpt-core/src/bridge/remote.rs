//! One model of an engine with a protocol, a key and an address of its own, as data.

use std::sync::Arc;

use serde::Deserialize;

use super::given::Hidden;
use crate::error::{Error, Result};
#[cfg(any(feature = "openai", feature = "anthropic"))]
use crate::model::Access;
use crate::model::ChatModel;

/// A model and its protocol; what is left out is as the environment has it.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Remote {
    /// In Chat Completions, see [`OpenAi`](crate::OpenAi).
    Openai(Plain),
    /// In OpenAI's Responses, see [`Responses`](crate::Responses).
    Responses(Reasoned),
    /// In Anthropic's Messages, see [`Anthropic`](crate::Anthropic).
    Anthropic(Thoughtful),
}

/// A model in Chat Completions.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Plain {
    /// Its name.
    pub model: Option<String>,
    /// The key.
    pub api_key: Option<Hidden>,
    /// The address.
    pub base_url: Option<String>,
}

/// A model in Responses.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Reasoned {
    /// Its name.
    pub model: Option<String>,
    /// The key.
    pub api_key: Option<Hidden>,
    /// The address.
    pub base_url: Option<String>,
    /// How much it thinks, in the provider's words.
    pub effort: Option<String>,
    /// What is told of its thoughts, in the provider's words.
    pub summary: Option<String>,
}

/// A model in Messages.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Thoughtful {
    /// Its name.
    pub model: Option<String>,
    /// The key.
    pub api_key: Option<Hidden>,
    /// The address.
    pub base_url: Option<String>,
    /// The most tokens of an answer where nobody says a number.
    pub max_tokens: Option<u32>,
    /// How long it thinks before it speaks: so many tokens, or `adaptive`.
    pub thinking: Option<Thinking>,
    /// How much work goes into an answer, in the provider's words.
    pub effort: Option<String>,
}

/// How long a model thinks.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(untagged, expecting = "`thinking` is a number of tokens, or \"adaptive\"")]
pub enum Thinking {
    /// At most so many tokens.
    Tokens(u32),
    /// As long as it sees fit.
    Word(Adaptive),
}

/// The one word for it.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Adaptive {
    /// As long as it sees fit.
    Adaptive,
}

#[cfg(any(feature = "openai", feature = "anthropic"))]
fn access(key: Option<&Hidden>, base_url: Option<&String>) -> Access {
    Access { key: key.map(|key| key.0.as_str().into()), base_url: base_url.cloned() }
}

impl Remote {
    /// The model.
    pub(super) fn read(&self) -> Result<Arc<dyn ChatModel>> {
        match self {
            #[cfg(feature = "openai")]
            Self::Openai(Plain { model, api_key, base_url }) => {
                let client = crate::model::OpenAi::with_access(&access(api_key.as_ref(), base_url.as_ref()))?;
                Ok(Arc::new(model.iter().cloned().fold(client, crate::model::OpenAi::model)))
            }
            #[cfg(feature = "openai")]
            Self::Responses(Reasoned { model, api_key, base_url, effort, summary }) => {
                use crate::model::Responses;
                let client = Responses::with_access(&access(api_key.as_ref(), base_url.as_ref()))?;
                let client = model.iter().cloned().fold(client, Responses::model);
                let client = effort.iter().cloned().fold(client, Responses::effort);
                Ok(Arc::new(summary.iter().cloned().fold(client, Responses::summary)))
            }
            #[cfg(feature = "anthropic")]
            Self::Anthropic(Thoughtful { model, api_key, base_url, max_tokens, thinking, effort }) => {
                use crate::model::Anthropic;
                let client = Anthropic::with_access(&access(api_key.as_ref(), base_url.as_ref()))?;
                let client = model.iter().cloned().fold(client, Anthropic::model);
                let client = max_tokens.iter().copied().fold(client, Anthropic::max_tokens);
                let client = effort.iter().cloned().fold(client, Anthropic::effort);
                Ok(Arc::new(match thinking {
                    None => client,
                    Some(Thinking::Tokens(tokens)) => client.thinking(*tokens),
                    Some(Thinking::Word(Adaptive::Adaptive)) => client.adaptive_thinking(),
                }))
            }
            #[allow(unreachable_patterns, reason = "a build may have all of them")]
            _ => Err(unbuilt()),
        }
    }
}

/// A build that was made without clients.
pub(super) fn unbuilt() -> Error {
    Error::new(crate::error::ErrorKind::Unsupported, "this build has no client for such a model: use `offline`")
}

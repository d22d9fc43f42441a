//! A model by its name alone: which protocol it speaks, and where its address and its key are looked for.

use std::sync::Arc;

use super::{ChatModel, Offline, Secret};
use crate::error::{Error, ErrorKind, Result};

/// A protocol that models are asked in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Protocol {
    /// Chat Completions: OpenAI's own, and what most other servers speak.
    OpenAi,
    /// OpenAI's Responses.
    Responses,
    /// Anthropic's Messages.
    Anthropic,
}

impl Protocol {
    /// All of them.
    pub const ALL: [Protocol; 3] = [Self::OpenAi, Self::Responses, Self::Anthropic];

    /// What stands before the colon of a model's name: `openai`, `responses`, `anthropic`.
    pub fn name(self) -> &'static str {
        match self {
            Self::OpenAi => "openai",
            Self::Responses => "responses",
            Self::Anthropic => "anthropic",
        }
    }

    /// The protocol that a name begins with, and the rest of the name. A name that begins with none (`gpt-4o`,
    /// `llama3.2:3b`) is one of Chat Completions, whole.
    ///
    /// ```
    /// use catgpt_core::model::Protocol;
    /// assert_eq!(Protocol::of("anthropic:claude-sonnet-4-5"), (Protocol::Anthropic, "claude-sonnet-4-5"));
    /// assert_eq!(Protocol::of("llama3.2:3b"), (Protocol::OpenAi, "llama3.2:3b"));
    /// ```
    pub fn of(name: &str) -> (Self, &str) {
        Self::ALL.into_iter().find_map(|it| Some((it, it.strip(name)?))).unwrap_or((Self::OpenAi, name))
    }

    /// What follows this protocol's name and a colon.
    fn strip(self, name: &str) -> Option<&str> {
        name.strip_prefix(self.name())?.strip_prefix(':')
    }

    /// A model's name as its server knows it.
    #[cfg(feature = "http")]
    pub(super) fn bare(self, name: &str) -> &str {
        self.strip(name).unwrap_or(name)
    }

    /// The environment variable with the key.
    pub fn key_variable(self) -> &'static str {
        match self {
            Self::OpenAi | Self::Responses => "OPENAI_API_KEY",
            Self::Anthropic => "ANTHROPIC_API_KEY",
        }
    }

    /// The environment variable with the address, if it is not the provider's own.
    pub fn base_url_variable(self) -> &'static str {
        match self {
            Self::OpenAi | Self::Responses => "OPENAI_BASE_URL",
            Self::Anthropic => "ANTHROPIC_BASE_URL",
        }
    }

    /// The environment variable with the model's name, where nobody says one.
    pub fn model_variable(self) -> &'static str {
        match self {
            Self::OpenAi | Self::Responses => "OPENAI_MODEL",
            Self::Anthropic => "ANTHROPIC_MODEL",
        }
    }

    /// The provider's own address.
    pub fn base_url(self) -> &'static str {
        match self {
            Self::OpenAi | Self::Responses => "https://api.openai.com/v1",
            Self::Anthropic => "https://api.anthropic.com/v1",
        }
    }

    /// Nobody said where to ask, nor with which key.
    #[cfg(feature = "http")]
    pub(super) fn unconfigured(self) -> Error {
        let (key, url) = (self.key_variable(), self.base_url_variable());
        let message = format!("no model is configured: set {key}, or {url} for an endpoint without a key");
        Error::new(ErrorKind::Unauthorized, message)
    }
}

/// What a program knows of a model beside its name. What is left out is looked for in the environment.
#[derive(Clone, Debug, Default)]
pub struct Access {
    /// The key.
    pub key: Option<Secret>,
    /// The address under which the protocol's paths stand.
    pub base_url: Option<String>,
}

/// What a protocol's variables say, beside what is known.
#[cfg(feature = "http")]
#[derive(Debug, Default)]
pub(super) struct Vars {
    pub(super) key: Option<Secret>,
    pub(super) base_url: Option<String>,
    pub(super) model: Option<String>,
}

#[cfg(feature = "http")]
impl Vars {
    /// Reads the environment, or what stands in its place.
    pub(super) fn read(protocol: Protocol, access: &Access, var: impl Fn(&str) -> Option<String>) -> Self {
        let var = |name| var(name).map(|value| value.trim().to_owned()).filter(|value| !value.is_empty());
        Self {
            key: access.key.clone().or_else(|| var(protocol.key_variable()).map(Secret::from)),
            base_url: access.base_url.clone().or_else(|| var(protocol.base_url_variable())),
            model: var(protocol.model_variable()),
        }
    }

    pub(super) fn from_env(protocol: Protocol, access: &Access) -> Self {
        Self::read(protocol, access, |name| std::env::var(name).ok())
    }
}

/// The model of this name: `anthropic:NAME` speaks [`Anthropic`](Protocol::Anthropic)'s protocol, `responses:NAME`
/// [`Responses`](Protocol::Responses), `openai:NAME` and any other name [Chat Completions](Protocol::OpenAi); `offline` is
/// the built-in cat. A protocol alone (`anthropic:`) is its model that the environment names, or its usual one.
///
/// The key and the address are those of `access`, else of the protocol's environment variables, such as
/// `ANTHROPIC_API_KEY` and `ANTHROPIC_BASE_URL`. An address without a key is an endpoint that wants none.
///
/// # Errors
/// `Unauthorized`, naming the variable, if there is neither a key nor an address; `InvalidInput` for an address that is
/// none; `Unsupported` for a protocol that this build does not have.
pub fn named(name: &str, access: &Access) -> Result<Arc<dyn ChatModel>> {
    if name == "offline" {
        return Ok(Arc::new(Offline::default()));
    }
    let (protocol, name) = Protocol::of(name);
    speaking(protocol, Some(name).filter(|name| !name.is_empty()), access)
}

#[allow(unused_variables, reason = "a build may have none of them")]
fn speaking(protocol: Protocol, name: Option<&str>, access: &Access) -> Result<Arc<dyn ChatModel>> {
    match protocol {
        #[cfg(feature = "openai")]
        Protocol::OpenAi => {
            let model = super::OpenAi::with_access(access)?;
            Ok(Arc::new(name.into_iter().fold(model, super::OpenAi::model)))
        }
        #[cfg(feature = "openai")]
        Protocol::Responses => {
            let model = super::Responses::with_access(access)?;
            Ok(Arc::new(name.into_iter().fold(model, super::Responses::model)))
        }
        #[cfg(feature = "anthropic")]
        Protocol::Anthropic => {
            let model = super::Anthropic::with_access(access)?;
            Ok(Arc::new(name.into_iter().fold(model, super::Anthropic::model)))
        }
        #[allow(unreachable_patterns, reason = "a build may have all of them")]
        _ => {
            let message = "this build has no client for this model's protocol: use `offline`, or build it in";
            Err(Error::new(ErrorKind::Unsupported, message).with("protocol", protocol.name()))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_known_protocol_is_cut_off_a_name() {
        for (name, protocol, rest) in [
            ("gpt-4o", Protocol::OpenAi, "gpt-4o"),
            ("openai:gpt-4o", Protocol::OpenAi, "gpt-4o"),
            ("openai/gpt-4o:free", Protocol::OpenAi, "openai/gpt-4o:free"),
            ("llama3.2:3b", Protocol::OpenAi, "llama3.2:3b"),
            ("anthropic", Protocol::OpenAi, "anthropic"),
            ("anthropic:", Protocol::Anthropic, ""),
            ("anthropic:claude", Protocol::Anthropic, "claude"),
            ("anthropic/claude:x", Protocol::OpenAi, "anthropic/claude:x"),
            ("responses:gpt-5", Protocol::Responses, "gpt-5"),
        ] {
            assert_eq!(Protocol::of(name), (protocol, rest), "{name}");
        }
        assert_eq!(named("offline", &Access::default()).unwrap().name(), Offline::default().name());
    }

    #[cfg(all(feature = "openai", feature = "anthropic"))]
    #[test]
    fn every_protocol_has_a_model_that_asks_where_it_is_told() {
        for protocol in Protocol::ALL {
            let access = Access { key: None, base_url: Some("http://127.0.0.1:1/v1".into()) };
            let model = named(&format!("{}:some-model", protocol.name()), &access).unwrap();
            assert_eq!((model.name(), model.provider().port), ("some-model", Some(1)));
            let error = protocol.unconfigured();
            assert!(error.message().contains(protocol.key_variable()) && error.kind() == ErrorKind::Unauthorized);
            let nowhere = Access { key: None, base_url: Some("nowhere".into()) };
            let error = named(&format!("{}:x", protocol.name()), &nowhere).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::InvalidInput);
        }
    }
}

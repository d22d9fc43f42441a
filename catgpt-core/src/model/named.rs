//! A model by its name alone: where its address and its key are looked for.

use std::sync::Arc;

use super::{ChatModel, Offline, Secret};
use crate::error::{Error, ErrorKind, Result};
use crate::protocol::Protocol;

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
    fn the_cat_needs_no_protocol() {
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

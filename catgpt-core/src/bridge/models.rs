//! Which model an engine has, as data: one, or several by name.

use std::sync::Arc;

use serde::Deserialize;

use super::Config;
use super::remote::Remote;
use crate::error::{Error, Result};
use crate::model::{ByName, ChatModel, Protocol, named};

/// A model, or several.
#[derive(Clone, Debug, Deserialize)]
#[serde(
    untagged,
    deny_unknown_fields,
    expecting = "a model is a name, {\"anthropic\": {…}}, {\"responses\": {…}}, {\"openai\": {…}}, {\"images\": {…}}, \
                 {\"own\": 0} or {\"by_name\": [[name, model], …]}"
)]
pub enum Model {
    /// Its name (see [`named`](crate::model::named())): `anthropic:NAME`, `responses:NAME`, NAME at the endpoint, `offline`.
    Named(String),
    /// One with a key and an address of its own.
    Remote(Remote),
    /// One that draws at the endpoint.
    Images {
        /// How.
        images: Drawing,
    },
    /// One of those that the host hands over: the first is 0.
    Own {
        /// Which.
        own: usize,
    },
    /// Several, see [`ByName`].
    ByName {
        /// Each under its name or pattern, in order.
        by_name: Vec<(String, Model)>,
    },
}

/// How pictures are drawn; what is left out is as [`Images`](crate::Images) has it.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Drawing {
    /// Which model draws.
    pub model: Option<String>,
    /// How large, in the endpoint's words.
    pub size: Option<String>,
    /// How finely, in the endpoint's words.
    pub quality: Option<String>,
    /// How long it may take, in milliseconds.
    pub within_ms: Option<u64>,
}

impl Model {
    /// One of several. The engine's key and address are its OpenAI's then: no other provider is shown them.
    fn beside_others(&self, config: &Config, own: &[Arc<dyn ChatModel>]) -> Result<Arc<dyn ChatModel>> {
        match self {
            Self::Named(name) if Protocol::of(name).0 == Protocol::Anthropic => named(name, &Default::default()),
            _ => self.read(config, own),
        }
    }

    /// The model, at the endpoint that the config names or among those of the host's own.
    pub(super) fn read(&self, config: &Config, own: &[Arc<dyn ChatModel>]) -> Result<Arc<dyn ChatModel>> {
        match self {
            Self::Named(name) => named(name, &config.access()),
            Self::Remote(remote) => remote.read(),
            Self::Images { images } => drawing(config, images),
            Self::Own { own: n } => own.get(*n).cloned().ok_or_else(|| Error::invalid("no such model was handed over")),
            Self::ByName { by_name } => {
                let mut all = ByName::new();
                for (name, model) in by_name {
                    all = all.with(name, model.beside_others(config, own)?);
                }
                Ok(Arc::new(all))
            }
        }
    }
}

/// The endpoint's model that the environment names.
pub(super) fn endpoint(config: &Config) -> Result<Arc<dyn ChatModel>> {
    named("openai:", &config.access())
}

#[cfg(feature = "openai")]
fn drawing(config: &Config, drawing: &Drawing) -> Result<Arc<dyn ChatModel>> {
    use std::time::Duration;

    use crate::model::Images;
    let Drawing { model, size, quality, within_ms } = drawing.clone();
    let images = model.into_iter().fold(Images::new(config.openai()?), Images::model);
    let images = quality.into_iter().fold(size.into_iter().fold(images, Images::size), Images::quality);
    Ok(Arc::new(within_ms.map(Duration::from_millis).into_iter().fold(images, Images::within)))
}

#[cfg(not(feature = "openai"))]
fn drawing(_: &Config, _: &Drawing) -> Result<Arc<dyn ChatModel>> {
    Err(super::remote::unbuilt())
}

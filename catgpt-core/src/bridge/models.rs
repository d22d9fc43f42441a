//! Which model an engine has, as data: one, or several by name.

use std::sync::Arc;

use serde::Deserialize;

use super::Config;
use crate::error::{Error, Result};
use crate::model::{ByName, ChatModel, Offline};

/// A model, or several.
#[derive(Clone, Debug, Deserialize)]
#[serde(
    untagged,
    deny_unknown_fields,
    expecting = "a model is a name, {\"images\": {…}}, {\"own\": 0} or {\"by_name\": [[name, model], …]}"
)]
pub enum Model {
    /// Its name at the endpoint (see [`OpenAi`](crate::OpenAi)), or `offline` for the built-in cat.
    Named(String),
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
    /// The model, at the endpoint that the config names or among those of the host's own.
    pub(super) fn read(&self, config: &Config, own: &[Arc<dyn ChatModel>]) -> Result<Arc<dyn ChatModel>> {
        match self {
            Self::Named(name) if name == "offline" => Ok(Arc::new(Offline::default())),
            Self::Named(name) => endpoint(config, Some(name)),
            Self::Images { images } => drawing(config, images),
            Self::Own { own: n } => own.get(*n).cloned().ok_or_else(|| Error::invalid("no such model was handed over")),
            Self::ByName { by_name } => {
                let mut all = ByName::new();
                for (name, model) in by_name {
                    all = all.with(name, model.read(config, own)?);
                }
                Ok(Arc::new(all))
            }
        }
    }
}

/// The endpoint's model of this name, or the one that the environment names.
#[cfg(feature = "openai")]
pub(super) fn endpoint(config: &Config, name: Option<&String>) -> Result<Arc<dyn ChatModel>> {
    Ok(Arc::new(name.into_iter().cloned().fold(config.openai()?, crate::model::OpenAi::model)))
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
pub(super) fn endpoint(_: &Config, _: Option<&String>) -> Result<Arc<dyn ChatModel>> {
    let message = "this build has no client for models: use `offline`";
    Err(Error::new(crate::error::ErrorKind::Unsupported, message))
}

#[cfg(not(feature = "openai"))]
fn drawing(config: &Config, _: &Drawing) -> Result<Arc<dyn ChatModel>> {
    endpoint(config, None)
}

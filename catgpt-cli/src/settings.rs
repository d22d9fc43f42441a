//! What the user's own file says, `config.toml`: what models cost, how much may be used, what they do beside answering.

use std::fs;
use std::io::ErrorKind::NotFound;

use catgpt_core::{EngineBuilder, Limit, Prices, Result, Summaries, Titles};
use serde::Deserialize;

use crate::config::Folders;
use crate::exit::invalid;

/// The file. What it does not say is as the engine has it.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Settings {
    /// By model: `[prices."gpt-4o*"]`.
    prices: Prices,
    /// Each under `[[limits]]`.
    limits: Vec<Limit>,
    /// Whether a model makes titles.
    pub(crate) titles: bool,
    /// Whether a model sums up long chats.
    summaries: bool,
}

impl Settings {
    /// The same, but nobody is asked for titles or summaries: what the offline cat says is neither.
    pub(crate) fn offline(self) -> Self {
        Self { titles: false, summaries: false, ..self }
    }

    /// A file that is not there says nothing; one that cannot be read is an error.
    pub(crate) fn read() -> Result<Self> {
        let Ok(folders) = Folders::find() else { return Ok(Self::default()) };
        let path = folders.config;
        let text = match fs::read_to_string(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == NotFound => return Ok(Self::default()),
            Err(error) => {
                let sentence = "your configuration cannot be read as UTF-8 text";
                return Err(invalid(sentence).with("path", path.display()).caused_by(error));
            }
        };
        toml::from_str(&text).map_err(|error| {
            let line = error.span().map_or(1, |span| text[..span.start.min(text.len())].matches('\n').count() + 1);
            let sentence = format!("your configuration is wrong: {}", error.message());
            invalid(sentence).with("path", path.display()).with("line", line)
        })
    }

    pub(crate) fn apply<M>(self, builder: EngineBuilder<M>) -> EngineBuilder<M> {
        let builder = if self.titles { builder.titles(Titles::default()) } else { builder };
        let builder = if self.summaries { builder.summaries(Summaries::default()) } else { builder };
        self.limits.into_iter().fold(builder.prices(self.prices), EngineBuilder::limit)
    }
}

//! What models are asked beside turns, as data; what is left out is as [`Titles`](crate::Titles) and
//! [`Summaries`](crate::Summaries) have it.

use std::time::Duration;

use serde::Deserialize;

use crate::runner::{summaries, titles};

/// On or off, or on and how.
#[derive(Clone, Debug, Deserialize)]
#[serde(untagged, expecting = "this is `true`, `false`, or an object that says how, with fields that there are")]
pub enum Switch<T> {
    /// As it is, or not at all.
    Plain(bool),
    /// In this way.
    Set(T),
}

impl<T: Default> Switch<T> {
    pub(super) fn on(self) -> Option<T> {
        match self {
            Self::Plain(on) => on.then(T::default),
            Self::Set(how) => Some(how),
        }
    }
}

/// How titles are made.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Titles {
    /// A model's name at the engine's endpoint, if not the engine's own.
    pub model: Option<String>,
    /// How long it may take, in milliseconds.
    pub deadline_ms: Option<u64>,
    /// What the model is told.
    pub prompt: Option<String>,
    /// The longest title, in characters.
    pub max_chars: Option<usize>,
}

impl Titles {
    pub(super) fn read(self) -> titles::Titles {
        let usual = titles::Titles::default();
        titles::Titles {
            model: None,
            model_name: self.model,
            deadline: self.deadline_ms.map_or(usual.deadline, Duration::from_millis),
            prompt: self.prompt.unwrap_or(usual.prompt),
            max_chars: self.max_chars.unwrap_or(usual.max_chars),
        }
    }
}

/// How summaries are made.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Summaries {
    /// A model's name at the engine's endpoint, if not the engine's own.
    pub model: Option<String>,
    /// When one is due, in percent of the window.
    pub at: Option<u8>,
    /// How much stays beyond a new one, in percent of the window.
    pub keep: Option<u8>,
    /// How long it may take, in milliseconds.
    pub deadline_ms: Option<u64>,
    /// What the model is told.
    pub prompt: Option<String>,
    /// The most tokens of an answer.
    pub max_tokens: Option<u32>,
}

impl Summaries {
    pub(super) fn read(self) -> summaries::Summaries {
        let usual = summaries::Summaries::default();
        summaries::Summaries {
            model: None,
            model_name: self.model,
            at: self.at.unwrap_or(usual.at),
            keep: self.keep.unwrap_or(usual.keep),
            deadline: self.deadline_ms.map_or(usual.deadline, Duration::from_millis),
            prompt: self.prompt.unwrap_or(usual.prompt),
            max_tokens: self.max_tokens.or(usual.max_tokens),
        }
    }
}

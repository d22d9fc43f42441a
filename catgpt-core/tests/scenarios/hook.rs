//! The hook that a scenario describes.

use async_trait::async_trait;
use catgpt_core::hooks::{Hook, Source, TurnAt};
use catgpt_core::{Content, Error, ErrorKind, Message, Result};
use serde::Deserialize;

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Described {
    sources: Vec<Source>,
    forbidden: Option<String>,
}

impl Described {
    fn judge(&self, text: &str) -> Result<()> {
        match self.forbidden.as_ref().is_some_and(|word| text.contains(word)) {
            true => Err(Error::new(ErrorKind::Refused, "a hook refuses this")),
            false => Ok(()),
        }
    }
}

#[async_trait]
impl Hook for Described {
    async fn before_prompt(&self, _: &TurnAt, branch: &[Message]) -> Result<Vec<Source>> {
        self.judge(&branch.last().expect("the user's message").text()).map(|()| self.sources.clone())
    }
    async fn on_deltas(&self, _: &TurnAt, shown: &Content) -> Result<()> {
        self.judge(&shown.text())
    }
}

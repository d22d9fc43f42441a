//! Files that an answer can lean on: the model reads them, the reply cites them, and the message stays what was said.

use std::fs;

use async_trait::async_trait;
use catgpt_core::hooks::{Source, TurnAt};
use catgpt_core::{Hook, Message, Result};

use crate::exit::invalid;

/// What `--context` names.
#[derive(Debug)]
pub(crate) struct Context(Vec<Source>);

impl Context {
    /// Reads the files; `None` if none is named.
    pub(crate) fn read(paths: &[String]) -> Result<Option<Self>> {
        let sources: Result<Vec<_>> = paths.iter().map(|path| source(path)).collect();
        Ok(Some(Self(sources?)).filter(|context| !context.0.is_empty()))
    }
}

fn source(path: &str) -> Result<Source> {
    let text = fs::read_to_string(path).map_err(|error| {
        invalid("a file of --context cannot be read as UTF-8 text").with("path", path).caused_by(error)
    })?;
    if text.trim().is_empty() {
        return Err(invalid("a file of --context is empty").with("path", path));
    }
    Ok(Source::cited(text, path, None))
}

#[async_trait]
impl Hook for Context {
    async fn before_prompt(&self, _: &TurnAt, _: &[Message]) -> Result<Vec<Source>> {
        Ok(self.0.clone())
    }
}

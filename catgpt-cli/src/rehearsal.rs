//! `--dry-run`: the turn as it would be, in a copy of the chat, up to the point where a model is asked.

use std::io::{self, IsTerminal, Write};
use std::sync::{Arc, Mutex, PoisonError};

use catgpt_core::model::{ChatModel, ModelEvent, ModelRequest};
use catgpt_core::{Error, ErrorKind, FinishReason, ModelInfo, Result, Send};
use futures_util::StreamExt;
use futures_util::stream::{self, BoxStream};

use crate::exit::{Exit, Failure};
use crate::render::visible;

/// A model that is asked in the place of another one, and says nothing.
#[derive(Clone, Debug)]
pub(crate) struct Rehearsal {
    model: Arc<dyn ChatModel>,
    asked: Arc<Mutex<Option<ModelRequest>>>,
}

impl Rehearsal {
    pub(crate) fn of(model: Arc<dyn ChatModel>) -> Self {
        Self { model, asked: Arc::default() }
    }

    /// Sends to nobody, and shows on stdout what the model would have been asked.
    pub(crate) async fn show(&self, send: Send) -> Result<Exit, Failure> {
        let ended = send.await?.result().await;
        let asked = self.asked.lock().unwrap_or_else(PoisonError::into_inner).take();
        let Some(request) = asked else {
            let silent = || Error::new(ErrorKind::Unexpected, "there would be no request; please report this");
            return Err(ended.err().unwrap_or_else(silent).into());
        };
        let mut text = serde_json::to_string_pretty(&self.model.preview(&request)?).expect("values have a JSON form");
        text.push('\n');
        let mut out = io::stdout();
        let shown = if out.is_terminal() { visible(&text) } else { text.into() };
        out.write_all(shown.as_bytes())?;
        out.flush()?;
        Ok(Exit::Ok)
    }
}

#[async_trait::async_trait]
impl ChatModel for Rehearsal {
    fn stream(&self, request: ModelRequest) -> BoxStream<'static, Result<ModelEvent>> {
        *self.asked.lock().unwrap_or_else(PoisonError::into_inner) = Some(request);
        stream::iter([Ok(ModelEvent::Finish(FinishReason::Stop))]).boxed()
    }

    fn name(&self) -> &str {
        self.model.name()
    }

    fn takes_images(&self) -> bool {
        self.model.takes_images()
    }

    async fn models(&self) -> Result<Vec<ModelInfo>> {
        self.model.models().await
    }

    fn chosen(&self, model: Option<&str>) -> Result<Option<&dyn ChatModel>> {
        self.model.chosen(model)
    }
}

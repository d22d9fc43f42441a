//! What answers in a conversation: one model, and another one, perhaps another provider's, as soon as somebody wants that.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};

use async_trait::async_trait;
use catgpt_core::model::{ChatModel, ModelEvent, ModelRequest, Protocol, Provider};
use catgpt_core::{ModelInfo, Result};
use futures_util::stream::BoxStream;
use serde_json::Value;

use crate::config::{Model, prefixed};

/// A client for each protocol, and the cat, each made when it is wanted first.
const CLIENTS: usize = Protocol::ALL.len() + 1;

/// The models; one of them answers.
#[derive(Debug)]
pub(crate) struct Models {
    clients: [OnceLock<Arc<dyn ChatModel>>; CLIENTS],
    answers: AtomicUsize,
    /// Whether the cat takes its time.
    paced: bool,
}

impl Models {
    /// This one answers first; also its name, as [`turn_to`](Self::turn_to) tells it.
    pub(crate) fn of(model: Model, paced: bool) -> (Arc<Self>, Option<String>) {
        let models = Self { clients: Default::default(), answers: AtomicUsize::new(0), paced };
        let name = models.turn_to(model);
        (Arc::new(models), name)
    }

    /// This one answers from the next message on, which has to name it; the cat has no name.
    pub(crate) fn turn_to(&self, model: Model) -> Option<String> {
        let (place, name) = match &model {
            Model::Asked(protocol, model) => (place(*protocol), Some(model.name().to_owned())),
            Model::Offline => (CLIENTS - 1, None),
        };
        self.clients[place].get_or_init(|| model.build(self.paced));
        self.answers.store(place, Ordering::Relaxed);
        name
    }

    /// A name of the one that answers, as `--model` takes it.
    pub(crate) fn in_full(&self, name: &str) -> String {
        match self.protocol() {
            Some(protocol) => prefixed(protocol, name),
            None => name.to_owned(),
        }
    }

    fn protocol(&self) -> Option<Protocol> {
        Protocol::ALL.get(self.answers.load(Ordering::Relaxed)).copied()
    }

    fn now(&self) -> &dyn ChatModel {
        let client = self.clients[self.answers.load(Ordering::Relaxed)].get();
        &**client.expect("who answers is there: `turn_to` makes it first")
    }
}

fn place(protocol: Protocol) -> usize {
    Protocol::ALL.iter().position(|known| *known == protocol).unwrap_or_default()
}

#[async_trait]
impl ChatModel for Models {
    fn stream(&self, request: ModelRequest) -> BoxStream<'static, Result<ModelEvent>> {
        self.now().stream(request)
    }

    fn name(&self) -> &str {
        self.now().name()
    }

    fn takes_images(&self) -> bool {
        self.now().takes_images()
    }

    /// Those of the provider that answers, as `--model` takes them.
    async fn models(&self) -> Result<Vec<ModelInfo>> {
        let mut models = self.now().models().await?;
        models.iter_mut().for_each(|info| info.id = self.in_full(&info.id));
        Ok(models)
    }

    fn provider(&self) -> Provider {
        self.now().provider()
    }

    fn chosen(&self, model: Option<&str>) -> Result<Option<&dyn ChatModel>> {
        Ok(Some(self.now().chosen(model)?.unwrap_or_else(|| self.now())))
    }

    fn preview(&self, request: &ModelRequest) -> Result<Value> {
        self.now().preview(request)
    }
}

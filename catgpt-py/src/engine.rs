//! The engine, and a call on its way.

use std::sync::Arc;

use catgpt_core::bridge::{self, Bridge, DeskHook, DeskMemory, DeskModel, DeskTool};
use catgpt_core::{ChatModel, Error, ErrorKind, Memory};
use pyo3::prelude::*;

use crate::desk::{Desk, Play};
use crate::error::Result;
use crate::hub::Hub;

/// A model of the application's own, or one that plays scripts.
#[derive(FromPyObject)]
enum Own<'py> {
    Play(Bound<'py, Play>),
    Desk((Bound<'py, Desk>, String, String)),
}

impl Own<'_> {
    fn model(self) -> std::result::Result<Arc<dyn ChatModel>, Error> {
        Ok(match self {
            Self::Play(play) => play.get().0.model(),
            Self::Desk((desk, name, timeouts)) => {
                Arc::new(DeskModel::new(name, desk.get().0.clone(), read(&timeouts)?))
            }
        })
    }
}

/// An engine.
#[pyclass(frozen, module = "catgpt._native")]
pub(crate) struct Engine(Arc<Bridge>);

#[pymethods]
impl Engine {
    /// From its config as JSON. Models, a store, hooks and tools of the application's own are a desk each, and what they
    /// are like as JSON; a model may be a play too.
    #[new]
    #[pyo3(signature = (config, *, models=vec![], memory=None, hooks=None, tools=None))]
    fn new(
        config: &str,
        models: Vec<Own<'_>>,
        memory: Option<(Bound<'_, Desk>, String)>,
        hooks: Option<(Bound<'_, Desk>, String)>,
        tools: Option<(Bound<'_, Desk>, String)>,
    ) -> Result<Self> {
        let models: std::result::Result<Vec<_>, Error> = models.into_iter().map(Own::model).collect();
        let memory = memory.map(|(desk, caps)| {
            let memory = DeskMemory::new(desk.get().0.clone(), read(&caps)?);
            Ok::<_, Error>(Arc::new(memory) as Arc<dyn Memory>)
        });
        let hooks =
            hooks.map(|(desk, asks)| Ok::<_, Error>(DeskHook::each(&desk.get().0, read(&asks)?))).transpose()?;
        let tools =
            tools.map(|(desk, specs)| Ok::<_, Error>(DeskTool::each(&desk.get().0, read(&specs)?))).transpose()?;
        let bridge = Bridge::new(config, &models?, memory.transpose()?)?.hooks(hooks.unwrap_or_default());
        Ok(Self(Arc::new(bridge.tools(tools.unwrap_or_default())?)))
    }

    /// Begins a call. Its answer comes to the hub under the ticket's number.
    fn call(&self, hub: &Bound<'_, Hub>, call: &str) -> Result<Ticket> {
        Ok(Ticket(self.0.call(&hub.get().hub, call)?))
    }
}

/// A call on its way.
#[pyclass(frozen, module = "catgpt._native")]
pub(crate) struct Ticket(bridge::Ticket);

#[pymethods]
impl Ticket {
    /// The number of its answer.
    #[getter]
    fn id(&self) -> u64 {
        self.0.id
    }

    /// The number that comes when there is news of how far the call is.
    #[getter]
    fn watch(&self) -> u64 {
        self.0.watch()
    }

    /// How far the call is, and of how much, if there is news of it.
    fn progress(&self) -> Option<(u64, Option<u64>)> {
        self.0.progress().map(|progress| (progress.done, progress.total))
    }

    /// Nobody waits for the answer any more.
    fn abandon(&self) {
        self.0.abandon();
    }
}

pub(crate) fn read<T: serde::de::DeserializeOwned>(json: &str) -> std::result::Result<T, Error> {
    let unreadable = |error| Error::new(ErrorKind::InvalidInput, "these options cannot be read").caused_by(error);
    serde_json::from_str(json).map_err(|error: serde_json::Error| unreadable(error))
}

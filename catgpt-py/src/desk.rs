//! Where Python's own models and stores answer, and the scripted model of tests.

use std::sync::Arc;

use catgpt_core::bridge::{self, Heard, Said};
use pyo3::prelude::*;

use crate::error::Result;
use crate::hub::Hub;

/// Where the application's own code is asked.
#[pyclass(frozen, module = "catgpt._native")]
pub(crate) struct Desk(pub(crate) Arc<bridge::Desk>);

#[pymethods]
impl Desk {
    #[new]
    fn new() -> Self {
        Self(bridge::Desk::new())
    }

    /// The number that its questions bear.
    #[getter]
    fn id(&self) -> u64 {
        self.0.id()
    }

    /// From now on its questions go to this hub.
    fn serve(&self, hub: &Bound<'_, Hub>) {
        self.0.serve(&hub.get().hub);
    }

    /// Nobody answers any more.
    fn leave(&self) {
        self.0.leave();
    }

    /// Says a piece of an answer, or all of it, as JSON: `taken`, `wait` (for its number) or `gone`.
    fn say(&self, id: u64, json: String) -> &'static str {
        heard(self.0.say(id, Said::Json(json)))
    }

    /// Says that this was all.
    fn end(&self, id: u64) -> &'static str {
        heard(self.0.say(id, Said::End))
    }

    /// Says that it failed with an error of this library, as JSON.
    fn fail(&self, id: u64, info: &str) -> &'static str {
        heard(self.0.say(id, Said::error(info)))
    }

    /// Says that it raised something of this type.
    fn raised(&self, id: u64, name: String) -> &'static str {
        heard(self.0.say(id, Said::Raised(name)))
    }
}

fn heard(heard: Heard) -> &'static str {
    match heard {
        Heard::Taken => "taken",
        Heard::Wait => "wait",
        Heard::Gone => "gone",
    }
}

/// A model that plays scripts.
#[pyclass(frozen, module = "catgpt._native")]
pub(crate) struct Play(pub(crate) bridge::Play);

#[pymethods]
impl Play {
    #[new]
    fn new(scripts: &str) -> Result<Self> {
        Ok(Self(bridge::Play::new(scripts)?))
    }

    /// Opens a gate; says whether there is one of this name.
    fn open(&self, gate: &str) -> bool {
        self.0.open(gate)
    }

    /// What it was asked, as JSON.
    fn requests(&self) -> String {
        self.0.requests()
    }

    /// How many of its answers were dropped before their end.
    fn dropped(&self) -> usize {
        self.0.dropped()
    }
}

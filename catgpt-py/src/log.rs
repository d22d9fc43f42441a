//! The core's log, for a thread of Python's that waits for it.

use std::sync::Arc;
use std::time::Duration;

use catgpt_core::bridge::{self, LogLevel, LogRecord, Notice, Parked};
use pyo3::prelude::*;

use crate::engine::read;
use crate::error::Result;

/// So long a thread waits before it looks whether it is still wanted: it is woken for what comes.
const WAIT: Duration = Duration::from_secs(3600);

/// Where lines of the log come together.
#[pyclass(frozen, module = "catgpt._native")]
pub(crate) struct Log {
    hub: Arc<bridge::Hub>,
    parked: Parked,
}

#[pymethods]
impl Log {
    #[new]
    fn new() -> Self {
        let (hub, parked) = bridge::Hub::parked();
        Self { hub, parked }
    }

    /// From now on lines of this level and above come here (`error`, `warn`, `info`, `debug`); `None` ends it.
    fn listen(&self, level: Option<&str>) -> Result<()> {
        let level = level.map(|level| read::<LogLevel>(&format!("\"{level}\""))).transpose()?;
        bridge::listen(&self.hub, level);
        Ok(())
    }

    /// Blocks until lines have come, or `ring()`, with the interpreter free: level, target, sentence, facts as JSON.
    fn wait(&self, py: Python<'_>) -> Vec<(&'static str, &'static str, String, String)> {
        py.detach(|| self.parked.wait(WAIT));
        let lines = self.hub.drain().into_iter().filter_map(|notice| match notice {
            Notice::Log(record) => Some(*record),
            _ => None,
        });
        let line = |LogRecord { level, target, message, fields }| {
            (level, target, message, serde_json::Value::Object(fields).to_string())
        };
        lines.map(line).collect()
    }

    /// Wakes whoever waits.
    fn ring(&self) {
        self.hub.ring();
    }
}

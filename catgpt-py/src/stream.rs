//! A subscription as Python polls it.

use catgpt_core::bridge::{BATCH, Polled, SseOptions, Subscription};
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyList};

use crate::error::Result;
use crate::event;

/// A subscription to a turn.
#[pyclass(frozen, module = "catgpt._native")]
pub(crate) struct Stream(pub(crate) Subscription);

#[pymethods]
impl Stream {
    /// How many events one poll gives at most. Who got so many lets others have their turn.
    #[classattr]
    const BATCH: usize = BATCH;

    /// The number under which a hub tells that there is news.
    #[getter]
    fn id(&self) -> u64 {
        self.0.id()
    }

    /// The turn.
    #[getter]
    fn turn(&self) -> String {
        self.0.turn().to_string()
    }

    /// The turn's session.
    #[getter]
    fn session(&self) -> &str {
        self.0.session().as_str()
    }

    /// What has come; `None` if there is nothing yet, and an empty list if there never will be.
    #[pyo3(signature = () -> "list[Text | Reasoning | str] | None")]
    fn poll<'py>(&self, py: Python<'py>) -> PyResult<Option<Bound<'py, PyList>>> {
        match self.0.poll().map_err(crate::error::Raised::from)? {
            Polled::Ready(events) => event::list(py, events).map(Some),
            Polled::Waiting => Ok(None),
            Polled::Over => Ok(Some(PyList::empty(py))),
        }
    }

    /// From here on it is polled with `poll_sse`.
    #[pyo3(signature = (keep_alive_ms=None, min_interval_ms=None))]
    fn begin_sse(&self, keep_alive_ms: Option<u64>, min_interval_ms: Option<u64>) -> Result<()> {
        let usual = SseOptions::default();
        Ok(self.0.into_sse(SseOptions {
            keep_alive_ms: keep_alive_ms.unwrap_or(usual.keep_alive_ms),
            min_interval_ms: min_interval_ms.unwrap_or(usual.min_interval_ms),
        })?)
    }

    /// The next bytes; `None` if there are none yet, and empty if there never will be.
    fn poll_sse<'py>(&self, py: Python<'py>) -> Result<Option<Bound<'py, PyBytes>>> {
        Ok(match self.0.poll_sse()? {
            Polled::Ready(bytes) => Some(PyBytes::new(py, &bytes)),
            Polled::Waiting => None,
            Polled::Over => Some(PyBytes::new(py, b"")),
        })
    }

    /// Ends the subscription.
    fn close(&self) {
        self.0.close();
    }
}

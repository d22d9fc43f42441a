//! A subscription as Python polls it.

use catgpt_core::bridge::{self, BATCH, Polled, Subscription};
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

    /// From here on it is polled with `poll_bytes`; how is JSON.
    fn begin_bytes(&self, encoding: &str) -> Result<()> {
        Ok(self.0.begin_bytes(encoding)?)
    }

    /// The next bytes; `None` if there are none yet, and empty if there never will be.
    fn poll_bytes<'py>(&self, py: Python<'py>) -> Result<Option<Bound<'py, PyBytes>>> {
        Ok(bytes(py, self.0.poll_bytes()?))
    }

    /// Ends the subscription.
    fn close(&self) {
        self.0.close();
    }
}

/// A response of the HTTP API.
#[pyclass(frozen, module = "catgpt._native")]
pub(crate) struct Served(pub(crate) bridge::Served);

#[pymethods]
impl Served {
    /// The number under which a hub tells that there is news.
    #[getter]
    fn id(&self) -> u64 {
        self.0.id()
    }

    /// Its head, as JSON.
    #[getter]
    fn head(&self) -> &str {
        self.0.head()
    }

    /// The next bytes; `None` if there are none yet, and empty if there never will be.
    fn poll_bytes<'py>(&self, py: Python<'py>) -> Result<Option<Bound<'py, PyBytes>>> {
        Ok(bytes(py, self.0.poll_bytes()?))
    }

    /// Ends it.
    fn close(&self) {
        self.0.close();
    }
}

fn bytes(py: Python<'_>, polled: Polled<Vec<u8>>) -> Option<Bound<'_, PyBytes>> {
    match polled {
        Polled::Ready(bytes) => Some(PyBytes::new(py, &bytes)),
        Polled::Waiting => None,
        Polled::Over => Some(PyBytes::new(py, b"")),
    }
}

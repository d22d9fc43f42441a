//! The hub of one event loop, or of one call that blocks.

use std::sync::Arc;
use std::time::Duration;

use catgpt_core::bridge::{self, Answer, Notice, Parked};
use pyo3::IntoPyObjectExt;
use pyo3::prelude::*;
use pyo3::types::PyList;

use crate::error::exception;
use crate::stream::{Served, Stream};
use crate::wake::Ear;

/// Where news for one event loop come together.
#[pyclass(frozen, module = "catgpt._native")]
pub(crate) struct Hub {
    pub(crate) hub: Arc<bridge::Hub>,
    bell: Bell,
}

enum Bell {
    Loop(Ear),
    Thread(Parked),
}

#[pymethods]
impl Hub {
    /// For an event loop: it watches `fileno()`, and calls `drain()` when that can be read.
    #[staticmethod]
    fn of_loop() -> PyResult<Self> {
        let (ear, ring) = Ear::new()?;
        Ok(Self { hub: bridge::Hub::new(ring), bell: Bell::Loop(ear) })
    }

    /// For a thread that blocks in `wait()`.
    #[staticmethod]
    fn of_thread() -> Self {
        let (hub, parked) = bridge::Hub::parked();
        Self { hub, bell: Bell::Thread(parked) }
    }

    /// What the event loop watches; -1 if this is for a thread.
    fn fileno(&self) -> i64 {
        match &self.bell {
            Bell::Loop(ear) => ear.number(),
            Bell::Thread(_) => -1,
        }
    }

    /// Blocks until something has come, for so many milliseconds at most. The interpreter is free meanwhile.
    fn wait(&self, py: Python<'_>, most_ms: u64) -> bool {
        match &self.bell {
            Bell::Thread(parked) => py.detach(|| parked.wait(Duration::from_millis(most_ms))),
            Bell::Loop(_) => false,
        }
    }

    /// What has come, in order: the number of what can be polled; `(id, answer)` for a call that has ended, with an
    /// exception if it failed; `(id, desk, method, body)` for a question; `(id,)` for one that is to be forgotten.
    #[pyo3(signature = () -> "list[int | tuple[int] | tuple[int, object] | tuple[int, int, str, str]]")]
    fn drain<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyList>> {
        if let Bell::Loop(ear) = &self.bell {
            ear.clear();
        }
        let notices: PyResult<Vec<_>> = self.hub.drain().into_iter().map(|notice| object(py, notice)).collect();
        PyList::new(py, notices?)
    }
}

fn object(py: Python<'_>, notice: Notice) -> PyResult<Bound<'_, PyAny>> {
    match notice {
        Notice::Ready { id } => id.into_bound_py_any(py),
        Notice::Done { id, outcome: Ok(Answer::Json(json)) } => (id, json).into_bound_py_any(py),
        Notice::Done { id, outcome: Ok(Answer::Reply(reply)) } => (id, Stream(*reply)).into_bound_py_any(py),
        Notice::Done { id, outcome: Ok(Answer::Served(served)) } => (id, Served(*served)).into_bound_py_any(py),
        Notice::Done { id, outcome: Err(failure) } => (id, exception(py, &failure)?).into_bound_py_any(py),
        Notice::Ask { desk, id, method, body } => (id, desk, method, body).into_bound_py_any(py),
        Notice::Forget { id } => (id,).into_bound_py_any(py),
        // Lines of the log go to `Log`: no hub of a loop listens. This number wakes nobody.
        Notice::Log(_) => 0.into_bound_py_any(py),
    }
}

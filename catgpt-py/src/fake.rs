//! The model server that fails in every known way, for the tests of an application.

use std::sync::{Mutex, PoisonError};

use catgpt_core::bridge;
use catgpt_core::testkit::{self, Script};
use catgpt_core::{Error, ErrorKind};
use pyo3::prelude::*;

use crate::error::{Result, json};

/// A Chat Completions server on a free port of the loopback.
#[pyclass(frozen, module = "catgpt._native")]
pub(crate) struct FakeServer {
    #[pyo3(get)]
    url: String,
    server: Mutex<Option<testkit::FakeServer>>,
}

impl FakeServer {
    fn with<T>(&self, f: impl FnOnce(&testkit::FakeServer) -> T) -> Result<T> {
        let server = self.server.lock().unwrap_or_else(PoisonError::into_inner);
        Ok(server.as_ref().map(f).ok_or_else(|| Error::new(ErrorKind::Closed, "this server has been closed"))?)
    }
}

#[pymethods]
impl FakeServer {
    #[new]
    fn new(py: Python<'_>) -> Self {
        let start = || bridge::enter(|| tokio::runtime::Handle::current().block_on(testkit::FakeServer::start()));
        let server = py.detach(start);
        Self { url: server.url(), server: Mutex::new(Some(server)) }
    }

    /// Says how one of the next requests is answered.
    fn next(&self, knobs: &str) -> Result<()> {
        self.with(|server| {
            server.next(Script::parse(knobs));
        })
    }

    /// What came so far, as JSON.
    fn requests(&self) -> Result<String> {
        self.with(|server| json(&server.requests()))
    }

    /// Ends it.
    fn close(&self) {
        drop(self.server.lock().unwrap_or_else(PoisonError::into_inner).take());
    }
}

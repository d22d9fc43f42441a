//! Errors on their way to Python: data, of which `catgpt._errors` makes the exception of its kind.

use catgpt_core::Error;
use catgpt_core::bridge::Failure;
use pyo3::prelude::*;

/// What a failed call of this module becomes: an exception that the user can catch by its class.
pub(crate) struct Raised(pub(crate) Failure);

pub(crate) type Result<T> = std::result::Result<T, Raised>;

impl From<Error> for Raised {
    fn from(error: Error) -> Self {
        Self(Failure::from(error))
    }
}

impl From<Raised> for PyErr {
    fn from(raised: Raised) -> Self {
        Python::attach(|py| exception(py, &raised.0).map_or_else(|error| error, PyErr::from_value))
    }
}

/// The exception; its cause is the application's own one, if that was the reason.
pub(crate) fn exception<'py>(py: Python<'py>, failure: &Failure) -> PyResult<Bound<'py, PyAny>> {
    py.import("catgpt._errors")?.call_method1("from_json", (json(&failure.info), failure.cause))
}

pub(crate) fn json(data: &impl serde::Serialize) -> String {
    serde_json::to_string(data).expect("plain data has a JSON form")
}

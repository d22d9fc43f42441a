//! Events on their way to Python. The two that come by the thousand are classes of this module; the others go as JSON,
//! of which `catgpt._events` makes dataclasses.

use catgpt_core::Event;
use pyo3::IntoPyObjectExt;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyList, PyType};

use crate::error::json;

macro_rules! piece {
    ($name:ident, $kind:literal, $doc:literal) => {
        #[doc = $doc]
        #[pyclass(frozen, eq, hash, get_all, module = "catgpt")]
        #[derive(Debug, PartialEq, Eq, Hash)]
        pub(crate) struct $name {
            /// The text, never empty.
            text: String,
            /// The offset after it.
            offset: u64,
        }

        #[pymethods]
        impl $name {
            #[new]
            fn new(text: String, offset: u64) -> Self {
                Self { text, offset }
            }

            #[classattr]
            #[pyo3(name = "__match_args__")]
            const MATCH_ARGS: (&'static str, &'static str) = ("text", "offset");

            /// Its name, as it stands in JSON.
            #[classattr]
            #[pyo3(name = "type")]
            const TYPE: &'static str = $kind;

            /// The event's JSON form.
            #[pyo3(signature = () -> "dict[str, str | int]")]
            fn to_dict<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
                let dict = PyDict::new(py);
                dict.set_item("type", $kind)?;
                dict.set_item("text", &self.text)?;
                dict.set_item("offset", self.offset)?;
                Ok(dict)
            }

            fn __repr__(slf: &Bound<'_, Self>) -> PyResult<String> {
                let text = slf.getattr("text")?.repr()?;
                Ok(format!(concat!(stringify!($name), "(text={}, offset={})"), text, slf.get().offset))
            }

            #[pyo3(signature = () -> "tuple[object, tuple[str, int]]")]
            fn __reduce__<'py>(slf: &Bound<'py, Self>) -> (Bound<'py, PyType>, (String, u64)) {
                (slf.get_type(), (slf.get().text.clone(), slf.get().offset))
            }
        }
    };
}

piece!(Text, "text", "More text.");
piece!(Reasoning, "reasoning", "More of what the model thinks.");

/// A batch, built in one go.
pub(crate) fn list(py: Python<'_>, events: Vec<Event>) -> PyResult<Bound<'_, PyList>> {
    let events: PyResult<Vec<Bound<'_, PyAny>>> = events.into_iter().map(|event| object(py, event)).collect();
    PyList::new(py, events?)
}

fn object(py: Python<'_>, event: Event) -> PyResult<Bound<'_, PyAny>> {
    match event {
        Event::Text { text, offset } => Text { text, offset }.into_bound_py_any(py),
        Event::Reasoning { text, offset } => Reasoning { text, offset }.into_bound_py_any(py),
        other => json(&other).into_bound_py_any(py),
    }
}

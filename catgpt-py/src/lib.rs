//! The native half of catgpt for Python: `catgpt_core::bridge` as a module, and nothing beside it.
//!
//! No class here holds a Python object, and no thread of the runtime ever enters Python: a wake is a byte in a socket,
//! and the event loop that reads it does the rest. So there is nothing to collect, and nothing to abort at exit.

mod desk;
mod engine;
mod error;
mod event;
mod fake;
mod functions;
mod hub;
mod log;
mod stream;
mod wake;

#[pyo3::pymodule(gil_used = false)]
mod _native {
    /// The most bytes that the body of a request of the HTTP API may have.
    #[pymodule_export]
    const MAX_BODY: usize = catgpt_core::wire::rest::MAX_BODY;
    #[pymodule_export]
    use crate::desk::{Desk, Play};
    #[pymodule_export]
    use crate::engine::{Engine, Ticket};
    #[pymodule_export]
    use crate::event::{Reasoning, Text};
    #[pymodule_export]
    use crate::fake::FakeServer;
    #[pymodule_export]
    use crate::functions::{
        address_key, after_fork, before_fork, failure, forked, formats, guest, image, image_from_file, kinds,
        news_position, owner, persona, persona_from_file, persona_from_markdown, position, rate, refusal, routes,
        session, shutdown, version,
    };
    #[pymodule_export]
    use crate::hub::Hub;
    #[pymodule_export]
    use crate::log::Log;
    #[pymodule_export]
    use crate::stream::{Served, Stream};
}

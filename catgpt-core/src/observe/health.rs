//! How an engine is: plain data for a `/health`.

use std::time::Duration;

use serde::Serialize;

use crate::error::{Error, ErrorInfo};

/// How an engine is, as [`Engine::health`](crate::Engine::health) found it.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Health {
    /// Whether to send it requests: the store answers and the engine is not closing. A live log that fails costs
    /// liveness only, so it does not count.
    pub healthy: bool,
    /// Whether [`close`](crate::Engine::close) was called.
    pub closing: bool,
    /// How many turns run in this engine.
    pub running: usize,
    /// The version of the store's schema; `None` if the store has none. A store that is open has been migrated to it.
    pub schema: Option<u32>,
    /// Whether what is stored can be read with a key alone.
    pub encrypted: bool,
    /// The store.
    pub store: Check,
    /// The live log, if there is one.
    pub live: Option<Check>,
}

/// What one look found.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Check {
    /// Whether it answered.
    pub ok: bool,
    /// How long that took.
    pub latency_ms: u64,
    /// What went wrong.
    pub error: Option<ErrorInfo>,
}

impl Check {
    pub(crate) fn new(looked: Result<(), Error>, took: Duration) -> Self {
        let error = looked.err().map(|error| error.info());
        let latency_ms = u64::try_from(took.as_millis()).unwrap_or(u64::MAX);
        Self { ok: error.is_none(), latency_ms, error }
    }
}

impl Health {
    /// An engine that could not be made, because its store or its live log could not be opened.
    #[cfg(feature = "bridge")]
    pub(crate) fn unopened(error: Error) -> Self {
        let store = Check::new(Err(error), Duration::ZERO);
        Self { healthy: false, closing: false, running: 0, schema: None, encrypted: false, store, live: None }
    }
}

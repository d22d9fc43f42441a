//! The commands: what each needs is put together here.

mod ask;
mod backup;
mod chat;
mod chats;
mod completions;
mod config;
mod doctor;
mod jobs;
mod keys;
mod models;
mod personas;
mod transfer;
mod usage;

pub(crate) use ask::ask;
pub(crate) use backup::backup;
pub(crate) use chat::{chat, converses};
pub(crate) use chats::{chats, index, local};
pub(crate) use completions::{complete, completions};
pub(crate) use config::config;
pub(crate) use doctor::doctor;
pub(crate) use keys::keys;
pub(crate) use models::models;
pub(crate) use personas::personas;
pub(crate) use usage::{day, usage};

use catgpt_core::{Error, ErrorKind};

use crate::exit::{Exit, Failure};

/// Runs a command to its end on this thread.
fn block_on(work: impl Future<Output = Result<Exit, Failure>>) -> Result<Exit, Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| {
        Error::new(ErrorKind::Unexpected, "the system gives no resources for an event loop").caused_by(error)
    })?;
    let done = runtime.block_on(work);
    // A write to stdout that nobody reads would hold it for ever.
    runtime.shutdown_background();
    done
}

//! The engine: model, memory, persona and policies put together.

mod builder;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use crate::error::Result;
use crate::id::Owner;
use crate::model::ModelInfo;
use crate::observe::{Health, Metric};
use crate::runner::Runner;
use crate::transfer::{Import, ImportFormat, Source};
use crate::user::User;

pub use self::builder::EngineBuilder;

/// Hands out users. Cheap to clone; all clones are one engine.
///
/// Call [`close`](Self::close) before the process ends. Turns do not need the handle: they run on after it is dropped, as
/// long as the runtime does. Those that still run when the process ends without `close` have crashed: they are found
/// interrupted once their lease has run out.
#[derive(Clone, Debug)]
pub struct Engine {
    runner: Arc<Runner>,
}

impl Engine {
    /// Begins with nothing chosen. A model must be; the memory is [`InMemory`](crate::InMemory) and the persona
    /// [`Persona::plain`](crate::Persona::plain) unless others are.
    pub fn builder() -> EngineBuilder<()> {
        EngineBuilder::new()
    }

    /// An owner's handle. Touches nothing.
    ///
    /// # Errors
    /// `InvalidInput` for a name that cannot be an owner.
    pub fn user(&self, owner: impl AsRef<str>) -> Result<User> {
        Ok(User { runner: Arc::clone(&self.runner), owner: Owner::new(owner)? })
    }

    /// The one owner of a single-user program.
    pub fn local(&self) -> User {
        User { runner: Arc::clone(&self.runner), owner: Owner::local() }
    }

    /// Brings in the chats of another program's SQLite database (see [`ImportFormat::ChatDb`](crate::ImportFormat)), each
    /// for the owner that its `user_id` names, and those without one for `otherwise`. The file is only read.
    pub fn adopt(&self, path: impl Into<PathBuf>, otherwise: Option<Owner>) -> Import {
        Import::adopt(Arc::clone(&self.runner), Source::path(path).format(ImportFormat::ChatDb), otherwise)
    }

    /// Ends turns of this store whose process died, and deletes what is due, once. Engines that live long do it by
    /// themselves every 30 s.
    ///
    /// # Errors
    /// The store cannot be reached.
    pub async fn sweep(&self) -> Result<()> {
        self.runner.sweep().await
    }

    /// Which models there are to choose from, by id: for a picker, whose choice goes into [`Send::model`](crate::Send::model).
    ///
    /// # Errors
    /// `Unsupported` if the model cannot tell, and whatever keeps it from answering.
    pub async fn models(&self) -> Result<Vec<ModelInfo>> {
        self.runner.model.models().await
    }

    /// Puts the whole store under the newest key, as [`User::reseal`] does for one owner, one after the other. `progress` is
    /// told how many owners are done. Says how many records were written.
    ///
    /// # Errors
    /// Those of [`User::reseal`].
    #[cfg(feature = "encryption")]
    pub async fn reseal(&self, mut progress: impl FnMut(u64)) -> Result<u64> {
        let (mut after, mut done, mut written) = (None, 0, 0);
        loop {
            let owners = self.runner.owners(after).await?;
            let Some(last) = owners.last().cloned() else { return Ok(written) };
            for owner in owners {
                written += User { runner: Arc::clone(&self.runner), owner }.reseal(|_| {}).await?;
                done += 1;
                progress(done);
            }
            after = Some(last);
        }
    }

    /// How this engine is: looks at the store and at the live log, within 3 s and without writing. What is wrong is what
    /// it tells, so it never fails.
    pub async fn health(&self) -> Health {
        self.runner.health().await
    }

    /// What this engine has counted since it was made; [`observe`](crate::observe) lists the names.
    pub fn metrics(&self) -> Vec<Metric> {
        self.runner.meter.read()
    }

    /// Takes no new sends, waits up to `deadline` for the turns that run here, ends the rest `interrupted` with the text
    /// that they have, frees their sessions and closes the memory. Hooks that are told of an end are waited for like turns.
    ///
    /// # Errors
    /// The store could not be written to the end.
    pub async fn close(&self, deadline: Duration) -> Result<()> {
        self.runner.close(deadline).await
    }
}

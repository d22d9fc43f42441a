//! Putting all that is stored under the newest key.

use std::time::Duration;

use tokio::time::sleep;

use super::User;
use crate::error::Result;
use crate::transfer;

/// How long sessions in which a turn runs are left alone before the next look at them.
const PAUSE: Duration = Duration::from_millis(500);

impl User {
    /// Puts all that the store has of this owner under the newest key of the engine's
    /// [`encryption`](crate::EngineBuilder::encryption): what was stored before it was switched on, and what is under older
    /// keys. Then those are needed no more, but for backups. Words that were kept for a search are taken out of the store.
    ///
    /// It may be done while turns run, which are come back to once they have ended, and again after it was cut off: what is
    /// under the newest key stays as it is. `progress` is told how many sessions are done. Says how many records were
    /// written.
    ///
    /// # Errors
    /// `Unsupported` for an engine that encrypts nothing; `Store` for a record that cannot be opened.
    pub async fn reseal(&self, mut progress: impl FnMut(u64)) -> Result<u64> {
        self.runner.unindex(&self.owner).await?;
        let (mut done, mut written) = (0, 0);
        let mut left = transfer::list(&self.runner, &self.owner).await?;
        loop {
            let mut busy = Vec::new();
            for session in left {
                let (records, running) = self.runner.reseal(&self.owner, &session).await?;
                written += records;
                if running {
                    busy.push(session);
                } else {
                    done += 1;
                    progress(done);
                }
            }
            if busy.is_empty() {
                return Ok(written);
            }
            left = busy;
            sleep(PAUSE).await;
            // What nobody drives any more would be waited for for ever.
            self.runner.sweep().await?;
        }
    }
}

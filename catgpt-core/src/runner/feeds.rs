//! Who waits for changes of an owner, and how they hear that there may be some: at once of what is written here, within
//! half a second of what other processes write. One look at the store serves all who wait.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::watch;

use super::Runner;
use crate::error::{ErrorKind, Result};
use crate::id::Owner;
use crate::memory::{Answer, Memory, Query};

/// How often other processes' changes are looked for.
const LOOK_EVERY: Duration = Duration::from_millis(500);
/// How many changes of an owner one look brings; more come with the next.
const LOOK_LIMIT: u32 = 100;

/// The owners who are waited for.
#[derive(Debug, Default)]
pub(crate) struct Feeds(Mutex<Watched>);

#[derive(Debug, Default)]
struct Watched {
    owners: HashMap<Owner, Waiting>,
    looking: bool,
    closed: bool,
}

/// Those who wait for one owner, and the number in his journal that all of them know.
#[derive(Debug)]
struct Waiting {
    wakes: watch::Sender<()>,
    known: u64,
}

impl Feeds {
    fn lock(&self) -> MutexGuard<'_, Watched> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Something of this owner was written here.
    pub(super) fn touched(&self, owner: &Owner) {
        if let Some(waiting) = self.lock().owners.get(owner) {
            waiting.wakes.send_replace(());
        }
    }

    /// Ends all waiting.
    pub(super) fn close(&self) {
        let mut watched = self.lock();
        (watched.closed, watched.owners) = (true, HashMap::new());
    }

    /// What to look for; nothing ends the looking.
    fn wanted(&self) -> Vec<(Owner, u64)> {
        let mut watched = self.lock();
        watched.owners.retain(|_, waiting| waiting.wakes.receiver_count() > 0);
        watched.looking = !watched.owners.is_empty();
        watched.owners.iter().map(|(owner, waiting)| (owner.clone(), waiting.known)).collect()
    }

    fn found(&self, owner: &Owner, known: u64) {
        if let Some(waiting) = self.lock().owners.get_mut(owner) {
            waiting.known = known;
            waiting.wakes.send_replace(());
        }
    }

    fn wake_all(&self) {
        self.lock().owners.values().for_each(|waiting| waiting.wakes.send_replace(()));
    }
}

impl Runner {
    /// A sign that is given whenever the owner's journal may have grown beyond `known`; it breaks when the engine closes.
    pub(crate) fn watch(self: &Arc<Self>, owner: &Owner, known: u64) -> watch::Receiver<()> {
        let mut watched = self.feeds.lock();
        if watched.closed {
            return watch::channel(()).1;
        }
        let waiting =
            watched.owners.entry(owner.clone()).or_insert_with(|| Waiting { wakes: watch::channel(()).0, known });
        // Who knows less looks for himself before he waits.
        waiting.known = waiting.known.max(known);
        let receiver = waiting.wakes.subscribe();
        if self.memory.caps().shared && !watched.looking {
            watched.looking = true;
            let weak = Arc::downgrade(self);
            tokio::spawn(async move {
                loop {
                    tokio::time::sleep(LOOK_EVERY).await;
                    let Some(runner) = weak.upgrade() else { return };
                    let wanted = runner.feeds.wanted();
                    if wanted.is_empty() {
                        return;
                    }
                    runner.look(wanted).await;
                }
            });
        }
        receiver
    }

    async fn look(&self, after: Vec<(Owner, u64)>) {
        let Some((first, _)) = after.first().cloned() else { return };
        match self.journals(&first, after).await {
            Ok(journals) => journals.iter().for_each(|(owner, newest)| self.feeds.found(owner, *newest)),
            // Then each who waits looks for himself.
            Err(error) if error.kind() == ErrorKind::Unsupported => self.feeds.wake_all(),
            Err(error) => tracing::debug!(kind = %error.kind(), "changes could not be looked for; it is tried again"),
        }
    }

    async fn journals(&self, asking: &Owner, after: Vec<(Owner, u64)>) -> Result<Vec<(Owner, u64)>> {
        match self.memory.query(asking, Query::Journals { after, limit: LOOK_LIMIT }).await? {
            Answer::Journals(journals) => {
                let newest = journals.into_iter().filter_map(|(owner, changes)| Some((owner, changes.last()?.n)));
                Ok(newest.collect())
            }
            _ => Err(super::wrong_answer()),
        }
    }
}

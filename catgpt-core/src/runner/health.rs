//! One cheap, real look at what an engine leans on.

use std::time::Duration;

use tokio::time::{Instant, timeout};

use super::Runner;
use crate::error::{Error, ErrorKind, Result};
use crate::id::{Owner, TurnId};
use crate::memory::{Memory, Query};
use crate::observe::{Check, Health};

/// How long a look may take: a load balancer waits about so long.
const WITHIN: Duration = Duration::from_secs(3);

impl Runner {
    pub(crate) async fn health(&self) -> Health {
        // Whose turns are listed does not matter: that they can be is the news.
        let owner = Owner::local();
        let store = look("store", self.memory.query(&owner, Query::Turns));
        let live = async {
            match &self.live {
                Some(live) => Some(look("live log", live.tail(&owner, TurnId::fresh(), 0)).await),
                None => None,
            }
        };
        let (store, live) = futures_util::future::join(store, live).await;
        let (closing, running) = {
            let turns = self.turns();
            (turns.closed, turns.running.len())
        };
        let healthy = store.ok && !closing;
        let caps = self.memory.caps();
        Health { healthy, closing, running, schema: caps.schema, encrypted: caps.encrypted, store, live }
    }
}

async fn look<T>(what: &'static str, call: impl Future<Output = Result<T>>) -> Check {
    let begun = Instant::now();
    let late = |_| Error::new(ErrorKind::Timeout, "it did not answer in time: look at its machine").with("what", what);
    let looked = timeout(WITHIN, call).await.map_err(late).flatten();
    Check::new(looked.map(drop), begun.elapsed())
}

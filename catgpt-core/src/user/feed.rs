//! The owner's feed: what happens to the owner's sessions, wherever it is done.

use std::collections::HashMap;
use std::time::Duration;

use futures_util::stream::{self, BoxStream, StreamExt};
use serde::Serialize;
use tokio::time::timeout;

use super::User;
use crate::error::{Error, ErrorKind, Result};
use crate::event::{Change, ChangeKind};
use crate::id::SessionId;
use crate::memory::{Answer, Query};
use crate::runner::wrong_answer;
use crate::session::SessionInfo;
use crate::wire::{Encoding, feed};

/// How many changes are told at once.
const AT_ONCE: u32 = 100;

/// A change, and the session as it stood when the change was told.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct News {
    /// What happened.
    #[serde(flatten)]
    pub change: Change,
    /// The session; `None` if it is gone.
    pub info: Option<SessionInfo>,
}

impl User {
    /// What happens to the sessions, in any process: created, renamed, titled, changed, deleted, turns begun and ended.
    /// What a list of sessions and a second tab listen to. It goes on after number `after`, or begins now.
    ///
    /// The numbers are dense. A gap says that changes older than 24 h were forgotten: list the sessions again. The stream
    /// ends with an error when the store cannot be read or the engine closes.
    pub fn feed(&self, after: impl Into<Option<u64>>) -> BoxStream<'static, Result<News>> {
        let pages = stream::try_unfold((self.clone(), after.into()), |(user, after)| async move {
            let after = match after {
                Some(after) => after,
                None => user.journal_end().await?,
            };
            let news = user.news(after, AT_ONCE).await?;
            let last = news.last().map_or(after, |news| news.change.n);
            Ok::<_, Error>(Some((news, (user, Some(last)))))
        });
        pages
            .flat_map(|page| match page {
                Ok(news) => stream::iter(news.into_iter().map(Ok)).left_stream(),
                Err(error) => stream::iter([Err(error)]).right_stream(),
            })
            .boxed()
    }

    /// At most `limit` changes after number `after` with their sessions; waits until there is one.
    ///
    /// # Errors
    /// The store cannot be read; `Closed` when the engine closes.
    pub async fn news(&self, mut after: u64, limit: u32) -> Result<Vec<News>> {
        loop {
            // Made before it is looked at, so that no change is missed in between.
            let mut woken = self.runner.watch(&self.owner, after);
            let changes = self.changes(after, limit.max(1)).await?;
            if !changes.is_empty() {
                return self.told(changes).await;
            }
            if self.journal_end().await? < after {
                // The owner was erased: the journal has begun anew.
                after = 0;
                continue;
            }
            let closed = |_| Error::new(ErrorKind::Closed, "the engine is closing and tells no more news");
            woken.changed().await.map_err(closed)?;
        }
    }

    /// The next write of a feed in a format, and the number after which the feed goes on: news, or a sign of life when its
    /// time has come first.
    pub(crate) async fn written(&self, after: u64, limit: u32, encoding: &Encoding) -> Result<(u64, Vec<u8>)> {
        let silence = Duration::from_millis(if encoding.keep_alive_ms > 0 { encoding.keep_alive_ms } else { u64::MAX });
        let Ok(news) = timeout(silence, self.news(after, limit)).await else {
            return Ok((after, encoding.format.keep_alive().to_vec()));
        };
        let (news, mut bytes) = (news?, Vec::new());
        news.iter().for_each(|one| feed::write(encoding.format, one.change.n, one, &mut bytes));
        Ok((news.last().map_or(after, |one| one.change.n), bytes))
    }

    /// The number of the newest change: where a feed goes on for whoever has just listed the sessions.
    ///
    /// # Errors
    /// The store cannot be reached.
    pub async fn journal_end(&self) -> Result<u64> {
        match self.query(Query::JournalEnd).await? {
            Answer::JournalEnd(end) => Ok(end),
            _ => Err(wrong_answer()),
        }
    }

    async fn told(&self, changes: Vec<Change>) -> Result<Vec<News>> {
        let mut known: HashMap<SessionId, Option<SessionInfo>> = HashMap::new();
        let mut news = Vec::with_capacity(changes.len());
        for change in changes {
            let info = match known.get(&change.session) {
                _ if change.kind == ChangeKind::Deleted => None,
                Some(info) => info.clone(),
                None => {
                    let info = match self.handle(change.session.clone()).info().await {
                        Ok(info) => Some(info),
                        Err(error) if error.kind() == ErrorKind::NotFound => None,
                        Err(error) => return Err(error),
                    };
                    known.insert(change.session.clone(), info.clone());
                    info
                }
            };
            news.push(News { change, info });
        }
        Ok(news)
    }
}

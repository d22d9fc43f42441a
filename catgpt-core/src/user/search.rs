//! Finding messages and titles again, and keeping them findable without slowing a send.

use std::time::Duration;

use serde::Serialize;

use super::User;
use crate::body::{decode_title, message};
use crate::error::{Error, Result};
use crate::id::Seq;
use crate::memory::{Answer, Query};
use crate::message::Role;
use crate::runner::wrong_answer;
use crate::search::{Piece, snippet, wanted};
use crate::session::SessionInfo;

/// How long a search makes new messages findable before it looks.
const CATCH_UP: Duration = Duration::from_secs(1);

/// What a search found.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct SearchPage {
    /// The finds, the newest first.
    pub hits: Vec<SearchHit>,
    /// Where to go on, if there is more.
    pub next: Option<String>,
    /// Whether everything could be looked at. A large import takes a while to become findable; search again, or call
    /// [`User::index`] once.
    pub complete: bool,
}

/// A message, or a session by its title, that has all the words.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct SearchHit {
    /// The session.
    pub session: SessionInfo,
    /// The message; `None`: the title.
    pub seq: Option<Seq>,
    /// Who said it.
    pub role: Option<Role>,
    /// When it was said, in milliseconds since 1970; of a title, when the session was made.
    pub at_ms: i64,
    /// The part of it where the words are.
    pub snippet: Vec<Piece>,
}

impl User {
    /// Messages and titles that have all words of `question`, the newest first; its last word may be a beginning, so that
    /// a search may follow typing. Case, accents and forms of letters make no difference.
    ///
    /// # Errors
    /// `InvalidInput` without a word; `Unsupported` if search is off.
    pub async fn search(&self, question: &str, after: Option<String>, limit: u32) -> Result<SearchPage> {
        let (terms, prefix) = wanted(question);
        if terms.is_empty() {
            return Err(Error::invalid("search for at least one word"));
        }
        let complete = self.runner.index(&self.owner, Some(CATCH_UP), |_| {}).await?;
        let query = Query::Search { terms: terms.clone(), prefix, after, limit };
        let Answer::Hits { hits, next } = self.query(query).await? else { return Err(wrong_answer()) };
        let mut found = Vec::with_capacity(hits.len());
        for hit in hits {
            let text = match hit.row.clone() {
                Some(row) => message(row, &[])?.text(),
                None => hit.session.title.as_deref().map(decode_title).transpose()?.unwrap_or_default().0,
            };
            found.push(SearchHit {
                seq: hit.row.as_ref().map(|row| row.seq),
                role: hit.row.as_ref().map(|row| row.role),
                at_ms: hit.row.as_ref().map_or(hit.session.created_ms, |row| row.created_ms),
                snippet: snippet(&text, &terms, prefix),
                session: SessionInfo::try_from(hit.session)?,
            });
        }
        Ok(SearchPage { hits: found, next, complete })
    }

    /// Makes all messages findable that are not yet; `progress` is told how many so far. A search does it by itself for as
    /// long as a second, and engines that live long do it every 30 s for those who used them.
    ///
    /// # Errors
    /// `Unsupported` if search is off.
    pub async fn index(&self, progress: impl FnMut(u64)) -> Result<()> {
        self.runner.index(&self.owner, None, progress).await.map(drop)
    }
}

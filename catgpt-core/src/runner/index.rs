//! Keeping messages findable, off the path of a send.

use std::mem;
use std::time::{Duration, Instant};

use super::{Runner, wrong_answer};
use crate::body::{decode_title, message};
use crate::error::{Error, ErrorKind, Result};
use crate::id::{Owner, Seq};
use crate::memory::{Answer, Limit, Memory, Op, Query, Read, Row, Terms, TitleTerms, Unindexed};
use crate::message::{Role, Status};
use crate::search::terms;

/// How many sessions are looked for, and how much of one is made findable, at once.
const SESSIONS: u32 = 50;
const PAGE: Limit = Limit { messages: 500, bytes: 8 << 20 };
/// How long the index of one owner is worked on between two sweeps.
const AT_A_SWEEP: Duration = Duration::from_secs(5);

impl Runner {
    /// Makes findable what was said here since the last sweep.
    pub(super) async fn index_news(&self) {
        let owners = mem::take(&mut self.turns().talked);
        for owner in owners.into_iter().filter(|_| self.search && self.memory.caps().search) {
            match self.index(&owner, Some(AT_A_SWEEP), |_| {}).await {
                // A search will make up for it.
                Err(error) if error.kind() != ErrorKind::Unsupported => {
                    tracing::warn!(%error, "messages could not be made findable; it will be tried again");
                }
                _ => {}
            }
        }
    }

    /// Makes an owner's messages findable, for as long as `time`; says whether nothing was left to do.
    pub(crate) async fn index(
        &self,
        owner: &Owner,
        time: Option<Duration>,
        mut progress: impl FnMut(u64),
    ) -> Result<bool> {
        if !self.search {
            let text = "search is switched off in this engine: build it with `search(true)`";
            return Err(Error::new(ErrorKind::Unsupported, text));
        }
        let (begun, mut done) = (Instant::now(), 0);
        loop {
            let Answer::Unindexed(sessions) = self.memory.query(owner, Query::Unindexed { limit: SESSIONS }).await?
            else {
                return Err(wrong_answer());
            };
            if sessions.is_empty() {
                return Ok(true);
            }
            for session in sessions {
                if time.is_some_and(|time| begun.elapsed() >= time) {
                    return Ok(false);
                }
                done += self.index_session(owner, session).await?;
                progress(done);
            }
        }
    }

    /// Makes the next messages of a session findable, and its title; says how many messages.
    async fn index_session(&self, owner: &Owner, unindexed: Unindexed) -> Result<u64> {
        let Unindexed { session, indexed: from, .. } = unindexed;
        let read = Read::Tree { session: session.clone(), after: from, limit: PAGE, bodies: true };
        let view = match self.memory.read(owner, read).await {
            // Deleted meanwhile.
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(0),
            other => other?,
        };
        let title = view.session.title;
        let (upto, messages) = findable(view.rows, from)?;
        let text = title.as_deref().map(decode_title).transpose()?.unwrap_or_default().0;
        let title = unindexed.title.then(|| TitleTerms { of: title, terms: terms(&text) });
        self.apply(owner, vec![Op::Index { session, from, upto, messages, title }]).await?;
        Ok(upto - from)
    }
}

/// The terms of what people and models said, up to a reply that still runs.
fn findable(rows: Vec<Row>, from: Seq) -> Result<(Seq, Vec<Terms>)> {
    let (mut upto, mut all) = (from, Vec::new());
    for row in rows {
        if row.status == Status::Running {
            break;
        }
        upto = row.seq;
        if matches!(row.role, Role::User | Role::Assistant) {
            let terms = terms(&message(row, &[])?.text());
            if !terms.is_empty() {
                all.push(Terms { seq: upto, terms });
            }
        }
    }
    Ok((upto, all))
}

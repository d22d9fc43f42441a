//! The owner's handle: all that belongs to one owner, and nothing else.

use std::sync::Arc;

use serde::Serialize;

use crate::error::Result;
use crate::event::Change;
use crate::id::{Owner, SessionId, TurnId};
use crate::memory::{Answer, Cursor, Memory, Query};
use crate::message::Offset;
use crate::reply::Reply;
use crate::runner::Runner;
use crate::session::{Session, SessionInfo, wrong_answer};
use crate::transfer::{self, Export, ExportFormat, Import, Source};

/// An owner. What others own is not found through it.
#[derive(Clone, Debug)]
pub struct User {
    pub(crate) runner: Arc<Runner>,
    pub(crate) owner: Owner,
}

/// One page of an owner's sessions.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct SessionPage {
    /// The sessions, the latest changed first.
    pub sessions: Vec<SessionInfo>,
    /// Where to go on, if there are more.
    pub next: Option<Cursor>,
}

impl User {
    /// Who it is.
    pub fn owner(&self) -> &Owner {
        &self.owner
    }

    /// The session of this id, there or not yet. Touches nothing.
    ///
    /// # Errors
    /// `InvalidInput` for an id that cannot be one.
    pub fn session(&self, id: impl AsRef<str>) -> Result<Session> {
        Ok(self.handle(SessionId::new(id)?))
    }

    /// A session with a fresh id. Touches nothing.
    pub fn new_session(&self) -> Session {
        self.handle(SessionId::fresh())
    }

    fn handle(&self, id: SessionId) -> Session {
        Session { runner: Arc::clone(&self.runner), owner: self.owner.clone(), id }
    }

    /// A page of at most `limit` sessions, the latest changed first, after a page before.
    ///
    /// # Errors
    /// The store cannot be reached.
    pub async fn sessions(&self, after: Option<Cursor>, limit: u32) -> Result<SessionPage> {
        match self.query(Query::Sessions { after, limit, archived: false }).await? {
            Answer::Sessions { rows, more } => {
                let sessions: Vec<_> = rows.into_iter().map(SessionInfo::try_from).collect::<Result<_>>()?;
                let cursor = |last: &SessionInfo| Cursor {
                    pinned: false,
                    updated_ms: last.updated_ms,
                    session: last.id.clone(),
                };
                let next = sessions.last().filter(|_| more).map(cursor);
                Ok(SessionPage { sessions, next })
            }
            _ => Err(wrong_answer()),
        }
    }

    /// Watches a turn from an offset on: one that runs, here or elsewhere, or one that has ended.
    ///
    /// # Errors
    /// `NotFound` if this owner has no such turn.
    pub async fn attach(&self, turn: TurnId, from: Offset) -> Result<Reply> {
        self.runner.attach(&self.owner, turn, from).await
    }

    /// Stops a turn, wherever it runs. The text so far is kept; a turn that has ended is left as it is.
    ///
    /// # Errors
    /// `NotFound` if this owner has no such turn.
    pub async fn cancel(&self, turn: TurnId) -> Result<()> {
        self.runner.cancel(&self.owner, turn).await
    }

    /// The turns that run, in any process, with their sessions. One whose lease has run out does not.
    ///
    /// # Errors
    /// The store cannot be reached.
    pub async fn turns(&self) -> Result<Vec<(SessionId, TurnId)>> {
        match self.query(Query::Turns).await? {
            Answer::Turns(turns) => Ok(turns),
            _ => Err(wrong_answer()),
        }
    }

    /// At most `limit` changes after number `after` (0 to begin), in order. They are kept for 24 hours.
    ///
    /// # Errors
    /// The store cannot be reached.
    pub async fn changes(&self, after: u64, limit: u32) -> Result<Vec<Change>> {
        match self.query(Query::Changes { after, limit }).await? {
            Answer::Changes(changes) => Ok(changes),
            _ => Err(wrong_answer()),
        }
    }

    /// Brings in conversations that were written elsewhere. Await it for what became of each; again, it changes nothing.
    pub fn import(&self, source: Source) -> Import {
        Import::to(Arc::clone(&self.runner), self.owner.clone(), source)
    }

    /// All conversations, as text in a format that [`import`](Self::import) reads.
    pub fn export(&self, format: ExportFormat) -> Export {
        Export::new(Arc::clone(&self.runner), self.owner.clone(), format)
    }

    /// The sessions that an export of all has, in its order: for those who take it page by page.
    ///
    /// # Errors
    /// The store cannot be reached.
    pub async fn export_list(&self) -> Result<Vec<SessionId>> {
        transfer::list(&self.runner, &self.owner).await
    }

    async fn query(&self, query: Query) -> Result<Answer> {
        self.runner.memory.query(&self.owner, query).await
    }
}

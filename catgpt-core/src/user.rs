//! The owner's handle: all that belongs to one owner, and nothing else.

mod bulk;
mod feed;
#[cfg(feature = "encryption")]
mod reseal;
mod search;
mod serve;
mod usage;

use std::sync::Arc;

use serde::Serialize;

use crate::error::Result;
use crate::event::Change;
use crate::id::{Owner, SessionId, TurnId};
use crate::memory::{Answer, Cursor, Memory, Query};
use crate::message::Offset;
use crate::reply::Reply;
use crate::runner::{Runner, wrong_answer};
use crate::session::{Send, Session, SessionInfo};
use crate::transfer::{self, Export, ExportFormat, Import, Source};
use crate::wire::Command;

pub use feed::News;
pub use search::{SearchHit, SearchPage};
pub use usage::UsageQuery;

/// An owner. What others own is not found through it.
#[derive(Clone, Debug)]
pub struct User {
    pub(crate) runner: Arc<Runner>,
    pub(crate) owner: Owner,
}

/// One page of an owner's sessions.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct SessionPage {
    /// The sessions.
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

    /// A page of at most `limit` sessions that are not put away, the pinned ones first, then the latest changed, after a
    /// page before.
    ///
    /// # Errors
    /// The store cannot be reached.
    pub async fn sessions(&self, after: Option<Cursor>, limit: u32) -> Result<SessionPage> {
        self.page(after, limit, false).await
    }

    /// The same of those that are put away.
    ///
    /// # Errors
    /// The store cannot be reached.
    pub async fn archived_sessions(&self, after: Option<Cursor>, limit: u32) -> Result<SessionPage> {
        self.page(after, limit, true).await
    }

    async fn page(&self, after: Option<Cursor>, limit: u32, archived: bool) -> Result<SessionPage> {
        match self.query(Query::Sessions { after, limit, archived }).await? {
            Answer::Sessions { rows, more } => {
                let sessions: Vec<_> = rows.into_iter().map(SessionInfo::try_from).collect::<Result<_>>()?;
                let cursor = |last: &SessionInfo| Cursor {
                    pinned: last.pinned,
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

    /// Does what a client asks for, as [`wire::ws`](crate::wire::ws) or
    /// [`wire::ui_message_stream`](crate::wire::ui_message_stream) reads it. `with` adds what the application decides:
    /// the model, the persona, what happens when the session is busy. A command that has no events gives `None`.
    ///
    /// ```
    /// use catgpt_core::wire::{Encoding, Format, ui_message_stream, ws};
    /// use catgpt_core::{Result, User};
    /// use futures_util::StreamExt;
    /// use futures_util::stream::BoxStream;
    ///
    /// /// A request of the AI SDK's `useChat`; the headers are `Format::UiMessageStream.headers()`.
    /// async fn chat(user: &User, body: &str) -> Result<Option<BoxStream<'static, Vec<u8>>>> {
    ///     let reply = user.perform(ui_message_stream::command(body)?, |send| send.model("gpt-4o-mini")).await?;
    ///     Ok(reply.map(|reply| reply.into_bytes(Format::UiMessageStream)))
    /// }
    ///
    /// /// A frame of a web socket; `write` gets the frames of the answer. Each is a task of its own, so they may overlap.
    /// async fn frame(user: &User, frame: &str, mut write: impl FnMut(Vec<u8>)) {
    ///     let (request, command) = ws::parse(frame);
    ///     match async { user.perform(command?, |send| send).await }.await {
    ///         Ok(Some(reply)) => {
    ///             let mut frames = reply.into_bytes(Encoding { request, ..Format::Ws.into() });
    ///             while let Some(frame) = frames.next().await {
    ///                 write(frame);
    ///             }
    ///         }
    ///         Ok(None) => write(ws::done(request.as_deref()).into()),
    ///         Err(error) => write(ws::error(request.as_deref(), &error.info()).into()),
    ///     }
    /// }
    /// ```
    ///
    /// # Errors
    /// Those of the method of the command's name.
    pub async fn perform(&self, command: Command, with: impl FnOnce(Send) -> Send) -> Result<Option<Reply>> {
        let at = |session| self.handle(session);
        let (send, key) = match command {
            Command::Send { session, text, after: None, key } => (at(session).send(text), key),
            Command::Send { session, text, after: Some(seq), key } => (at(session).send_after(seq, text), key),
            Command::Edit { session, seq, text, key } => (at(session).edit(seq, text), key),
            Command::Regenerate { session, seq, key } => (at(session).regenerate(seq), key),
            Command::Continue { session, seq, key } => (at(session).continue_reply(seq), key),
            Command::Decide { session, decisions, key } => (at(session).decide(decisions), key),
            Command::Attach { turn, offset } => return self.attach(turn, offset).await.map(Some),
            Command::Cancel { turn } => return self.cancel(turn).await.map(|()| None),
            Command::Ping {} => return Ok(None),
        };
        with(key.into_iter().fold(send, Send::key)).await.map(Some)
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

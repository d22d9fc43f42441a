//! One conversation of an owner: say something, watch it, read it, change it.

use std::fmt;
use std::future::IntoFuture;
use std::sync::Arc;

use futures_util::future::BoxFuture;
use serde::{Deserialize, Serialize};

use crate::body::{TitleSource, decode_title, encode_title, messages};
use crate::error::{Error, Result};
use crate::id::{Owner, Seq, SessionId, TurnId};
use crate::memory::{Answer, Limit, Memory, Op, Parent, Query, Read, SessionRow};
use crate::message::{Message, Offset};
use crate::model::{Params, Secret};
use crate::persona::Persona;
use crate::reply::{OnDrop, Reply};
use crate::runner::Runner;
use crate::runner::begin::{Ask, Busy, Options};
use crate::transfer::{self, Export, ExportFormat, Mark, Page};

/// The most bytes of bodies that one look at a history returns.
const HISTORY_BYTES: u64 = 256 << 20;

/// A conversation. Making the handle costs nothing and touches nothing; the first send makes the session.
#[derive(Clone, Debug)]
pub struct Session {
    pub(crate) runner: Arc<Runner>,
    pub(crate) owner: Owner,
    pub(crate) id: SessionId,
}

impl Session {
    /// Its id.
    pub fn id(&self) -> &SessionId {
        &self.id
    }

    /// Says something. Await it for the [`Reply`]; it completes once the message is committed.
    pub fn send(&self, text: impl Into<String>) -> Send {
        self.ask(Parent::Head, Some(text.into()))
    }

    /// Says something else instead of an earlier message of the user, as a new branch beside it.
    pub fn edit(&self, seq: Seq, text: impl Into<String>) -> Send {
        self.ask(Parent::Beside(Some(seq)), Some(text.into()))
    }

    /// Asks for another answer beside an earlier one; `None` for the newest.
    pub fn regenerate(&self, reply: impl Into<Option<Seq>>) -> Send {
        self.ask(Parent::Beside(reply.into()), None)
    }

    fn ask(&self, parent: Parent, text: Option<String>) -> Send {
        let (owner, session) = (self.owner.clone(), self.id.clone());
        let options = Options::default();
        Send { runner: Arc::clone(&self.runner), ask: Ask { owner, session, parent, text, options } }
    }

    /// Watches a turn of this session from an offset on: one that runs, here or elsewhere, or one that has ended.
    ///
    /// # Errors
    /// `NotFound` if this session has no such turn.
    pub async fn attach(&self, turn: TurnId, from: Offset) -> Result<Reply> {
        let reply = self.runner.attach(&self.owner, turn, from).await?;
        if reply.session() == &self.id { Ok(reply) } else { Err(Error::not_found("turn")) }
    }

    /// The newest `last` messages of the active branch, oldest first; a running reply with the text that is stored.
    ///
    /// # Errors
    /// `NotFound` if nothing was ever said here.
    pub async fn history(&self, last: u32) -> Result<Vec<Message>> {
        let limit = Limit { messages: last, bytes: HISTORY_BYTES };
        messages(self.read(Read::Branch { session: self.id.clone(), head: None, limit }).await?)
    }

    /// Messages of all branches after `after` (0 to begin), by number: at most `limit`.
    ///
    /// # Errors
    /// `NotFound` if nothing was ever said here.
    pub async fn tree(&self, after: Seq, limit: u32) -> Result<Vec<Message>> {
        let limit = Limit { messages: limit, bytes: HISTORY_BYTES };
        messages(self.read(Read::Tree { session: self.id.clone(), after, limit, bodies: true }).await?)
    }

    async fn read(&self, read: Read) -> Result<crate::memory::View> {
        self.runner.memory.read(&self.owner, read).await
    }

    /// What is known about it besides its messages.
    ///
    /// # Errors
    /// `NotFound` if it is not there.
    pub async fn info(&self) -> Result<SessionInfo> {
        match self.runner.memory.query(&self.owner, Query::Session { session: self.id.clone() }).await? {
            Answer::Sessions { rows, .. } => {
                rows.into_iter().next().ok_or_else(|| Error::not_found("session")).and_then(SessionInfo::try_from)
            }
            _ => Err(wrong_answer()),
        }
    }

    /// Gives it a title.
    ///
    /// # Errors
    /// `NotFound` if it is not there.
    pub async fn rename(&self, title: &str) -> Result<()> {
        let title = Some(encode_title(title, TitleSource::User));
        self.apply(Op::SetTitle { session: self.id.clone(), title, over: None }).await
    }

    /// Gives it another persona, from the next turn on.
    ///
    /// # Errors
    /// `NotFound` if it is not there.
    pub async fn pin(&self, persona: &Persona) -> Result<()> {
        self.apply(Op::SetPin { session: self.id.clone(), pin: persona.encode() }).await
    }

    /// Shows the branch that ends at `head`; with `if_version` only if nothing has changed since.
    ///
    /// # Errors
    /// `Busy` while a turn runs; `Conflict` if the session is at another version.
    pub async fn select(&self, head: Seq, if_version: Option<u64>) -> Result<()> {
        self.apply(Op::SetHead { session: self.id.clone(), head, if_version }).await
    }

    /// Deletes it with all that was said. A turn that runs in it ends.
    ///
    /// # Errors
    /// `NotFound` if it is not there.
    pub async fn delete(&self) -> Result<()> {
        self.apply(Op::Delete { session: self.id.clone() }).await
    }

    /// This conversation, as text in a format that can be imported again.
    pub fn export(&self, format: ExportFormat) -> Export {
        Export::new(Arc::clone(&self.runner), self.owner.clone(), format).only([self.id.clone()])
    }

    /// A page of [`export`](Self::export): the first, or the one where the last one says that it goes on. Nothing is held
    /// between two pages, so they may be asked for by different processes.
    ///
    /// # Errors
    /// `NotFound` if it is not there.
    pub async fn export_page(&self, format: ExportFormat, mark: Option<Mark>) -> Result<Page> {
        transfer::page(&self.runner, &self.owner, &self.id, format, mark).await
    }

    async fn apply(&self, op: Op) -> Result<()> {
        self.runner.apply(&self.owner, vec![op]).await.map(drop)
    }
}

/// What is known about a session besides its messages.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct SessionInfo {
    /// Its id.
    pub id: SessionId,
    /// Its title; until somebody gives one, the beginning of the first message.
    pub title: Option<String>,
    /// Who answers.
    pub persona: Option<String>,
    /// The newest message of the active branch.
    pub head: Option<Seq>,
    /// Grows with every change.
    pub version: u64,
    /// How many messages it has, all branches counted.
    pub messages: u64,
    /// The running turn, as long as its lease holds.
    pub running: Option<TurnId>,
    /// When it was made, in milliseconds since 1970.
    pub created_ms: i64,
    /// When it changed last, in milliseconds since 1970.
    pub updated_ms: i64,
}

impl TryFrom<SessionRow> for SessionInfo {
    type Error = Error;

    fn try_from(row: SessionRow) -> Result<Self> {
        Ok(Self {
            id: row.id,
            title: row.title.as_deref().map(decode_title).transpose()?.map(|(title, _)| title),
            persona: row.pin.as_deref().map(Persona::decode).transpose()?.map(|persona| persona.name),
            head: row.head,
            version: row.version,
            messages: row.messages,
            running: row.running.filter(|_| !row.expired),
            created_ms: row.created_ms,
            updated_ms: row.updated_ms,
        })
    }
}

pub(crate) fn wrong_answer() -> Error {
    Error::new(crate::error::ErrorKind::Unexpected, "the memory answered another question than it was asked")
}

/// A message on its way. Await it, with or without more words about how to send.
#[derive(Clone)]
#[must_use = "nothing is sent until it is awaited"]
pub struct Send {
    runner: Arc<Runner>,
    ask: Ask,
}

impl Send {
    /// Makes it repeatable: the same key with the same message is the same turn, whatever became of it. Keys are
    /// remembered for 24 hours.
    pub fn key(mut self, key: impl Into<String>) -> Self {
        self.ask.options.key = Some(key.into());
        self
    }

    /// What to do if another turn runs in the session.
    pub fn busy(mut self, busy: Busy) -> Self {
        self.ask.options.busy = busy;
        self
    }

    /// Who answers, from this turn on.
    pub fn persona(mut self, persona: impl Into<Arc<Persona>>) -> Self {
        self.ask.options.persona = Some(persona.into());
        self
    }

    /// A value for a variable of the persona's prompt.
    pub fn var(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.ask.options.vars.insert(name.into(), value.into());
        self
    }

    /// Sampling parameters for this turn, before the persona's.
    pub fn params(mut self, params: Params) -> Self {
        self.ask.options.params = params;
        self
    }

    /// The model for this turn.
    pub fn model(mut self, model: impl Into<String>) -> Self {
        self.ask.options.model = Some(model.into());
        self
    }

    /// The key for this turn. It is not stored.
    pub fn credentials(mut self, key: impl Into<Secret>) -> Self {
        self.ask.options.credentials = Some(key.into());
        self
    }

    /// Only if the session is still at this version.
    pub fn if_version(mut self, version: u64) -> Self {
        self.ask.options.if_version = Some(version);
        self
    }

    /// What dropping the [`Reply`] does to the turn.
    pub fn on_drop(mut self, on_drop: OnDrop) -> Self {
        self.ask.options.on_drop = on_drop;
        self
    }
}

impl fmt::Debug for Send {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Send").field("session", &self.ask.session).finish_non_exhaustive()
    }
}

impl IntoFuture for Send {
    type Output = Result<Reply>;
    type IntoFuture = BoxFuture<'static, Result<Reply>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(async move { self.runner.send(self.ask).await })
    }
}

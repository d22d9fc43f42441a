//! One conversation of an owner: say something, watch it, read it, change it.

mod append;
mod decide;
mod make;
mod organize;
mod page;
mod summaries;
mod tree;

use std::fmt;
use std::future::IntoFuture;
use std::sync::Arc;

use futures_util::future::BoxFuture;
use serde::{Deserialize, Serialize};

use crate::body::{TitleSource, decode_meta, decode_title, encode_title, messages};
use crate::error::{Error, ErrorKind, Result};
use crate::id::{Owner, Seq, SessionId, TurnId};
use crate::limits::{Limit as UseLimit, LimitKeys};
use crate::memory::{Answer, Limit, Memory, Op, Parent, Query, Read, SessionRow, View};
use crate::message::{Content, Message, Offset};
use crate::model::{Params, Secret};
use crate::persona::Persona;
use crate::reply::{OnDrop, Reply};
use crate::runner::begin::{Ask, Busy, Options};
use crate::runner::{Runner, wrong_answer};
use crate::transfer::{self, Export, ExportFormat, Mark, Page};

pub use append::{Append, NewMessage};
pub use make::Make;
pub(crate) use organize::Changes;
pub use organize::{MAX_METADATA, Metadata, NewSession};
pub use page::MessagePage;
pub use summaries::Summary;
pub use tree::{Branch, Node};

/// The most bytes of bodies that one look at a history returns.
const HISTORY_BYTES: u64 = 256 << 20;
/// The longest title, in bytes.
const MAX_TITLE: usize = 1024;

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

    /// Says something: text, or [`Content`] with pictures. Await it for the [`Reply`]; it completes once the message is
    /// committed.
    pub fn send(&self, content: impl Into<Content>) -> Send {
        self.ask(Parent::Head, Some(content.into()))
    }

    /// Says something else instead of an earlier message of the user, as a new branch beside it.
    pub fn edit(&self, seq: Seq, content: impl Into<Content>) -> Send {
        self.ask(Parent::Beside(Some(seq)), Some(content.into()))
    }

    /// Asks for another answer beside an earlier one; `None` for the newest.
    pub fn regenerate(&self, reply: impl Into<Option<Seq>>) -> Send {
        self.ask(Parent::Beside(reply.into()), None)
    }

    /// Says something after a message of the tree, as a new branch if that has been answered before.
    pub fn send_after(&self, seq: Seq, content: impl Into<Content>) -> Send {
        self.ask(Parent::Under(seq), Some(content.into()))
    }

    fn ask(&self, parent: Parent, content: Option<Content>) -> Send {
        let (owner, session) = (self.owner.clone(), self.id.clone());
        let options = Options::default();
        let ask = Ask { owner, session, parent, content, decisions: None, options };
        Send { runner: Arc::clone(&self.runner), ask }
    }

    /// Watches a turn of this session from an offset on: one that runs, here or elsewhere, or one that has ended.
    ///
    /// # Errors
    /// `NotFound` if this session has no such turn.
    pub async fn attach(&self, turn: TurnId, from: Offset) -> Result<Reply> {
        let reply = self.runner.attach(&self.owner, turn, from).await?;
        if reply.session() == &self.id { Ok(reply) } else { Err(Error::not_found("turn")) }
    }

    /// Watches the turn that runs here, from its beginning; `None` if there is none. For clients that know a session and
    /// no turn. A turn whose process died is shown too: its end says so.
    ///
    /// # Errors
    /// The store cannot be reached.
    pub async fn resume(&self) -> Result<Option<Reply>> {
        let row = match self.row().await {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            row => row?,
        };
        match row.running {
            Some(turn) => self.attach(turn, 0).await.map(Some),
            None => Ok(None),
        }
    }

    /// The newest `last` messages of the active branch, oldest first; a running reply with the text that is stored.
    ///
    /// # Errors
    /// `NotFound` if nothing was ever said here.
    pub async fn history(&self, last: u32) -> Result<Vec<Message>> {
        messages(self.branch(None, last).await?)
    }

    /// Messages of all branches after `after` (0 to begin), by number: at most `limit`.
    ///
    /// # Errors
    /// `NotFound` if nothing was ever said here.
    pub async fn tree(&self, after: Seq, limit: u32) -> Result<Vec<Message>> {
        let limit = Limit { messages: limit, bytes: HISTORY_BYTES };
        messages(self.read(Read::Tree { session: self.id.clone(), after, limit, bodies: true }).await?)
    }

    async fn branch(&self, head: Option<Seq>, last: u32) -> Result<View> {
        let limit = Limit { messages: last, bytes: HISTORY_BYTES };
        self.read(Read::Branch { session: self.id.clone(), head, limit }).await
    }

    async fn read(&self, read: Read) -> Result<View> {
        self.runner.memory.read(&self.owner, read).await
    }

    /// What is known about it besides its messages.
    ///
    /// # Errors
    /// `NotFound` if it is not there.
    pub async fn info(&self) -> Result<SessionInfo> {
        self.row().await.and_then(SessionInfo::try_from)
    }

    async fn row(&self) -> Result<SessionRow> {
        match self.runner.memory.query(&self.owner, Query::Session { session: self.id.clone() }).await? {
            Answer::Sessions { rows, .. } => rows.into_iter().next().ok_or_else(|| Error::not_found("session")),
            _ => Err(wrong_answer()),
        }
    }

    /// Gives it a title, which no later job of the engine takes away. White space becomes single spaces.
    ///
    /// # Errors
    /// `NotFound` if it is not there, `InvalidInput` for an empty or very long one.
    pub async fn rename(&self, title: &str) -> Result<()> {
        self.apply(self.set_title(title)?).await
    }

    fn set_title(&self, title: &str) -> Result<Op> {
        // What is stored reaches terminals and lists, which have one line for it.
        let title = Some(given_title(title)?);
        Ok(Op::SetTitle { session: self.id.clone(), title, over: None })
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

    /// The same, but only if it is still at this version, and no turn runs in it.
    ///
    /// # Errors
    /// `NotFound` if it is not there; `Conflict` if it is at another version; `Busy` while a turn runs.
    pub async fn delete_if(&self, version: u64) -> Result<()> {
        let look = self.append([]).if_version(version).op()?;
        self.runner.apply_idle(&self.owner, vec![look, Op::Delete { session: self.id.clone() }]).await.map(drop)
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
    /// Who gave it; `None` without one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub titled_by: Option<TitleSource>,
    /// Who answers.
    pub persona: Option<String>,
    /// Whether it stands before the others in lists.
    pub pinned: bool,
    /// Whether it is put away.
    pub archived: bool,
    /// What the application keeps with it.
    #[serde(default, skip_serializing_if = "Metadata::is_empty")]
    pub metadata: Metadata,
    /// How long after its last change it is deleted, in milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ttl_ms: Option<u64>,
    /// The newest message of the active branch.
    pub head: Option<Seq>,
    /// Grows with every change.
    pub version: u64,
    /// The number of its last message: how many it has, all branches and summaries counted.
    pub messages: u64,
    /// The summary that stands for the beginning.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub summary: Option<Seq>,
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
        let (title, titled_by) = row.title.as_deref().map(decode_title).transpose()?.unzip();
        Ok(Self {
            id: row.id,
            title,
            titled_by,
            persona: row.pin.as_deref().map(Persona::decode).transpose()?.map(|persona| persona.name),
            pinned: row.pinned,
            archived: row.archived,
            metadata: row.meta.as_deref().map(decode_meta).transpose()?.unwrap_or_default(),
            ttl_ms: row.ttl.map(|ttl| u64::try_from(ttl.as_millis()).unwrap_or(u64::MAX)),
            head: row.head,
            summary: row.summary,
            version: row.version,
            messages: row.messages,
            running: row.running.filter(|_| !row.expired),
            created_ms: row.created_ms,
            updated_ms: row.updated_ms,
        })
    }
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

    /// The value of a key that limits count by: `limit_key("ip", address)` for [`Limit::per_key`](UseLimit::per_key). A
    /// send that does not say a key by which one of its limits counts is `InvalidInput`.
    pub fn limit_key(mut self, key: impl Into<String>, value: impl Into<String>) -> Self {
        self.ask.options.limit_keys.insert(key.into(), value.into());
        self
    }

    /// These limits instead of the engine's: the owner's plan.
    pub fn limits(mut self, limits: impl Into<Vec<UseLimit>>) -> Self {
        self.ask.options.limits = Some(limits.into());
        self
    }

    /// How many turns of the owner may run, this one counted, instead of what the engine says.
    pub fn max_running(mut self, turns: u32) -> Self {
        self.ask.options.max_running = Some(turns);
        self
    }

    /// Which of the engine's tools the model is offered, by name: none of them with an empty list, all if nothing is said.
    pub fn tools<N: Into<String>>(mut self, names: impl IntoIterator<Item = N>) -> Self {
        self.ask.options.tools = Some(names.into_iter().map(Into::into).collect());
        self
    }

    /// By which limits it would be counted, and with which keys.
    pub(crate) fn counted(self) -> (Option<Vec<UseLimit>>, LimitKeys) {
        (self.ask.options.limits, self.ask.options.limit_keys)
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

/// A title as a person gives it, encoded. White space becomes single spaces.
fn given_title(title: &str) -> Result<Vec<u8>> {
    let title = title.split_whitespace().collect::<Vec<_>>().join(" ");
    if title.is_empty() || title.len() > MAX_TITLE {
        return Err(Error::invalid(format!("a title must be 1 to {MAX_TITLE} bytes long")));
    }
    Ok(encode_title(&title, TitleSource::User))
}

//! Messages that another program's models and tools have written, added as they are: no turn, no model, no prompt.

use std::fmt;
use std::future::IntoFuture;

use futures_util::future::BoxFuture;

use super::Session;
use super::organize::{Metadata, encoded};
use crate::body::Body;
use crate::error::{Error, ErrorKind, Result};
use crate::id::Seq;
use crate::memory::{Done, NewRow, Op, Parent};
use crate::message::{Content, FinishReason, Part, Role, Status, Usage};
use crate::runner::begin::title_of;

/// A finished message that was written elsewhere. `Debug` does not show what it says.
#[derive(Clone, PartialEq)]
#[non_exhaustive]
pub struct NewMessage {
    /// Who speaks.
    pub role: Role,
    /// What it says; parts of kinds that nobody here knows are kept as they are.
    pub content: Content,
    /// How it ended.
    pub status: Status,
    /// The model that was asked.
    pub model: Option<String>,
    /// Why the model stopped.
    pub finish_reason: Option<FinishReason>,
    /// What it used. The owner's ledger does not mention it.
    pub usage: Option<Usage>,
}

impl NewMessage {
    /// A whole message.
    pub fn new(role: Role, content: impl Into<Content>) -> Self {
        let content = content.into();
        Self { role, content, status: Status::Complete, model: None, finish_reason: None, usage: None }
    }

    fn row(&self) -> NewRow {
        let mut body = Body::new(&self.content);
        body.finish_reason.clone_from(&self.finish_reason);
        let (role, status, model, usage) = (self.role, self.status, self.model.clone(), self.usage);
        NewRow { role, status, body: body.encode(), model, usage }
    }

    /// Whether a person said something in it.
    fn is_said(&self) -> bool {
        let said = |part: &Part| match part {
            Part::Text { text } => !text.trim().is_empty(),
            part => matches!(part, Part::Image(_)),
        };
        self.role == Role::User && self.content.parts().iter().any(said)
    }
}

impl Session {
    /// Adds finished messages, all of them or none, and shows the branch that they end: how another program keeps its
    /// conversations here. Await it for their numbers. Makes the session if it is not there; the beginning of the first
    /// message that a person said becomes its title.
    ///
    /// Without messages it moves the head only: to the place where they would have gone.
    ///
    /// ```
    /// # use catgpt_core::{Engine, NewMessage, Offline, Role};
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> catgpt_core::Result<()> {
    /// let chat = Engine::builder().model(Offline::new()).build().user("alice")?.session("trip")?;
    /// let said = [NewMessage::new(Role::User, "Why do cats purr?"), NewMessage::new(Role::Assistant, "They like it.")];
    /// assert_eq!(chat.append(said).await?, [1, 2]);
    /// # Ok(())
    /// # }
    /// ```
    pub fn append(&self, messages: impl IntoIterator<Item = NewMessage>) -> Append {
        let messages = messages.into_iter().collect();
        Append { session: self.clone(), messages, parent: Parent::Head, if_version: None, metadata: None }
    }
}

/// Messages on their way. Await it, with or without more words about where they go.
#[derive(Clone)]
#[must_use = "nothing is added until it is awaited"]
pub struct Append {
    session: Session,
    messages: Vec<NewMessage>,
    parent: Parent,
    if_version: Option<u64>,
    metadata: Option<Metadata>,
}

impl Append {
    /// After this message instead of the newest of the branch that is shown; `None`: before all, as another beginning.
    pub fn after(mut self, seq: impl Into<Option<Seq>>) -> Self {
        self.parent = seq.into().map_or(Parent::Beside(Some(1)), Parent::Under);
        self
    }

    /// Only if the session is still at this version; 0: only if it is not there.
    pub fn if_version(mut self, version: u64) -> Self {
        self.if_version = Some(version);
        self
    }

    /// Keeps this with the session, in the same step.
    pub fn metadata(mut self, metadata: Metadata) -> Self {
        self.metadata = Some(metadata);
        self
    }

    pub(super) fn op(&self) -> Result<Op> {
        Ok(Op::Append {
            session: self.session.id.clone(),
            parent: self.parent,
            rows: self.messages.iter().map(NewMessage::row).collect(),
            if_version: self.if_version,
            title: self.messages.iter().find(|message| message.is_said()).map(|message| title_of(&message.content)),
            ttl: self.session.runner.session_ttl,
        })
    }

    async fn run(self) -> Result<Vec<Seq>> {
        let meta = self.metadata.as_ref().map(encoded).transpose()?;
        let describe = meta.map(|meta| Op::SetMeta { session: self.session.id.clone(), meta: Some(meta) });
        let ops = std::iter::once(self.op()?).chain(describe).collect();
        let many = self.messages.len() as u64;
        match self.session.runner.apply_idle(&self.session.owner, ops).await?.first() {
            Some(Done::Seq(last)) => Ok((last + 1 - many..=*last).collect()),
            Some(Done::Version(_)) if many == 0 => Ok(Vec::new()),
            _ => Err(Error::new(ErrorKind::Unexpected, "the store added nothing; this is a defect of the store")),
        }
    }
}

impl IntoFuture for Append {
    type Output = Result<Vec<Seq>>;
    type IntoFuture = BoxFuture<'static, Result<Vec<Seq>>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(self.run())
    }
}

impl fmt::Debug for NewMessage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NewMessage").field("role", &self.role).finish_non_exhaustive()
    }
}

impl fmt::Debug for Append {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Append").field("session", &self.session.id).finish_non_exhaustive()
    }
}

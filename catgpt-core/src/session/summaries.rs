//! Summaries of a session: made, listed, chosen, taken back. And a title when one is asked for.

use serde::Serialize;

use super::Session;
use crate::error::Result;
use crate::id::Seq;
use crate::memory::Op;
use crate::message::{Message, Role};

/// What stands for the beginning of a conversation where a model is sent it. The messages themselves stay.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Summary {
    /// Its number in the session.
    pub seq: Seq,
    /// The last message that it covers.
    pub upto: Seq,
    /// What it says.
    pub text: String,
    /// The model that wrote it.
    pub model: Option<String>,
    /// When it was made, in milliseconds since 1970.
    pub created_ms: i64,
    /// Whether it is the one that is used, on branches that have the message `upto`.
    pub active: bool,
}

impl Summary {
    fn new(message: Message, active: Option<Seq>) -> Self {
        Self {
            seq: message.seq,
            upto: message.parent.unwrap_or_default(),
            text: message.content.text(),
            model: message.model,
            created_ms: message.created_ms,
            active: active == Some(message.seq),
        }
    }
}

impl Session {
    /// All summaries that were ever made here, by number.
    ///
    /// # Errors
    /// `NotFound` if it is not there.
    pub async fn summaries(&self) -> Result<Vec<Summary>> {
        let (session, rows) = self.rows(false).await?;
        let mut summaries = Vec::new();
        for row in rows.iter().filter(|row| row.role == Role::Summary) {
            let message = self.runner.summary(&self.owner, &self.id, row.seq).await?;
            summaries.push(Summary::new(message, session.summary));
        }
        Ok(summaries)
    }

    /// Has the conversation summed up now, up to the end of the turn of message `upto` (`None`: of the newest whole turn),
    /// and uses that from the next turn on. It may take as long as
    /// [`Summaries::deadline`](crate::Summaries::deadline), and a turn may run meanwhile. What stands further back than
    /// two windows is not read.
    ///
    /// # Errors
    /// `InvalidInput` if nothing was said after the last summary, `NotFound` if `upto` is not of the active branch,
    /// `Conflict` if another summary was made meanwhile, and whatever keeps the model from answering.
    pub async fn summarize(&self, upto: impl Into<Option<Seq>>) -> Result<Summary> {
        let seq = self.runner.summarize(&self.owner, &self.id, upto.into()).await?;
        let message = self.runner.summary(&self.owner, &self.id, seq).await?;
        Ok(Summary::new(message, Some(seq)))
    }

    /// Uses a former summary again, or none, from the next turn on. The engine then makes a new one only once as much was
    /// said beyond the newest that there was as makes one due.
    ///
    /// # Errors
    /// `NotFound` if the session has no such summary.
    pub async fn set_summary(&self, summary: Option<Seq>) -> Result<()> {
        self.apply(Op::SetSummary { session: self.id.clone(), summary }).await
    }

    /// Has a model make a title of the first message now, as the engine does for new sessions if it is
    /// [told to](crate::EngineBuilder::titles), and tells it.
    ///
    /// # Errors
    /// `Conflict` if a person gave the session its title, `InvalidInput` if nothing was said, `Truncated` if there is no
    /// title in the answer, and whatever keeps the model from answering.
    pub async fn make_title(&self) -> Result<String> {
        self.runner.make_title(&self.owner, &self.id).await
    }
}

//! Summaries of a session: listed, chosen, taken back.

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
    pub(super) fn new(message: Message, active: Option<Seq>) -> Self {
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

    /// Uses a former summary again, or none, from the next turn on. The engine then makes a new one only once as much was
    /// said beyond the newest that there was as makes one due.
    ///
    /// # Errors
    /// `NotFound` if the session has no such summary.
    pub async fn set_summary(&self, summary: Option<Seq>) -> Result<()> {
        self.apply(Op::SetSummary { session: self.id.clone(), summary }).await
    }
}

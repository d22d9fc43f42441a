//! What became of each conversation of an import.

use serde::{Deserialize, Serialize};

use super::transcript::LeftOut;
use crate::error::ErrorInfo;

/// What became of the conversations of an import, one by one.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct ImportReport {
    /// Each conversation, in the order of the source.
    pub entries: Vec<Entry>,
    /// How many are here now, whole.
    pub imported: u64,
    /// How many were here already.
    pub unchanged: u64,
    /// How many are here now, with something left out.
    pub partly: u64,
    /// How many are not here.
    pub refused: u64,
    /// How many messages were written.
    pub messages: u64,
}

/// One conversation of an import.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Entry {
    /// Its id here; `None` where the source does not tell which conversation it was.
    pub session: Option<String>,
    /// Its title.
    pub title: Option<String>,
    /// Who owns it, where an import has several owners.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub owner: Option<String>,
    /// How many messages were written.
    pub messages: u64,
    /// What became of it.
    #[serde(flatten)]
    pub outcome: Outcome,
}

/// What became of a conversation.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "outcome", rename_all = "snake_case")]
#[non_exhaustive]
pub enum Outcome {
    /// It is here now, or what was new of it.
    Imported,
    /// All of it was here already.
    Unchanged,
    /// It is here now, but for what is counted here by reasons.
    Partly {
        /// What was left out.
        left_out: LeftOut,
    },
    /// It is not here.
    Refused {
        /// Why.
        error: ErrorInfo,
    },
}

impl ImportReport {
    pub(super) fn add(&mut self, entry: Entry) {
        let count = match &entry.outcome {
            Outcome::Imported => &mut self.imported,
            Outcome::Unchanged => &mut self.unchanged,
            Outcome::Partly { .. } => &mut self.partly,
            Outcome::Refused { .. } => &mut self.refused,
        };
        *count += 1;
        self.messages += entry.messages;
        self.entries.push(entry);
    }
}

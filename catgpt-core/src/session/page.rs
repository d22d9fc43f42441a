//! A page of a conversation as a screen shows it: messages, where other branches leave them, what runs.

use std::collections::{BTreeMap, HashSet};

use serde::Serialize;

use super::Session;
use crate::body::messages;
use crate::error::Result;
use crate::id::{Seq, TurnId};
use crate::memory::{Row, View};
use crate::message::{Message, Role};

/// The newest messages of a branch, and what a screen needs to know beside them.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct MessagePage {
    /// The messages, oldest first; a running reply with the text that is stored.
    pub messages: Vec<Message>,
    /// For each of these messages that others stand beside: all of them, itself too, by number.
    pub siblings: BTreeMap<Seq, Vec<Seq>>,
    /// The turn that runs in the session.
    pub running: Option<TurnId>,
    /// Whether there are older ones: ask again with the first one's `parent` as `head`.
    pub more: bool,
}

impl Session {
    /// The newest `last` messages of the branch that ends at `head` (`None`: the one that is shown), with their siblings:
    /// what a chat's page shows. To go back, the first one's `parent` is the next `head`.
    ///
    /// # Errors
    /// `NotFound` if nothing was ever said here, or there is no such message.
    pub async fn page(&self, head: impl Into<Option<Seq>>, last: u32) -> Result<MessagePage> {
        let view = self.branch(head.into(), last).await?;
        let (running, more) = (view.session.running.filter(|_| !view.session.expired), view.more);
        let siblings = self.siblings(&view).await?;
        Ok(MessagePage { messages: messages(view)?, siblings, running, more })
    }

    /// Siblings have one parent and come after it, so what stands before the oldest parent is not looked at.
    async fn siblings(&self, view: &View) -> Result<BTreeMap<Seq, Vec<Seq>>> {
        let Some(first) = view.rows.first() else { return Ok(BTreeMap::new()) };
        let (_, rows) = self.rows_after(first.parent.unwrap_or_default(), false).await?;
        Ok(siblings(&rows, view.rows.iter().map(|row| row.seq).collect()))
    }
}

fn siblings(rows: &[Row], shown: HashSet<Seq>) -> BTreeMap<Seq, Vec<Seq>> {
    let mut families: BTreeMap<Option<Seq>, Vec<Seq>> = BTreeMap::new();
    for row in rows.iter().filter(|row| row.role != Role::Summary) {
        families.entry(row.parent).or_default().push(row.seq);
    }
    let told = families.into_values().filter(|family| family.len() > 1);
    told.filter_map(|family| Some((*family.iter().find(|seq| shown.contains(seq))?, family))).collect()
}

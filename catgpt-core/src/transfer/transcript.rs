//! One conversation as plain data: what every format is read into, and written from.

use std::collections::{BTreeMap, HashMap};

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::body::TitleSource;
use crate::error::{Error, Result};
use crate::id::{Seq, SessionId};
use crate::message::{Message, Status};
use crate::persona::Persona;

/// A conversation without its messages, as it stands in the first line of its JSON Lines form.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Heading {
    /// Its id.
    pub id: SessionId,
    /// Its title.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    /// Who gave the title.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub titled_by: Option<TitleSource>,
    /// Who answers in it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub persona: Option<Persona>,
    /// The newest message of the active branch.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub head: Option<Seq>,
    /// Put away by its owner.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub archived: bool,
    /// Kept at the top by its owner.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub pinned: bool,
    /// What applications keep with it.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub metadata: Map<String, Value>,
    /// When it was made, in milliseconds since 1970.
    pub created_ms: i64,
    /// When it changed last, in milliseconds since 1970.
    pub updated_ms: i64,
}

impl Heading {
    pub(super) fn new(id: SessionId) -> Self {
        Self {
            id,
            title: None,
            titled_by: None,
            persona: None,
            head: None,
            archived: false,
            pinned: false,
            metadata: Map::new(),
            created_ms: 0,
            updated_ms: 0,
        }
    }
}

/// A conversation: its heading and all its messages, those of every branch, in the order of their numbers.
#[derive(Clone, Debug, PartialEq)]
pub struct Transcript {
    /// All but the messages.
    pub heading: Heading,
    /// The messages: parents before those that follow them.
    pub messages: Vec<Message>,
}

/// What could not be kept of a conversation: reasons and how often.
pub type LeftOut = BTreeMap<String, u64>;

impl Transcript {
    /// Numbers the messages from 1, and checks that it is a tree: what a store takes.
    ///
    /// Numbers must grow, a parent must come before its children, and the head must be there. Turns are forgotten: a
    /// turn's id entitles to write, and what is imported is nobody's turn. What ran when it was exported is cut off.
    ///
    /// # Errors
    /// `InvalidInput` that names the message.
    pub fn settle(mut self) -> Result<Self> {
        let mut numbers: HashMap<Seq, Seq> = HashMap::with_capacity(self.messages.len());
        for (number, message) in (1..).zip(&mut self.messages) {
            let known = |seq: Seq, what| {
                numbers.get(&seq).copied().ok_or_else(|| Error::invalid(what).with("message", message.seq))
            };
            message.parent =
                message.parent.map(|seq| known(seq, "a message follows one that is not before it")).transpose()?;
            if numbers.insert(message.seq, number).is_some() {
                return Err(Error::invalid("two messages have one number").with("message", message.seq));
            }
            message.seq = number;
            message.turn = None;
            if message.status == Status::Running {
                message.status = Status::Interrupted;
            }
        }
        let head = self.heading.head.map(|seq| {
            let head = numbers.get(&seq).copied();
            head.ok_or_else(|| Error::invalid("the head is a message that is not there").with("message", seq))
        });
        self.heading.head = head.transpose()?.or(self.messages.last().map(|message| message.seq));
        self.date();
        Ok(self)
    }

    /// Gives times to what has none: those of its neighbours.
    fn date(&mut self) {
        let heading = &mut self.heading;
        let first = self.messages.iter().map(|message| message.created_ms).find(|ms| *ms != 0);
        if heading.created_ms == 0 {
            heading.created_ms = first.unwrap_or(heading.updated_ms);
        }
        let mut before = heading.created_ms;
        for message in &mut self.messages {
            if message.created_ms == 0 {
                message.created_ms = before;
            }
            before = message.created_ms;
        }
        let last = self.messages.iter().map(|message| message.created_ms).max();
        if heading.updated_ms == 0 {
            heading.updated_ms = last.unwrap_or(heading.created_ms);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{said, transcript};
    use super::*;
    use crate::message::Role::{Assistant, User};

    #[test]
    fn numbers_with_gaps_become_those_of_a_store() {
        let mut one = transcript("trip", vec![said(2, None, User, "a"), said(5, Some(2), Assistant, "b")]);
        one.messages[1].status = Status::Running;
        one.heading.head = Some(5);
        let one = one.settle().unwrap();
        let seen: Vec<_> = one.messages.iter().map(|m| (m.seq, m.parent, m.status)).collect();
        assert_eq!(seen, [(1, None, Status::Complete), (2, Some(1), Status::Interrupted)]);
        assert_eq!(one.heading.head, Some(2));
    }

    #[test]
    fn what_is_no_tree_is_refused() {
        let orphan = transcript("a", vec![said(2, Some(1), User, "a")]);
        let twins = transcript("a", vec![said(1, None, User, "a"), said(1, None, User, "b")]);
        let mut headless = transcript("a", vec![said(1, None, User, "a")]);
        headless.heading.head = Some(9);
        for bad in [orphan, twins, headless] {
            assert!(bad.settle().is_err());
        }
    }

    #[test]
    fn missing_times_are_those_of_the_neighbours() {
        let mut one = transcript("a", vec![said(1, None, User, "a"), said(2, Some(1), Assistant, "b")]);
        (one.heading.created_ms, one.heading.updated_ms) = (0, 0);
        (one.messages[0].created_ms, one.messages[1].created_ms) = (7, 0);
        let one = one.settle().unwrap();
        assert_eq!((one.heading.created_ms, one.heading.updated_ms, one.messages[1].created_ms), (7, 7, 7));
    }
}

//! What the tests of the formats share.

use super::transcript::{Heading, Transcript};
use super::{Flow, Found, Take, What};
use crate::error::{Error, Result};
use crate::id::{Seq, SessionId};
use crate::message::{Content, Message, Role, Status};

pub(super) fn transcript(id: &str, messages: Vec<Message>) -> Transcript {
    let mut heading = Heading::new(SessionId::new(id).unwrap());
    (heading.created_ms, heading.updated_ms) = (1, 2);
    Transcript { heading, messages }
}

pub(super) fn said(seq: Seq, parent: Option<Seq>, role: Role, text: &str) -> Message {
    Message {
        seq,
        parent,
        turn: None,
        role,
        status: Status::Complete,
        content: Content::from(text),
        model: None,
        finish_reason: None,
        usage: None,
        cost: None,
        error: None,
        created_ms: i64::try_from(seq).unwrap(),
    }
}

/// All that a reader finds: conversations, and what it refuses.
pub(super) fn found(read: impl FnOnce(&mut Take<'_>) -> Result<()>) -> (Vec<Transcript>, Vec<(Option<String>, Error)>) {
    let (mut found, mut refused) = (Vec::new(), Vec::new());
    let mut take = |one: Found| {
        match one.what {
            What::Transcript(transcript, _) => found.push(*transcript),
            What::Refused { id, error, .. } => refused.push((id, error)),
        }
        Flow::On
    };
    read(&mut take).unwrap();
    (found, refused)
}

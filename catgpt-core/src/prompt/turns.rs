//! A branch as the turns that go to a model whole or not at all. Pure.

use std::collections::HashMap;
use std::mem;

use super::tokens::{TokenCounter, content_tokens};
use super::window::roundness;
use crate::error::ErrorKind;
use crate::id::Seq;
use crate::message::{Content, Message, Part, Role, Status};
use crate::model::PromptMessage;

/// What goes together or not at all: a turn, or a summary.
pub(super) struct Block {
    pub(super) messages: Vec<PromptMessage>,
    pub(super) tokens: u64,
    /// Whether it begins where the branch does.
    pub(super) root: bool,
    /// How good a place it is to cut at.
    pub(super) round: u32,
    /// The number of its last message, whether or not that is sent.
    pub(super) last: Seq,
}

impl Block {
    /// A message of text on its own.
    pub(super) fn alone(role: Role, text: String, counter: &dyn TokenCounter) -> Self {
        let mut block = Self { messages: Vec::new(), tokens: 0, root: false, round: 0, last: 0 };
        block.push(role, Content::from(text), counter);
        block
    }

    /// A turn that begins with this message; `before` is where the turn before it began, if that is known.
    fn begin(message: &Message, before: Option<Seq>) -> Self {
        let before = before.or(message.parent.map(|parent| parent.saturating_sub(1))).unwrap_or(0);
        let round = roundness(before, message.seq);
        Self { messages: Vec::new(), tokens: 0, root: message.parent.is_none(), round, last: message.seq }
    }

    fn push(&mut self, role: Role, content: Content, counter: &dyn TokenCounter) {
        // A merged message costs what it costs as one.
        let last = self.messages.pop_if(|last| last.role == role && role == Role::Assistant);
        let less = last.as_ref().map_or(0, |last| content_tokens(&last.content, counter));
        self.tokens = self.tokens.saturating_sub(less);
        let mut message = last.unwrap_or_else(|| PromptMessage { role, content: Content::default() });
        message.content.append(content);
        self.tokens = self.tokens.saturating_add(content_tokens(&message.content, counter));
        self.messages.push(message);
    }

    /// Puts words in the place of its pictures.
    fn hide_images(&mut self, counter: &dyn TokenCounter) {
        let messages = mem::take(&mut self.messages);
        self.tokens = 0;
        for mut message in messages {
            message.hide_images();
            self.push(message.role, message.content, counter);
        }
    }
}

/// The turns of a branch, oldest first.
pub(super) fn turns(branch: &[Message], counter: &dyn TokenCounter) -> Vec<Block> {
    let (mut turns, mut before): (Vec<Block>, _) = (Vec::new(), None);
    for message in branch {
        if message.role == Role::User {
            turns.push(Block::begin(message, before));
            before = Some(message.seq);
        }
        // What comes before the first user's message is half a turn.
        let Some(turn) = turns.last_mut() else { continue };
        turn.last = message.seq;
        if let Some(content) = sendable(message) {
            turn.push(message.role, content, counter);
        }
        // Sent again, they would fail every turn from here on.
        if refused(message) {
            turn.hide_images(counter);
        }
    }
    turns
}

/// Whether this reply is the refusal to answer what was said, perhaps because of its pictures.
fn refused(reply: &Message) -> bool {
    reply.status == Status::Failed && reply.error.as_ref().is_some_and(|error| error.kind == ErrorKind::Refused)
}

/// What of a message may be sent, if anything.
pub(super) fn sendable(message: &Message) -> Option<Content> {
    let sees = message.role == Role::User;
    let content = without_loose_ends(&message.content).in_words(|image| sees && image.is_visible());
    if message.role != Role::Assistant {
        // A summary stands beside a branch, not in it.
        return (message.role != Role::Summary).then_some(content);
    }
    let text = !content.text().trim().is_empty();
    let useful = match message.status {
        Status::Running => false,
        Status::Cancelled | Status::Interrupted | Status::Failed => text,
        Status::Complete | Status::Paused => text || !content.is_empty(),
    };
    useful.then_some(content)
}

/// The content without reasoning, citations and what is a provider's own, and without tool calls and results that have no counterpart.
pub(super) fn without_loose_ends(content: &Content) -> Content {
    let parts = content.parts();
    let mut keep = vec![true; parts.len()];
    // By the latest call of an id: some providers begin to count anew with each step.
    let mut open: HashMap<&str, usize> = HashMap::new();
    for (at, part) in parts.iter().enumerate() {
        match part {
            Part::Reasoning { .. } | Part::Citation { .. } | Part::Provider { .. } => keep[at] = false,
            Part::ToolCall(call) => {
                keep[at] = false;
                open.insert(&call.id, at);
            }
            Part::ToolResult(result) => match open.remove(result.id.as_str()) {
                Some(call) => keep[call] = true,
                None => keep[at] = false,
            },
            _ => {}
        }
    }
    parts.iter().zip(keep).filter(|(_, keep)| *keep).map(|(part, _)| part.clone()).collect()
}

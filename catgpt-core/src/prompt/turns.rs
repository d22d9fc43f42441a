//! A branch as the turns that go to a model whole or not at all. Pure.

use std::collections::{HashMap, HashSet};
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
    let newest = branch.iter().rposition(|message| message.role == Role::User).unwrap_or_default();
    let answered = answered(branch);
    for (at, message) in branch.iter().enumerate() {
        if message.role == Role::User {
            turns.push(Block::begin(message, before));
            before = Some(message.seq);
        }
        // What comes before the first user's message is half a turn.
        let Some(turn) = turns.last_mut() else { continue };
        turn.last = message.seq;
        if let Some(content) = sendable(message, &|part| answered.contains(&(at, part)), at > newest) {
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

/// The calls and results that have a counterpart in the same turn, as places of message and part. What a paused reply has
/// asked for is answered in the reply that follows it.
fn answered(branch: &[Message]) -> HashSet<(usize, usize)> {
    let mut pairs = HashSet::new();
    // By the latest call of an id: in what was imported they may have been counted anew with each step.
    let mut open: HashMap<&str, (usize, usize)> = HashMap::new();
    for (at, message) in branch.iter().enumerate().filter(|(_, message)| message.status != Status::Running) {
        if message.role == Role::User {
            open.clear();
        }
        for (place, part) in (0..).map(|part| (at, part)).zip(message.content.parts()) {
            match part {
                Part::ToolCall(call) => _ = open.insert(&call.id, place),
                Part::ToolResult(result) => {
                    pairs.extend(open.remove(result.id.as_str()).into_iter().flat_map(|call| [call, place]));
                }
                _ => {}
            }
        }
    }
    pairs
}

/// What of a message may be sent, if anything. What a tool has done is told whatever became of the reply after it.
pub(super) fn sendable(message: &Message, answered: &dyn Fn(usize) -> bool, current: bool) -> Option<Content> {
    let sees = message.role == Role::User;
    let content = sent(&message.content, answered, current).in_words(|image| sees && image.is_visible());
    if message.role != Role::Assistant {
        // A summary stands beside a branch, not in it.
        return (message.role != Role::Summary).then_some(content);
    }
    let tools = content.parts().iter().any(|part| matches!(part, Part::ToolCall(_) | Part::ToolResult(_)));
    let useful = tools || !content.text().trim().is_empty();
    let useful = match message.status {
        Status::Running => false,
        Status::Cancelled | Status::Interrupted | Status::Failed => useful,
        Status::Complete | Status::Paused => useful || !content.is_empty(),
    };
    useful.then_some(content)
}

/// The content without citations, and without tool calls and results that have no counterpart. Reasoning, and what is a
/// provider's own, stays with the calls of the `current` turn: some models go on after a tool only with what they had
/// thought before it.
fn sent(content: &Content, answered: &dyn Fn(usize) -> bool, current: bool) -> Content {
    let parts = content.parts();
    let is_result = |at: &usize| matches!(parts[*at], Part::ToolResult(_));
    let is_sent_call = |at: usize| matches!(parts[at], Part::ToolCall(_)) && answered(at);
    // A step ends with its results.
    let has_call = |at: usize| {
        let from = (0..at).rfind(is_result).map_or(0, |result| result + 1);
        (from..parts.len()).take_while(|at| !is_result(at)).any(is_sent_call)
    };
    let keep = |at: usize| match parts[at] {
        Part::ToolCall(_) | Part::ToolResult(_) => answered(at),
        Part::Reasoning { .. } | Part::Provider { .. } => current && has_call(at),
        Part::Citation { .. } => false,
        _ => true,
    };
    (0..parts.len()).filter(|at| keep(*at)).map(|at| parts[at].clone()).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::message::{ToolCall, ToolResult};
    use crate::prompt::Estimate;

    fn call(id: &str) -> Part {
        Part::ToolCall(ToolCall { id: id.into(), name: "time".into(), arguments: json!({}) })
    }

    fn result(id: &str) -> Part {
        Part::ToolResult(ToolResult { id: id.into(), output: json!("now"), is_error: false })
    }

    fn thought(text: &str) -> Part {
        Part::Reasoning { text: text.into() }
    }

    fn reply(seq: Seq, status: Status, parts: impl IntoIterator<Item = Part>) -> Message {
        Message {
            seq,
            parent: seq.checked_sub(2).map(|_| seq - 1),
            turn: None,
            role: Role::Assistant,
            status,
            content: parts.into_iter().collect(),
            model: None,
            finish_reason: None,
            usage: None,
            cost: None,
            error: None,
            created_ms: 0,
        }
    }

    fn user(seq: Seq) -> Message {
        Message { role: Role::User, ..reply(seq, Status::Complete, [Part::text("?")]) }
    }

    /// What the model is sent of the replies, by turn.
    fn replies(branch: &[Message]) -> Vec<Content> {
        let turns = turns(branch, &Estimate::new());
        let said = |turn: Block| turn.messages.into_iter().skip(1).flat_map(|message| message.content).collect();
        turns.into_iter().map(said).collect()
    }

    fn content(parts: impl IntoIterator<Item = Part>) -> Content {
        parts.into_iter().collect()
    }

    #[test]
    fn only_answered_tool_calls_are_sent() {
        // The second "1" is a call of its own that nobody answered, and nobody called "9".
        let parts =
            [thought("hm"), call("1"), result("1"), Part::text("so"), call("2"), call("1"), result("9"), result("2")];
        let expect = content([call("1"), result("1"), Part::text("so"), call("2"), result("2")]);
        assert_eq!(replies(&[user(1), reply(2, Status::Complete, parts), user(3)])[0], expect);
        assert_eq!(replies(&[user(1), reply(2, Status::Paused, [call("1")])]), [Content::default()]);
        // What was done is told, also if nothing could be said about it.
        for status in [Status::Complete, Status::Failed, Status::Cancelled, Status::Interrupted] {
            let tools_only = [call("1"), result("1")];
            assert_eq!(replies(&[user(1), reply(2, status, tools_only.clone())]), [content(tools_only)]);
        }
    }

    #[test]
    fn what_a_paused_reply_asked_for_is_answered_in_the_next_one() {
        let paused = || reply(2, Status::Paused, [Part::text("I look. "), call("1"), call("2"), result("1")]);
        let resumed = |status| reply(3, status, [result("2"), Part::text("Noon.")]);
        let whole =
            content([Part::text("I look. "), call("1"), call("2"), result("1"), result("2"), Part::text("Noon.")]);
        assert_eq!(replies(&[user(1), paused(), resumed(Status::Complete)]), [whole]);
        // Cut off before it had an answer, or left for something else: the call is not told.
        let without = content([Part::text("I look. "), call("1"), result("1")]);
        assert_eq!(replies(&[user(1), paused(), reply(3, Status::Interrupted, [])]), std::slice::from_ref(&without));
        assert_eq!(replies(&[user(1), paused(), user(3), reply(4, Status::Complete, [result("2")])])[0], without);
        assert_eq!(replies(&[user(1), paused(), resumed(Status::Running)]), [without]);
    }

    #[test]
    fn thoughts_go_back_with_the_calls_of_the_current_turn_only() {
        let own = || Part::Provider { provider: "a".into(), value: json!("sig") };
        let said = || {
            let first = [thought("a"), own(), call("1"), result("1"), thought("b"), call("2"), result("2")];
            reply(2, Status::Complete, first.into_iter().chain([thought("c"), Part::text("Noon."), call("3")]))
        };
        let current = [thought("a"), own(), call("1"), result("1"), thought("b"), call("2"), result("2")];
        let current = content(current.into_iter().chain([Part::text("Noon.")]));
        assert_eq!(replies(&[user(1), said()]), [current]);
        let older = content([call("1"), result("1"), call("2"), result("2"), Part::text("Noon.")]);
        assert_eq!(replies(&[user(1), said(), user(3)])[0], older);
    }
}

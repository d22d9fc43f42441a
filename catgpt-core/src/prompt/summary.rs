//! A summary: when a conversation is due for one, of what it is made, and what the answer comes down to. Pure.

use super::answer::{shortened, whole_sentences, without_thoughts};
use super::tokens::TokenCounter;
use super::turns::{sendable, turns};
use super::window::Window;
use crate::id::Seq;
use crate::message::{Message, Role, Status};
use crate::model::{ModelRequest, PromptMessage};

/// What a model is told that is to sum up.
pub(crate) const INSTRUCTION: &str = "You keep the notes of a conversation between a user and an assistant, so that it can \
    go on without its beginning. Write down what both must know from here on: facts about the user, wishes, decisions, \
    names, numbers, what is still open. Keep what the notes so far say, unless it was corrected since. Plain text, in the \
    language of the conversation, at most 200 words. Say the notes and nothing else.";

/// How much of one message is read, in characters.
const MESSAGE: usize = 8_000;

/// How many messages of the branch a summary stands for; `None` if it is of another branch.
pub(crate) fn covered(branch: &[Message], summary: &Message) -> Option<usize> {
    let upto = summary.parent?;
    branch.iter().position(|message| message.seq == upto).map(|at| at + 1)
}

/// How much of a branch stands beyond a message, or in all of it: what a window would have to hold.
fn beyond(branch: &[Message], after: Option<Seq>, counter: &dyn TokenCounter) -> (usize, u64) {
    let turns = turns(since(branch, after), counter);
    turns.iter().fold((0, 0), |(messages, tokens), turn| {
        (messages + turn.messages.len(), u64::saturating_add(tokens, turn.tokens))
    })
}

/// What of a branch comes after a message; all of it if that is not there.
fn since(branch: &[Message], after: Option<Seq>) -> &[Message] {
    let at = after.and_then(|seq| branch.iter().position(|message| message.seq == seq));
    &branch[at.map_or(0, |at| at + 1)..]
}

/// Whether what stands beyond a message has outgrown this share of a window.
pub(crate) fn is_due(branch: &[Message], after: Option<Seq>, share: Window, counter: &dyn TokenCounter) -> bool {
    let (messages, tokens) = beyond(branch, after, counter);
    messages > share.messages || tokens > share.tokens
}

/// The last message that a new summary covers, so that at most `keep` stays beyond it, and at least the newest turn;
/// `None` if there is nothing to cover beyond `after`.
pub(crate) fn upto(
    branch: &[Message],
    after: Option<Seq>,
    mut keep: Window,
    counter: &dyn TokenCounter,
) -> Option<Seq> {
    let turns = turns(since(branch, after), counter);
    let (_, older) = turns.split_last()?;
    keep.take(turns.last()?);
    let stay = older.iter().rev().take_while(|turn| keep.take(turn)).count();
    older[..older.len() - stay].last().map(|turn| turn.last)
}

/// The end of the turn in which a message stands: with it, a summary covers the turn; `None` if it runs, or is not there.
pub(crate) fn end_of_turn(branch: &[Message], seq: Option<Seq>) -> Option<Seq> {
    let ended = branch.iter().rposition(|message| message.status != Status::Running)?;
    let branch = &branch[..=ended];
    let Some(seq) = seq else {
        return branch.iter().rev().find(|message| message.role == Role::Assistant).map(|message| message.seq);
    };
    let at = branch.iter().position(|message| message.seq == seq)?;
    let rest = branch[at + 1..].iter().take_while(|message| message.role != Role::User);
    let end = rest.last().unwrap_or(&branch[at]);
    (end.role != Role::User).then_some(end.seq)
}

/// Asks for a summary of what was said after the former one up to `upto`, of the newest of it that the window holds. `None`
/// if nothing was.
pub(crate) fn request(
    instruction: &str,
    branch: &[Message],
    former: Option<&Message>,
    upto: Seq,
    (window, counter): (Window, &dyn TokenCounter),
) -> Option<ModelRequest> {
    let end = branch.iter().position(|message| message.seq == upto)? + 1;
    let begin = former.and_then(|former| covered(branch, former)).unwrap_or(0);
    let former = former.map(|former| format!("Notes so far:\n{}\n\n", former.text())).unwrap_or_default();
    let mut left = window.tokens.saturating_sub(counter.count(instruction) + counter.count(&former));
    let mut lines: Vec<String> = Vec::new();
    for line in branch.get(begin..end)?.iter().rev().filter_map(said) {
        let Some(rest) = left.checked_sub(counter.count(&line)).or(lines.is_empty().then_some(0)) else { break };
        left = rest;
        lines.push(line);
    }
    lines.reverse();
    let text = format!("{former}Conversation:\n{}\n\nNotes:", lines.join("\n\n"));
    let messages = vec![PromptMessage::new(Role::System, instruction), PromptMessage::new(Role::User, text)];
    (!lines.is_empty()).then(|| ModelRequest { messages, ..ModelRequest::default() })
}

/// A message as a line of a protocol.
fn said(message: &Message) -> Option<String> {
    let who = match message.role {
        Role::User => "User",
        Role::Assistant => "Assistant",
        _ => "Instruction",
    };
    // What tools did is in what was said about it.
    let text = sendable(message, &|_| false, false)?.in_words(|_| false).text();
    let text = text.trim();
    (!text.is_empty()).then(|| format!("{who}: {}", shortened(text, MESSAGE)))
}

/// The summary in an answer, without thoughts, of at most so many tokens; one that was cut off ends with its last whole
/// sentence. `None` if there is none in it.
pub(crate) fn clean(answer: &str, mut cut_off: bool, tokens: u64, counter: &dyn TokenCounter) -> Option<String> {
    let answer = without_thoughts(answer);
    let text = answer.trim();
    let mut text = text.strip_prefix("Notes:").unwrap_or(text).trim_start();
    while counter.count(text) > tokens {
        cut_off = true;
        // A tenth less each time: how many bytes a token has is the counter's to know.
        let less = text.len() - text.len().div_ceil(10);
        let at = (0..=less).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0);
        text = &text[..at];
    }
    let text = if cut_off { whole_sentences(text)? } else { text };
    text.chars().any(char::is_alphanumeric).then(|| text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::prompt::Estimate;

    use Role::{Assistant, Summary, User};
    use Status::{Complete, Running};

    fn message(seq: Seq, parent: Seq, role: Role, status: Status, text: &str) -> Message {
        Message {
            seq,
            parent: Some(parent).filter(|seq| *seq > 0),
            turn: None,
            role,
            status,
            content: text.into(),
            model: None,
            finish_reason: None,
            usage: None,
            cost: None,
            error: None,
            created_ms: 0,
        }
    }

    /// Turns of two messages, `tokens` each, from number 1 on.
    fn talk(turns: u64, tokens: usize) -> Vec<Message> {
        let text = "x".repeat((tokens - 4) * 4);
        let say = |seq| message(seq, seq - 1, if seq % 2 == 1 { User } else { Assistant }, Complete, &text);
        (1..=turns * 2).map(say).collect()
    }

    fn window(messages: usize, tokens: u64) -> Window {
        Window { messages, tokens, ..Window::default() }
    }

    #[test]
    fn it_is_due_when_what_stands_beyond_the_last_one_outgrows_its_share() {
        let (branch, counter) = (talk(5, 100), Estimate::new());
        assert!(is_due(&branch, None, window(50, 999), &counter));
        assert!(!is_due(&branch, None, window(50, 1000), &counter));
        assert!(is_due(&branch, None, window(9, 5000), &counter));
        assert!(!is_due(&branch, Some(2), window(50, 999), &counter));
        assert!(is_due(&branch, Some(77), window(50, 999), &counter), "one of another branch says nothing here");
    }

    #[test]
    fn it_covers_whole_turns_and_never_the_newest() {
        let (branch, counter) = (talk(5, 100), Estimate::new());
        assert_eq!(upto(&branch, None, window(50, 500), &counter), Some(6));
        assert_eq!(upto(&branch, None, window(50, 0), &counter), Some(8));
        assert_eq!(upto(&branch, None, window(5, 5000), &counter), Some(6));
        assert_eq!(upto(&branch, Some(6), window(50, 0), &counter), Some(8));
        assert_eq!(upto(&branch, Some(8), window(50, 0), &counter), None);
        assert_eq!(upto(&branch, None, window(50, 5000), &counter), None);
    }

    #[test]
    fn one_that_is_asked_for_ends_where_a_turn_does() {
        let mut branch = talk(3, 100);
        assert_eq!(end_of_turn(&branch, None), Some(6));
        assert_eq!(end_of_turn(&branch, Some(3)), Some(4));
        assert_eq!(end_of_turn(&branch, Some(4)), Some(4));
        assert_eq!(end_of_turn(&branch, Some(9)), None);
        branch[5].status = Running;
        assert_eq!(end_of_turn(&branch, None), Some(4));
        assert_eq!(end_of_turn(&branch, Some(5)), None);
        branch.insert(4, message(7, 4, Assistant, Complete, "and more"));
        assert_eq!(end_of_turn(&branch, Some(3)), Some(7));
        assert_eq!(end_of_turn(&[], None), None);
    }

    #[test]
    fn it_is_made_of_the_former_one_and_the_newest_that_it_covers() {
        let (branch, counter) = (talk(5, 100), Estimate::new());
        let former = message(20, 2, Summary, Complete, "They met.");
        let ask = |former, upto, tokens| {
            let request = request("short", &branch, former, upto, (window(50, tokens), &counter))?;
            assert_eq!(request.messages[0].content.text(), "short");
            Some(request.messages[1].content.text())
        };
        let text = ask(Some(&former), 8, 5000).unwrap();
        assert!(text.starts_with("Notes so far:\nThey met.\n\nConversation:\nUser: x"), "{text}");
        assert!(text.ends_with("\n\nNotes:"));
        assert_eq!((text.matches("User: ").count(), text.matches("Assistant: ").count()), (3, 3));
        assert_eq!(ask(None, 8, 250).unwrap().matches(": x").count(), 2);
        assert_eq!(ask(None, 8, 10).unwrap().matches(": x").count(), 1);
        assert_eq!(ask(Some(&former), 2, 5000), None);
        assert_eq!(ask(None, 77, 5000), None);
    }

    #[test]
    fn an_answer_is_cleaned_and_bounded() {
        let counter = Estimate::new();
        let clean = |answer: &str, cut_off, tokens| clean(answer, cut_off, tokens, &counter);
        assert_eq!(clean("<think>hm</think>\nNotes: They met.\n", false, 100).as_deref(), Some("They met."));
        assert_eq!(clean("They met. They we", true, 100).as_deref(), Some("They met."));
        assert_eq!(clean("They met in Kyoto. They went to Nara.", false, 6).as_deref(), Some("They met in Kyoto."));
        assert_eq!(clean("猫は京都に行きました。次は奈良です。", false, 9).as_deref(), Some("猫は京都に行きました。"));
        for junk in ["", "<think>They met.", "...", "Notes:"] {
            assert_eq!(clean(junk, false, 100), None, "{junk}");
        }
        assert_eq!(clean("They m", true, 100), None);
    }
}

//! How many tokens a text is: a guess that learns from what providers report.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::error::ErrorKind;
use crate::message::{Content, Part, Usage};
use crate::model::{ModelRequest, ToolSpec};

/// What a model adds around each message, in tokens.
const PER_MESSAGE: u64 = 4;

/// What a picture costs, in tokens, since its bytes say nothing: between the 765 of a square one and the 1 445 of a long
/// one at OpenAI (GPT-4o, high detail: 85, and 170 for each tile of 512 pixels; low detail is 85).
const PER_IMAGE: u64 = 1_000;

/// Counts tokens. One method is required; an exact tokenizer needs no other.
pub trait TokenCounter: fmt::Debug + Send + Sync {
    /// How many tokens `text` is.
    fn count(&self, text: &str) -> u64;

    /// A provider reported that a prompt with `bytes` of text was `tokens`.
    fn observe(&self, _bytes: u64, _tokens: u64) {}
}

/// Guesses by bytes, 4 to a token at first, and moves towards what is observed.
///
/// Bytes and not characters, because scripts with more bytes a character have fewer characters a token.
#[derive(Debug)]
pub struct Estimate {
    /// Thousandths of a byte per token.
    ratio: AtomicU64,
}

impl Estimate {
    const BOUNDS: (u64, u64) = (1_000, 8_000);
    /// Prompts of fewer bytes say more about the provider's wrapping than about the text.
    const LEAST: u64 = 256;

    /// The first guess.
    pub fn new() -> Self {
        Self { ratio: AtomicU64::new(4_000) }
    }

    /// Bytes per token, as far as it has learnt; from 1 to 8.
    #[allow(clippy::cast_precision_loss, reason = "at most 8000")]
    pub fn bytes_per_token(&self) -> f64 {
        self.ratio.load(Ordering::Relaxed) as f64 / 1_000.0
    }
}

impl Default for Estimate {
    fn default() -> Self {
        Self::new()
    }
}

impl TokenCounter for Estimate {
    fn count(&self, text: &str) -> u64 {
        (text.len() as u64).saturating_mul(1_000).div_ceil(self.ratio.load(Ordering::Relaxed))
    }

    fn observe(&self, bytes: u64, tokens: u64) {
        if bytes < Self::LEAST || tokens == 0 {
            return;
        }
        let seen = (bytes.saturating_mul(1_000) / tokens).clamp(Self::BOUNDS.0, Self::BOUNDS.1);
        // One eighth of the way each time. Two at once may lose one of them: it is a guess.
        let old = self.ratio.load(Ordering::Relaxed);
        self.ratio.store((old * 7 + seen) / 8, Ordering::Relaxed);
    }
}

/// How many tokens a message with this content is.
pub(crate) fn content_tokens(content: &Content, counter: &dyn TokenCounter) -> u64 {
    content.parts().iter().map(|part| part_tokens(part, counter)).fold(PER_MESSAGE, u64::saturating_add)
}

/// How many tokens a model wrote that answered this. What it only showed, or what hooks did, is not of its words; without
/// any it wrote nothing.
pub(crate) fn answer_tokens(content: &Content, counter: &dyn TokenCounter) -> u64 {
    let words = content.parts().iter().filter(|part| is_written(part)).map(|part| part_tokens(part, counter));
    words.reduce(u64::saturating_add).map_or(0, |tokens| tokens.saturating_add(PER_MESSAGE))
}

fn part_tokens(part: &Part, counter: &dyn TokenCounter) -> u64 {
    match part {
        Part::Text { text } | Part::Reasoning { text } => counter.count(text),
        Part::ToolCall(call) => counter.count(&call.name).saturating_add(counter.count(&call.arguments.to_string())),
        Part::ToolResult(result) => counter.count(&result.output.to_string()),
        Part::Image(_) => PER_IMAGE,
        Part::Citation { url, .. } => counter.count(url),
        Part::Provider { value, .. } | Part::Unknown(value) => counter.count(&value.to_string()),
    }
}

/// How many tokens a model was sent that wrote this answer in steps, each of which it was sent the question (`first`), and
/// what was there before the step.
pub(crate) fn asked_tokens(first: u64, answer: &Content, counter: &dyn TokenCounter) -> u64 {
    let is_result = |part: &Part| matches!(part, Part::ToolResult(_));
    // An answer that begins with results was not asked for before they were there.
    let mut sum = if answer.parts().first().is_some_and(is_result) { 0 } else { first };
    let (mut before, mut answered) = (first, false);
    for part in answer.parts() {
        if answered && !is_result(part) {
            sum = u64::saturating_add(sum, before);
        }
        answered = is_result(part);
        before = before.saturating_add(part_tokens(part, counter));
    }
    sum
}

fn tool_tokens(tool: &ToolSpec, counter: &dyn TokenCounter) -> u64 {
    let words = [&tool.name, &tool.description, &tool.parameters.to_string()].map(|text| counter.count(text));
    words.into_iter().fold(0, u64::saturating_add)
}

fn is_written(part: &Part) -> bool {
    matches!(part, Part::Text { .. } | Part::Reasoning { .. } | Part::ToolCall(_))
}

/// A request in numbers: all that is left of it once it is sent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Measured {
    /// How many tokens it is: the estimate where a provider reports nothing.
    pub(crate) tokens: u64,
    /// Whether the model began to answer it.
    pub(crate) answered: bool,
    messages: u64,
    /// Bytes of text, if there is nothing but text in it.
    bytes: Option<u64>,
}

impl Measured {
    pub(crate) fn of(request: &ModelRequest, counter: &dyn TokenCounter) -> Self {
        let contents = || request.messages.iter().map(|message| &message.content);
        let plain = contents().flat_map(Content::parts).all(|part| matches!(part, Part::Text { .. }));
        let text_only = plain && request.tools.is_empty();
        let tools = request.tools.iter().map(|tool| tool_tokens(tool, counter));
        let said = contents().map(|content| content_tokens(content, counter));
        Self {
            tokens: said.chain(tools).fold(0, u64::saturating_add),
            answered: false,
            messages: request.messages.len() as u64,
            bytes: text_only.then(|| contents().map(Content::len).sum()),
        }
    }

    /// What a turn with this answer used: what the provider reported, which also teaches the counter; else an estimate. A
    /// turn that failed before the model took it used nothing. Of earlier tries nothing is known.
    pub(crate) fn usage(
        &self,
        reported: Option<Usage>,
        answer: &Content,
        failure: Option<ErrorKind>,
        counter: &dyn TokenCounter,
    ) -> Usage {
        if let Some(usage) = reported {
            self.learn(&usage, counter);
            return usage;
        }
        if *self == Self::default() || (!self.answered && failure.is_some_and(not_taken)) {
            return Usage::default();
        }
        // Words that a hook kept back were written, too.
        let least = if self.answered { PER_MESSAGE } else { 0 };
        let output_tokens = answer_tokens(answer, counter).max(least);
        Usage { input_tokens: self.tokens, output_tokens, estimated: true, ..Usage::default() }
    }

    /// Tells the counter what the provider reported, if that says something about text.
    pub(crate) fn learn(&self, reported: &Usage, counter: &dyn TokenCounter) {
        if let Some(bytes) = self.bytes.filter(|_| !reported.estimated) {
            counter.observe(bytes, reported.input_tokens.saturating_sub(PER_MESSAGE.saturating_mul(self.messages)));
        }
    }
}

/// Whether a model that answers so, and says nothing else, did no work that is billed.
fn not_taken(failure: ErrorKind) -> bool {
    use ErrorKind::{
        ContextTooLong, InvalidInput, NotFound, RateLimited, Refused, Unauthorized, Unavailable, Unsupported,
    };
    matches!(
        failure,
        ContextTooLong | InvalidInput | NotFound | RateLimited | Refused | Unauthorized | Unavailable | Unsupported
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::Role;
    use crate::model::PromptMessage;

    fn near(a: f64, b: f64) -> bool {
        (a - b).abs() < 0.05
    }

    #[test]
    fn the_first_guess_is_four_bytes_a_token_in_every_script() {
        let guess = Estimate::new();
        assert_eq!(guess.count(""), 0);
        assert_eq!(guess.count("a"), 1);
        assert_eq!(guess.count("Where is my fish, and why not?  "), 8);
        assert_eq!(guess.count("猫はどこにいますか。魚"), 9);
    }

    #[test]
    fn it_moves_towards_what_is_observed_and_stays_sane() {
        let guess = Estimate::new();
        guess.observe(3_000, 1_000);
        assert!(near(guess.bytes_per_token(), 3.875));
        for _ in 0..100 {
            guess.observe(3_000, 1_000);
        }
        assert!(near(guess.bytes_per_token(), 3.0));
        for (bytes, tokens, bound) in [(1_000, u64::MAX, 1.0), (u64::MAX, 1, 8.0)] {
            for _ in 0..100 {
                guess.observe(bytes, tokens);
            }
            assert!(near(guess.bytes_per_token(), bound));
        }
    }

    #[test]
    fn each_step_is_sent_the_question_and_the_steps_before_it() {
        let guess = Estimate::new();
        let part = |bytes| Part::text("x".repeat(bytes));
        let result = || {
            let output = "x".repeat(38).into();
            Part::ToolResult(crate::message::ToolResult { id: "1".into(), output, is_error: false })
        };
        let asked = |parts: Vec<Part>| asked_tokens(100, &parts.into_iter().collect(), &guess);
        assert_eq!(asked(vec![]), 100);
        assert_eq!(asked(vec![part(40), result()]), 100);
        assert_eq!(asked(vec![part(40), result(), result(), part(40)]), 100 + 130);
        assert_eq!(asked(vec![part(40), result(), part(40), result(), part(4)]), 100 + 120 + 140);
        assert_eq!((asked(vec![result()]), asked(vec![result(), part(40)])), (0, 110));
    }

    #[test]
    fn tools_are_a_part_of_a_request_and_teach_nothing() {
        let guess = Estimate::new();
        let mut request = ModelRequest::default();
        request.messages.push(PromptMessage::new(Role::User, "x".repeat(1_000)));
        let plain = Measured::of(&request, &guess).tokens;
        let parameters = serde_json::json!({ "type": "object" });
        request.tools = [ToolSpec { name: "four".into(), description: "x".repeat(40), parameters }].into();
        let measured = Measured::of(&request, &guess);
        assert_eq!(measured.tokens, plain + 1 + 10 + 5);
        measured.learn(&Usage { input_tokens: 504, ..Usage::default() }, &guess);
        assert!(near(guess.bytes_per_token(), 4.0));
    }

    #[test]
    fn what_says_nothing_teaches_nothing() {
        let guess = Estimate::new();
        guess.observe(0, 10);
        guess.observe(1_000, 0);
        let mut request = ModelRequest::default();
        request.messages.push(PromptMessage::new(Role::User, "x".repeat(1_000)));
        let usage = Usage { input_tokens: 504, ..Usage::default() };
        Measured::of(&request, &guess).learn(&Usage { estimated: true, ..usage }, &guess);
        request.messages[0].content.push(Part::Image("data:".into()));
        Measured::of(&request, &guess).learn(&usage, &guess);
        assert!(near(guess.bytes_per_token(), 4.0));
        request.messages[0] = PromptMessage::new(Role::User, "x".repeat(1_000));
        Measured::of(&request, &guess).learn(&usage, &guess);
        assert!(near(guess.bytes_per_token(), 3.75));
    }

    #[test]
    fn a_request_is_the_sum_of_its_messages() {
        let guess = Estimate::new();
        let messages = vec![PromptMessage::new(Role::System, "12345678"), PromptMessage::new(Role::User, "1234")];
        let mut request = ModelRequest { messages, ..ModelRequest::default() };
        assert_eq!(Measured::of(&request, &guess).tokens, 4 + 2 + 4 + 1);
        request.messages[1].content.push(Part::Image("x".repeat(1 << 20).into()));
        assert_eq!(Measured::of(&request, &guess).tokens, 4 + 2 + 4 + 1 + 1_000);
    }

    #[test]
    fn every_end_of_a_turn_has_a_usage() {
        let guess = Estimate::new();
        let request =
            ModelRequest { messages: vec![PromptMessage::new(Role::User, "1234")], ..ModelRequest::default() };
        let (asked, nothing) = (Measured::of(&request, &guess), Content::default());
        let used = |reported, answer: &Content, failure| {
            let said = answer.parts().iter().any(is_written);
            Measured { answered: said, ..asked }.usage(reported, answer, failure, &guess)
        };
        let numbers = |usage: Usage| (usage.input_tokens, usage.output_tokens, usage.estimated);

        let reported = Usage { input_tokens: 7, output_tokens: 2, ..Usage::default() };
        assert_eq!(used(Some(reported), &"12345678".into(), Some(ErrorKind::Truncated)), reported);
        assert_eq!(numbers(used(None, &"12345678".into(), None)), (5, 6, true), "stopped, cut off, or silent about it");
        assert_eq!(numbers(used(None, &"12345678".into(), Some(ErrorKind::Unavailable))), (5, 6, true));
        assert_eq!(numbers(used(None, &nothing, None)), (5, 0, true), "stopped before the first word");
        assert_eq!(numbers(used(None, &nothing, Some(ErrorKind::Timeout))), (5, 0, true));
        assert_eq!(numbers(used(None, &nothing, Some(ErrorKind::Unauthorized))), (0, 0, false));
        let cited: Content = [Part::Citation { url: "file:a.md".into(), title: None }].into_iter().collect();
        assert_eq!(
            numbers(used(None, &cited, Some(ErrorKind::Unauthorized))),
            (0, 0, false),
            "a hook's are not its words"
        );
        let kept_back = Measured { answered: true, ..asked }.usage(None, &nothing, Some(ErrorKind::Refused), &guess);
        assert_eq!(numbers(kept_back), (5, 4, true), "a hook let nothing of it through");
        let unasked = Measured::default().usage(None, &cited, Some(ErrorKind::Unexpected), &guess);
        assert_eq!(numbers(unasked), (0, 0, false), "it was never asked");
    }
}

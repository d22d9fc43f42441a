//! How many tokens a text is: a guess that learns from what providers report.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::message::{Content, Part, Usage};
use crate::model::ModelRequest;

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
    let parts = content.parts().iter().map(|part| match part {
        Part::Text { text } | Part::Reasoning { text } => counter.count(text),
        Part::ToolCall(call) => counter.count(&call.name).saturating_add(counter.count(&call.arguments.to_string())),
        Part::ToolResult(result) => counter.count(&result.output.to_string()),
        Part::Image(_) => PER_IMAGE,
        // No model says one or is sent one.
        Part::Citation { .. } => 0,
        Part::Unknown(value) => counter.count(&value.to_string()),
    });
    parts.fold(PER_MESSAGE, u64::saturating_add)
}

/// A request in numbers: all that is left of it once it is sent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Measured {
    /// How many tokens it is: the estimate where a provider reports nothing.
    pub(crate) tokens: u64,
    messages: u64,
    /// Bytes of text, if there is nothing but text in it.
    bytes: Option<u64>,
}

impl Measured {
    pub(crate) fn of(request: &ModelRequest, counter: &dyn TokenCounter) -> Self {
        let contents = || request.messages.iter().map(|message| &message.content);
        let text_only = contents().flat_map(Content::parts).all(|part| matches!(part, Part::Text { .. }));
        Self {
            tokens: contents().map(|content| content_tokens(content, counter)).fold(0, u64::saturating_add),
            messages: request.messages.len() as u64,
            bytes: text_only.then(|| contents().map(Content::len).sum()),
        }
    }

    /// Tells the counter what the provider reported, if that says something about text.
    pub(crate) fn learn(&self, reported: &Usage, counter: &dyn TokenCounter) {
        if let Some(bytes) = self.bytes.filter(|_| !reported.estimated) {
            counter.observe(bytes, reported.input_tokens.saturating_sub(PER_MESSAGE.saturating_mul(self.messages)));
        }
    }
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
}

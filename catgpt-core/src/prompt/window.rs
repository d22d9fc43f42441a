//! How much of a branch goes to the model, and where it is cut. Pure.
//!
//! Providers keep what a prompt begins with, and ask less for it the next time. A window that slides with each turn begins
//! anew with each turn, so the cut stays where it is for many turns. No state says where: of the turns at which a cut would
//! leave enough, it is made at the one whose number is the roundest, which is the same one until it is too far back.

use super::turns::Block;
use crate::id::Seq;

/// How much of the active branch is sent: a view, never a deletion. System prompt, examples, greeting come on top.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Window {
    /// Messages at most.
    pub messages: usize,
    /// Tokens at most, as far as they can be counted.
    pub tokens: u64,
    /// How much of it stays filled when older turns are let go of, in percent. They go in chunks, so that a prompt begins
    /// as the one before it did and the provider's cache of prompts serves it: the less stays, the rarer they go. 100 lets
    /// go of no more than it must, with each turn.
    pub keep: u8,
}

impl Default for Window {
    /// 50 messages, 16 000 tokens, of which at least 60 percent stay.
    fn default() -> Self {
        Self { messages: 50, tokens: 16_000, keep: 60 }
    }
}

impl Window {
    /// So many percent of it.
    pub(crate) fn share(self, percent: u8) -> Self {
        let percent = u64::from(percent.min(100));
        let messages = (self.messages as u64).saturating_mul(percent) / 100;
        Self {
            messages: usize::try_from(messages).unwrap_or(usize::MAX),
            tokens: self.tokens.saturating_mul(percent) / 100,
            ..self
        }
    }

    /// Makes it smaller by a block, if that fits.
    pub(super) fn take(&mut self, block: &Block) -> bool {
        match (self.messages.checked_sub(block.messages.len()), self.tokens.checked_sub(block.tokens)) {
            (Some(messages), Some(tokens)) => {
                *self = Self { messages, tokens, ..*self };
                true
            }
            _ => false,
        }
    }

    /// The first of the newest turns that go. `whole`: nothing was said between the first turn and what is sent before it.
    pub(super) fn cut(self, turns: &[Block], whole: bool) -> usize {
        let (mut left, mut first, mut roundest) = (self, turns.len(), None::<(u32, usize)>);
        let enough = self.share(self.keep);
        while let Some(turn) = first.checked_sub(1).map(|at| &turns[at])
            && left.take(turn)
        {
            first -= 1;
            let filled = self.messages - left.messages >= enough.messages || self.tokens - left.tokens >= enough.tokens;
            // The newest turn alone is a window only if nothing else fits.
            let alone = first + 1 == turns.len();
            if filled && !alone && roundest.is_none_or(|(most, _)| turn.round >= most) {
                roundest = Some((turn.round, first));
            }
        }
        if first == 0 && whole { 0 } else { roundest.map_or(first, |(_, at)| at) }
    }
}

/// How round the numbers are that a turn is the first to reach: the most zero bits at the end of any of those after
/// `before` up to `seq`. Of 2^n turns in a row, about one is n round.
pub(super) fn roundness(before: Seq, seq: Seq) -> u32 {
    (before ^ seq).checked_ilog2().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::message::{Message, Role, Status};
    use crate::model::ModelRequest;
    use crate::persona::Persona;
    use crate::prompt::{Estimate, Prompt, TokenCounter, content_tokens};

    fn message(seq: Seq, tokens: usize) -> Message {
        Message {
            seq,
            parent: (seq > 1).then(|| seq - 1),
            turn: None,
            role: if seq % 2 == 1 { Role::User } else { Role::Assistant },
            status: Status::Complete,
            content: format!("{seq:08}{}", "x".repeat((tokens * 4).saturating_sub(24))).into(),
            model: None,
            finish_reason: None,
            usage: None,
            cost: None,
            error: None,
            created_ms: 0,
        }
    }

    /// The prompts of a conversation that grows by one turn each time, of messages of these sizes, as a store reads it.
    fn prompts(sizes: &[usize], window: Window, read: usize) -> Vec<ModelRequest> {
        let (persona, counter) = (Persona::plain(), Estimate::new());
        let talk: Vec<_> = (1..).zip(sizes).map(|(seq, tokens)| message(seq, *tokens)).collect();
        let prompt = |end: usize| {
            let branch = &talk[end.saturating_sub(read)..end];
            Prompt {
                persona: &persona,
                system: "You are a cat.",
                context: &[],
                branch,
                summary: None,
                window,
                counter: &counter,
            }
        };
        (1..=talk.len()).step_by(2).map(|end| prompt(end).build()).collect()
    }

    fn begins(prompt: &ModelRequest) -> Seq {
        prompt.messages[1].content.text()[..8].parse().unwrap()
    }

    /// How often the prompts after the system prompt begin otherwise than those before them.
    fn changes(prompts: &[ModelRequest]) -> usize {
        prompts.windows(2).filter(|two| begins(&two[0]) != begins(&two[1])).count()
    }

    fn tokens(prompt: &ModelRequest) -> u64 {
        prompt.messages[1..].iter().map(|message| content_tokens(&message.content, &Estimate::new())).sum()
    }

    /// The share of all tokens that a cache of the prompt before would have served.
    fn served(prompts: &[ModelRequest]) -> f64 {
        let counter = Estimate::new();
        let (mut same, mut all) = (0, 0);
        for two in prompts.windows(2) {
            let cost = |prompt: &ModelRequest| -> u64 {
                prompt.messages.iter().map(|message| content_tokens(&message.content, &counter)).sum()
            };
            let shared = two[0].messages.iter().zip(&two[1].messages).take_while(|(a, b)| a == b);
            same += shared.map(|(a, _)| content_tokens(&a.content, &counter)).sum::<u64>();
            all += cost(&two[1]);
        }
        same as f64 / all as f64
    }

    #[test]
    fn a_prompt_begins_as_the_one_before_it_did_for_many_turns() {
        // 500 turns of 40 tokens and 300; a window of 16 000 tokens is 47 turns, of which 40 percent are 18.
        let sizes: Vec<_> = (0..1000).map(|at| if at % 2 == 0 { 40 } else { 300 }).collect();
        let wide = Window { messages: 500, ..Window::default() };
        let (slides, steps) = (prompts(&sizes, Window { keep: 100, ..wide }, 500), prompts(&sizes, wide, 500));
        assert!(changes(&slides) > 450, "{}", changes(&slides));
        assert!(changes(&steps) <= 500 / 16 + 1, "{}", changes(&steps));
        assert!(served(&slides) < 0.12, "{}", served(&slides));
        assert!(served(&steps) > 0.9, "{}", served(&steps));
        // 50 messages are 25 turns, of which 40 percent are 10.
        let steps = prompts(&sizes, Window::default(), 50);
        assert!(changes(&steps) <= 500 / 8 + 1, "{}", changes(&steps));
        assert!(served(&steps) > 0.8, "{}", served(&steps));
    }

    #[test]
    fn what_is_left_is_as_much_as_was_said() {
        for keep in [0, 25, 60, 90] {
            let window = Window { messages: 40, tokens: 4_000, keep };
            for prompt in &prompts(&[100; 400], window, 40)[30..] {
                let filled = tokens(prompt) * 100 / window.tokens;
                assert!(filled >= u64::from(keep) && filled <= 100, "{filled} for {keep}");
            }
        }
    }

    #[test]
    fn numbers_are_as_round_as_the_roundest_that_they_pass() {
        let linear: Vec<_> = (1..9).map(|turn| roundness(turn * 2 - 1, turn * 2 + 1)).collect();
        assert_eq!(linear, [1, 2, 1, 3, 1, 2, 1, 4]);
        assert_eq!((roundness(5, 11), roundness(8, 9), roundness(3, 3)), (3, 0, 0));
    }

    proptest! {
        #[test]
        fn it_begins_anew_at_most_once_in_many_turns(
            sizes in prop::collection::vec(50usize..150, 100..300),
            keep in 0u8..=80,
            tokens in 2_000u64..10_000,
        ) {
            let window = Window { messages: 10_000, tokens, keep };
            let prompts = prompts(&sizes, window, 10_000);
            // The part of the window in which a cut may be made holds so many turns at least.
            let room = tokens * (100 - u64::from(keep)) / 100 / 300;
            let every = 1 << room.saturating_sub(1).max(1).ilog2();
            let most = prompts.len() / every + 2;
            prop_assert!(changes(&prompts) <= most, "{} of {} in {}", changes(&prompts), most, prompts.len());
            for (at, prompt) in prompts.iter().enumerate() {
                prop_assert!(super::tests::tokens(prompt) <= tokens);
                let newest = prompt.messages.last().unwrap().content.text();
                prop_assert_eq!(newest[..8].parse::<usize>().unwrap(), at * 2 + 1);
            }
        }
    }

    #[test]
    fn a_counter_may_change_its_mind() {
        // What fits shrinks as the counter learns; the bound holds by what it says now.
        let counter = Estimate::new();
        let talk: Vec<_> = (1..400).map(|seq| message(seq, 100)).collect();
        let (persona, window) = (Persona::plain(), Window { messages: 400, tokens: 4_000, keep: 50 });
        for end in (1..talk.len()).step_by(2) {
            let branch = &talk[..end];
            let prompt = Prompt {
                persona: &persona,
                system: "",
                context: &[],
                branch,
                summary: None,
                window,
                counter: &counter,
            }
            .build();
            let cost: u64 = prompt.messages[1..].iter().map(|message| content_tokens(&message.content, &counter)).sum();
            assert!(cost <= window.tokens);
            counter.observe(3_000, 1_000);
        }
    }
}

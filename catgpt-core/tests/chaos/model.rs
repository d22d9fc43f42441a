//! A model whose answer is a function of the question, so that whoever knows the one can check the other.

use std::fmt::Write;
use std::time::Duration;

use catgpt_core::{ChatModel, Error, ErrorKind, FinishReason, ModelEvent, ModelRequest, Result, TurnId};
use fastrand::Rng;
use futures_util::stream::BoxStream;

/// How an answer ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Close {
    Finish,
    /// Without a word.
    Cut,
    /// With an error.
    Fail,
}

/// All that will be said to a question: each piece after a pause.
pub struct Speech {
    pub pieces: Vec<(Duration, String)>,
    pub close: Close,
}

impl Speech {
    /// What this question is answered.
    pub fn to(question: &str) -> Self {
        // FNV-1a: the same in every process.
        let seed = question
            .bytes()
            .fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3));
        let mut rng = Rng::with_seed(seed);
        let (pieces, pause) = match rng.u8(..10) {
            // More than a checkpoint holds, as fast as it goes.
            0 => (300..600, 0..2),
            // Longer than a lease.
            1..=2 => (10..30, 200..500),
            3..=5 => (1..6, 0..5),
            _ => (20..80, 5..60),
        };
        let count = rng.u32(pieces);
        let pieces = (0..count).map(|n| {
            let mut text = format!("{n}");
            (0..rng.u8(1..6))
                .for_each(|_| write!(text, " {}", rng.choice(["mew", "miau", "мяу", "喵", "🐈"]).unwrap()).unwrap());
            (Duration::from_millis(rng.u64(pause.clone())), text + ". ")
        });
        let pieces = pieces.collect();
        let close = match rng.u8(..20) {
            0 => Close::Cut,
            1 => Close::Fail,
            _ => Close::Finish,
        };
        Self { pieces, close }
    }

    pub fn text(&self) -> String {
        self.pieces.iter().map(|(_, text)| text.as_str()).collect()
    }
}

/// Says its speech, and tells of every turn that it is asked for.
#[derive(Clone, Copy, Debug)]
pub struct Speaker {
    pub tell: fn(TurnId),
}

impl ChatModel for Speaker {
    fn stream(&self, request: ModelRequest) -> BoxStream<'static, Result<ModelEvent>> {
        let question = request.messages.last().map(|message| message.content.text()).unwrap_or_default();
        let (speech, turn, tell) = (Speech::to(&question), request.turn, self.tell);
        Box::pin(async_stream::stream! {
            if let Some(turn) = turn {
                tell(turn);
            }
            for (pause, text) in speech.pieces {
                if !pause.is_zero() {
                    tokio::time::sleep(pause).await;
                }
                yield Ok(ModelEvent::Text(text));
            }
            match speech.close {
                Close::Finish => yield Ok(ModelEvent::Finish(FinishReason::Stop)),
                Close::Fail => yield Err(Error::new(ErrorKind::Unavailable, "the model failed, as it was to")),
                Close::Cut => {}
            }
        })
    }
}

//! What a server does with one request, and what should come of it.

use std::time::Duration;

use serde::Serialize;
use serde_json::Value;

use super::{Dialect, Fault, frames, refusal};
use crate::error::ErrorKind;

/// What the server answers to one request.
#[derive(Clone, Debug, PartialEq)]
pub struct Script {
    pub(super) chunks: Chunks,
    pub(super) fault: Option<Fault>,
    pub(super) at: Option<usize>,
    pub(super) delay: Duration,
    pub(super) events_per_chunk: usize,
    pub(super) chunks_per_write: usize,
    pub(super) bytes_per_write: Option<usize>,
    pub(super) stamps: bool,
    pub(super) times: Option<u32>,
    pub(super) retry_after: u32,
    pub(super) thought: Option<String>,
    pub(super) calls: Vec<(String, Value)>,
}

#[derive(Clone, Debug, PartialEq)]
pub(super) enum Chunks {
    Given(Vec<String>),
    /// So many of [`TOKENS`], round and round.
    Tokens(usize),
}

/// About four letters each; some need escapes or are not ASCII.
pub(super) const TOKENS: [&str; 16] = [
    " the", " qui", "ck b", "rown", " fox", " ju", "mps", " over", ".\n", " \"la", "zy", " dög", " and", " then",
    " 漢字", " 42",
];

/// What a right client makes of a script.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// The text that is seen; with [`Fault::Reset`] perhaps only its beginning.
    pub text: String,
    /// The ending.
    pub end: End,
}

/// How an answer ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum End {
    /// The model said why it stopped.
    Finished(&'static str),
    /// It ended before that: by itself, or with an error of the kind `truncated`.
    Cut,
    /// An error.
    Error(ErrorKind),
}

impl Default for Script {
    fn default() -> Self {
        Script::text(["Hello ", "wörld 🙂"])
    }
}

impl From<Fault> for Script {
    fn from(fault: Fault) -> Self {
        Script::default().fault(fault)
    }
}

impl From<&str> for Script {
    fn from(text: &str) -> Self {
        Script::text([text])
    }
}

impl Script {
    /// An answer of these chunks.
    pub fn text<T: Into<String>>(chunks: impl IntoIterator<Item = T>) -> Self {
        Self {
            chunks: Chunks::Given(chunks.into_iter().map(Into::into).collect()),
            fault: None,
            at: None,
            delay: Duration::ZERO,
            events_per_chunk: 1,
            chunks_per_write: 1,
            bytes_per_write: None,
            stamps: false,
            times: None,
            retry_after: 1,
            thought: None,
            calls: Vec::new(),
        }
    }

    /// With this fault.
    #[must_use]
    pub fn fault(mut self, fault: Fault) -> Self {
        self.fault = Some(fault);
        self
    }

    /// Thinks this before the text.
    #[must_use]
    pub fn thinks(mut self, thought: impl Into<String>) -> Self {
        self.thought = Some(thought.into());
        self
    }

    /// Asks for this tool after the text.
    #[must_use]
    pub fn calls(mut self, name: impl Into<String>, arguments: Value) -> Self {
        self.calls.push((name.into(), arguments));
        self
    }

    /// The fault happens before this chunk; in the middle if nothing is said.
    #[must_use]
    pub fn at(mut self, chunk: usize) -> Self {
        self.at = Some(chunk);
        self
    }

    /// Waits so long before each chunk.
    #[must_use]
    pub fn delay(mut self, delay: Duration) -> Self {
        self.delay = delay;
        self
    }

    /// Writes at most so many bytes at once, each as its own HTTP chunk.
    #[must_use]
    pub fn bytes_per_write(mut self, bytes: usize) -> Self {
        self.bytes_per_write = Some(bytes.max(1));
        self
    }

    /// Reads the knobs that follow the first comma (or stand alone), as `n=100,d=20,f=cut,k=5`:
    /// `n` content chunks · `d` milliseconds before each · `f` a fault's name · `k` before which chunk it happens ·
    /// `r` how many requests of this model name fail (all) · `ra` seconds of `Retry-After` (1) · `e` events in an HTTP
    /// chunk (1) · `w` HTTP chunks in a write (1) · `b` bytes in a write and HTTP chunk (all) ·
    /// `t` a tool that is called with `{}` after the text ·
    /// `ts=1` the content is the time of the write, in µs since 1970.
    pub fn parse(knobs: &str) -> Self {
        let mut script = Script::default();
        for (knob, value) in knobs.split(',').filter_map(|pair| pair.trim().split_once('=')) {
            let number = value.parse::<usize>().ok();
            let small = value.parse::<u32>().ok();
            match knob {
                "f" => script.fault = Fault::named(value),
                "n" => script.chunks = Chunks::Tokens(number.unwrap_or(100)),
                "d" => script.delay = Duration::from_millis(number.unwrap_or(0) as u64),
                "k" => script.at = number,
                "r" => script.times = small,
                "ra" => script.retry_after = small.unwrap_or(1),
                "e" => script.events_per_chunk = number.unwrap_or(1).max(1),
                "w" => script.chunks_per_write = number.unwrap_or(1).clamp(1, 64),
                "b" => script.bytes_per_write = number.map(|bytes| bytes.max(1)),
                "t" => script.calls.push((value.to_owned(), Value::Object(serde_json::Map::new()))),
                "ts" => script.stamps = value == "1",
                _ => {}
            }
        }
        script
    }

    /// How many chunks of content there are.
    pub fn chunks(&self) -> usize {
        match &self.chunks {
            Chunks::Given(chunks) => chunks.len(),
            Chunks::Tokens(count) => *count,
        }
    }

    pub(super) fn chunk(&self, n: usize) -> &str {
        match &self.chunks {
            Chunks::Given(chunks) => &chunks[n],
            Chunks::Tokens(_) => TOKENS[n % TOKENS.len()],
        }
    }

    /// Before which chunk the fault happens.
    pub(super) fn place(&self) -> usize {
        self.at.unwrap_or(self.chunks() / 2).min(self.chunks())
    }

    /// The bytes of the answer's body, as far as it goes; `None` if the answer is a refusal.
    pub fn body(&self, dialect: Dialect) -> Option<Vec<u8>> {
        match refusal::response(self, dialect) {
            Some(response) if response.starts_with(b"HTTP/1.1 200") => {
                let head = response.windows(4).position(|window| window == b"\r\n\r\n")?;
                Some(response[head + 4..].to_vec())
            }
            Some(_) => None,
            None => Some(frames::faulty(self, dialect, true).0.concat()),
        }
    }

    /// What a right client makes of it, in every protocol.
    pub fn outcome(&self) -> Outcome {
        use Fault as F;
        let until = |count| (0..count).map(|n| self.chunk(n)).collect::<String>();
        let (all, some) = (self.chunks(), self.place());
        let (count, end) = match self.fault {
            Some(F::RateLimit | F::RateLimitMs | F::RateLimitDate | F::Quota) => {
                (0, End::Error(ErrorKind::RateLimited))
            }
            Some(F::BadKey) => (0, End::Error(ErrorKind::Unauthorized)),
            Some(F::NoModel) => (0, End::Error(ErrorKind::NotFound)),
            Some(F::ServerError | F::Overloaded | F::ErrorBody | F::Page) => (0, End::Error(ErrorKind::Unavailable)),
            Some(F::Context | F::ContextPhrase) => (0, End::Error(ErrorKind::ContextTooLong)),
            Some(F::Filter | F::NoImages) => (0, End::Error(ErrorKind::Refused)),
            Some(F::BadRequest) => (0, End::Error(ErrorKind::InvalidInput)),
            Some(F::Cut | F::CutFrame | F::Reset | F::NoFinish | F::DoneOnly) => (some, End::Cut),
            Some(F::Silence) => (some, End::Error(ErrorKind::Timeout)),
            Some(F::BadJson | F::ErrorFrame | F::Huge) => (some, End::Error(ErrorKind::Unavailable)),
            Some(F::ErrorNumber) => (some, End::Error(ErrorKind::RateLimited)),
            Some(F::UnknownFinish) => (all, End::Finished("eos")),
            _ if !self.calls.is_empty() => (all, End::Finished("tool_calls")),
            _ => (all, End::Finished("stop")),
        };
        let mut text = until(count);
        if self.fault == Some(F::BadText) {
            text.insert(until(some).len(), '\u{fffd}');
        }
        Outcome { text, end }
    }
}

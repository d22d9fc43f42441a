//! From one frame's bytes to what the model said: what the protocols share.
//!
//! A decoder reads only what it uses and forgives what it can; how JSON is read in spite of its faults stands in [`json`],
//! how a tool call grows whole in [`call`].

pub(crate) mod call;
pub(crate) mod json;

use std::collections::VecDeque;
use std::fmt;

use serde_json::Value;

use super::ModelEvent;
use super::sse::MAX_EVENT;
use crate::error::{Error, ErrorKind, Result};

/// Whether more may come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// Go on.
    More,
    /// The model said that this was all.
    Done,
}

/// What a decoder fills; neighbouring texts in it become one.
pub(crate) type Queue = VecDeque<ModelEvent>;

/// Reads the frames of one answer in one protocol.
pub(crate) trait Decode: fmt::Debug + Send {
    /// The most bytes of one frame.
    fn max_frame(&self) -> usize {
        MAX_EVENT
    }

    /// Reads a frame.
    fn frame(&mut self, data: &[u8], out: &mut Queue) -> Result<Step>;

    /// Reads an answer that came as one JSON document.
    fn whole(&mut self, body: &[u8], out: &mut Queue) -> Result<()>;

    /// Whether the model has said why it stopped.
    fn finished(&self) -> bool;

    /// The end: what was held back, and the reason, if the model gave one.
    fn end(&mut self, out: &mut Queue);
}

/// Adds text.
pub(crate) fn push_text(more: &str, out: &mut Queue) {
    match out.back_mut() {
        _ if more.is_empty() => {}
        Some(ModelEvent::Text(text)) => text.push_str(more),
        _ => out.push_back(ModelEvent::Text(more.to_owned())),
    }
}

/// Adds to what the model thinks.
pub(crate) fn push_reasoning(more: &str, out: &mut Queue) {
    match out.back_mut() {
        _ if more.is_empty() => {}
        Some(ModelEvent::Reasoning(text)) => text.push_str(more),
        _ => out.push_back(ModelEvent::Reasoning(more.to_owned())),
    }
}

/// A frame that is JSON or one of the two that say nothing.
#[derive(Debug)]
pub(crate) enum Frame {
    /// Nothing stands in it.
    Empty,
    /// `[DONE]`.
    Done,
    /// JSON.
    Event(Value),
}

/// Takes a frame apart.
pub(crate) fn frame(data: &[u8]) -> Result<Frame> {
    match data.trim_ascii() {
        b"" => Ok(Frame::Empty),
        b"[DONE]" => Ok(Frame::Done),
        data => json::parse(data).map(Frame::Event).ok_or_else(|| not_json(data.len())),
    }
}

pub(crate) fn not_json(bytes: usize) -> Error {
    Error::new(ErrorKind::Unavailable, "the model sent a frame that is not JSON").with("bytes", bytes)
}

/// What came as one document is something else.
pub(crate) fn not_an_answer() -> Error {
    Error::new(ErrorKind::Unavailable, "the model answered with something that is not an answer")
}

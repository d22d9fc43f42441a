//! From one frame's bytes to what the model said.
//!
//! It reads only what it uses and forgives what it can: first as a borrowed [`Frame`], and if that fails through
//! [`lenient`], which knows what compatible servers get wrong.

mod frame;
mod lenient;
mod tools;

use std::collections::VecDeque;

use self::frame::{Delta, Frame};
use self::tools::Calls;
use super::ModelEvent;
use super::failure::{self, Reveal};
use crate::error::{Error, ErrorKind, Result};
use crate::message::{FinishReason, Usage};

/// Whether more may come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// Go on.
    More,
    /// The model said that this was all.
    Done,
}

/// Reads the frames of one answer. What comes of them is added to a queue; neighbouring texts there become one.
#[derive(Debug, Default)]
pub(crate) struct Decoder {
    calls: Calls,
    /// Held back to the end: some servers go on after it, and tool calls come before it.
    finish: Option<FinishReason>,
    usage: Option<Usage>,
    frames: u64,
    reveal: Reveal,
}

/// What a decoder fills.
pub(crate) type Queue = VecDeque<ModelEvent>;

impl Decoder {
    /// A decoder whose errors say as much as `reveal` allows.
    pub(crate) fn new(reveal: Reveal) -> Self {
        Self { reveal, ..Self::default() }
    }

    /// How many frames came.
    pub(crate) fn frames(&self) -> u64 {
        self.frames
    }

    /// Whether the model has said why it stopped.
    pub(crate) fn finished(&self) -> bool {
        self.finish.is_some()
    }

    /// Reads a frame.
    pub(crate) fn frame(&mut self, data: &[u8], out: &mut Queue) -> Result<Step> {
        let data = data.trim_ascii();
        self.frames += 1;
        match data {
            b"" => return Ok(Step::More),
            b"[DONE]" => return Ok(Step::Done),
            _ => {}
        }
        // Checked as UTF-8 once and not string by string, which is most of what checking costs.
        if let Ok(text) = std::str::from_utf8(data)
            && let Ok(frame) = serde_json::from_str::<Frame>(text)
            && frame.error.is_none()
            && frame.object != "error"
        {
            return self.apply(frame, out);
        }
        match lenient::parse(data) {
            Some(value) => self.apply(lenient::frame(&value, "delta"), out),
            None => Err(not_json(data.len())),
        }
    }

    /// Reads a frame whose end never came: whole, it counts; cut, it is part of the truncation, not an error.
    pub(crate) fn last(&mut self, data: &[u8], out: &mut Queue) -> Result<()> {
        let data = data.trim_ascii();
        if data == b"[DONE]" || lenient::parse(data).is_some() {
            self.frame(data, out)?;
        }
        Ok(())
    }

    /// Reads an answer that came as one JSON document.
    pub(crate) fn whole(&mut self, body: &[u8], out: &mut Queue) -> Result<()> {
        match lenient::parse(body) {
            Some(value) if value.get("choices").is_some() || lenient::error(&value).is_some() => {
                self.apply(lenient::frame(&value, "message"), out).map(|_| ())
            }
            _ => Err(Error::new(ErrorKind::Unavailable, "the model answered with something that is not an answer")),
        }
    }

    /// The end: whole tool calls and the reason, if the model gave one.
    pub(crate) fn end(&mut self, out: &mut Queue) {
        if let Some(reason) = self.finish.take() {
            let cut = reason == FinishReason::Length;
            out.extend(std::mem::take(&mut self.calls).into_calls(cut).map(ModelEvent::ToolCall));
            out.push_back(ModelEvent::Finish(reason));
        }
    }

    fn apply(&mut self, frame: Frame<'_>, out: &mut Queue) -> Result<Step> {
        let mut broke = false;
        for choice in frame.choices.into_iter().filter(|choice| choice.index.unwrap_or(0) == 0) {
            self.delta(choice.delta, out)?;
            match &*choice.finish_reason {
                "" | "null" => {}
                // So some gateways say that they failed, with or without an error beside it.
                "error" => broke = true,
                reason => self.finish = Some(FinishReason::from(reason.to_owned())),
            }
        }
        if let Some(usage) = frame.usage.map(Usage::from).filter(|usage| self.usage.as_ref() != Some(usage)) {
            self.usage = Some(usage);
            out.push_back(ModelEvent::Usage(usage));
        }
        match frame.error {
            // An answer that was whole stays so.
            Some(_) if self.finished() => Ok(Step::Done),
            Some(error) => Err(failure::in_stream(&error, self.reveal)),
            None if broke => Err(failure::in_stream(&serde_json::Value::Null, self.reveal)),
            None => Ok(Step::More),
        }
    }

    fn delta(&mut self, delta: Delta<'_>, out: &mut Queue) -> Result<()> {
        let thought = if delta.reasoning_content.is_empty() { delta.reasoning } else { delta.reasoning_content };
        push_reasoning(&thought, out);
        push_text(&delta.content, out);
        push_text(&delta.refusal, out);
        delta.tool_calls.into_iter().flatten().try_for_each(|piece| self.calls.add(piece))
    }
}

fn push_text(more: &str, out: &mut Queue) {
    match out.back_mut() {
        _ if more.is_empty() => {}
        Some(ModelEvent::Text(text)) => text.push_str(more),
        _ => out.push_back(ModelEvent::Text(more.to_owned())),
    }
}

fn push_reasoning(more: &str, out: &mut Queue) {
    match out.back_mut() {
        _ if more.is_empty() => {}
        Some(ModelEvent::Reasoning(text)) => text.push_str(more),
        _ => out.push_back(ModelEvent::Reasoning(more.to_owned())),
    }
}

fn not_json(bytes: usize) -> Error {
    Error::new(ErrorKind::Unavailable, "the model sent a frame that is not JSON").with("bytes", bytes)
}

#[cfg(test)]
mod tests;

//! From one frame's bytes to what the model said, in Chat Completions.
//!
//! It reads only what it uses and forgives what it can: first as a borrowed [`Frame`], and if that fails through
//! [`lenient`], which knows what compatible servers get wrong.

mod frame;
mod lenient;
mod tools;

use self::frame::{Delta, Frame};
use self::tools::Calls;
use crate::error::Result;
use crate::message::{FinishReason, Usage};
use crate::model::ModelEvent;
use crate::model::decode::call::finish;
use crate::model::decode::{Decode, Queue, Step, json, not_an_answer, not_json, push_reasoning, push_text};
use crate::model::failure::{self, Reveal};

/// Reads the frames of one answer. What comes of them is added to a queue; neighbouring texts there become one.
#[derive(Debug, Default)]
pub(super) struct Decoder {
    calls: Calls,
    /// Held back to the end: some servers go on after it, and tool calls come before it.
    finish: Option<FinishReason>,
    usage: Option<Usage>,
    reveal: Reveal,
}

impl Decoder {
    /// A decoder whose errors say as much as `reveal` allows.
    pub(super) fn new(reveal: Reveal) -> Self {
        Self { reveal, ..Self::default() }
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

impl Decode for Decoder {
    fn frame(&mut self, data: &[u8], out: &mut Queue) -> Result<Step> {
        let data = data.trim_ascii();
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
        match json::parse(data) {
            Some(value) => self.apply(lenient::frame(&value, "delta"), out),
            None => Err(not_json(data.len())),
        }
    }

    fn whole(&mut self, body: &[u8], out: &mut Queue) -> Result<()> {
        match json::parse(body) {
            Some(value) if value.get("choices").is_some() || json::error(&value).is_some() => {
                self.apply(lenient::frame(&value, "message"), out).map(|_| ())
            }
            _ => Err(not_an_answer()),
        }
    }

    fn finished(&self) -> bool {
        self.finish.is_some()
    }

    fn end(&mut self, out: &mut Queue) {
        if let Some(reason) = self.finish.take() {
            finish(std::mem::take(&mut self.calls).into_calls(), reason, out);
        }
    }
}

#[cfg(test)]
mod tests;

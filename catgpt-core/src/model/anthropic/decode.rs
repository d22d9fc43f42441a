//! From one frame's bytes to what the model said, in Anthropic's Messages.
//!
//! An answer is a row of blocks, each begun, filled and ended. What a delta brings is told by its field and not by its
//! type, so that what other servers leave out does no harm.

use serde_json::{Value, json as value};

use super::PROVIDER;
use crate::error::{Error, ErrorKind, Result};
use crate::message::{FinishReason, Part, Usage};
use crate::model::ModelEvent;
use crate::model::decode::call::{Call, Limits, finish};
use crate::model::decode::json::{self, list, number, scalar};
use crate::model::decode::{Decode, Frame, Queue, Step, frame, not_an_answer, push_reasoning, push_text};
use crate::model::failure::{self, Reveal};

/// The most bytes of thoughts that are kept to be sent back.
const MAX_THOUGHTS: usize = 4 << 20;

/// Reads the frames of one answer.
#[derive(Debug, Default)]
pub(super) struct Decoder {
    /// The blocks that have begun and not ended, by number.
    open: Vec<(u64, Block)>,
    limits: Limits,
    thoughts: usize,
    /// Calls that may have been cut off; whether they count depends on why it ended.
    half: Vec<Call>,
    finish: Option<FinishReason>,
    tokens: Tokens,
    told: Option<Usage>,
    /// Whether thoughts may have to be sent back.
    keep: bool,
    reveal: Reveal,
}

#[derive(Debug)]
enum Block {
    Call {
        call: Call,
        given: Value,
    },
    Thought {
        text: String,
        signature: String,
    },
    /// Words, and what nobody needs the end of.
    Plain,
}

/// What was used, in the provider's terms. Each number counts from the beginning.
#[derive(Debug, Default)]
struct Tokens {
    input: u64,
    written: u64,
    read: u64,
    output: u64,
    thinking: u64,
}

impl Decoder {
    /// A decoder that gives thoughts to `keep` as parts, and whose errors say as much as `reveal` allows.
    pub(super) fn new(reveal: Reveal, keep: bool) -> Self {
        Self { reveal, keep, ..Self::default() }
    }

    fn event(&mut self, event: &Value, out: &mut Queue) -> Result<Step> {
        match event["type"].as_str().unwrap_or_default() {
            "message_start" => self.used(&event["message"]["usage"], out),
            "content_block_start" => self.begin(self.place(event), &event["content_block"], out)?,
            "content_block_delta" => self.delta(event, out)?,
            "content_block_stop" => self.close(self.place(event), out),
            "message_delta" => {
                self.stopped(&event["delta"]["stop_reason"]);
                self.used(&event["usage"], out);
            }
            "message_stop" => return Ok(Step::Done),
            kind => match json::error(event) {
                // An answer that was whole stays so.
                Some(_) if self.finish.is_some() => return Ok(Step::Done),
                Some(error) => return Err(failure::in_stream(error, self.reveal)),
                None if kind == "error" => return Err(failure::in_stream(&Value::Null, self.reveal)),
                None => {}
            },
        }
        Ok(Step::More)
    }

    /// The number of the event's block; the newest one's if it has none.
    fn place(&self, event: &Value) -> u64 {
        let newest = || self.open.last().map(|(index, _)| *index);
        number(&event["index"]).or_else(newest).unwrap_or(0)
    }

    fn begin(&mut self, index: u64, block: &Value, out: &mut Queue) -> Result<()> {
        self.close(index, out);
        // What something comes after was not cut off.
        let whole = std::mem::take(&mut self.half).into_iter().filter_map(|call| call.whole(false));
        out.extend(whole.map(ModelEvent::ToolCall));
        let text = |name: &str| scalar(&block[name]).into_owned();
        let begun = match block["type"].as_str().unwrap_or_default() {
            "tool_use" => {
                let call = Call { id: text("id"), name: text("name"), arguments: String::new() };
                let given = block["input"].clone();
                self.limits.take(true, call.id.len() + call.name.len())?;
                Block::Call { call, given }
            }
            "thinking" => Block::Thought { text: String::new(), signature: String::new() },
            "redacted_thinking" => {
                if self.keep {
                    out.push_back(kept(value!({ "type": "redacted_thinking", "data": block["data"] })));
                }
                Block::Plain
            }
            _ => Block::Plain,
        };
        self.open.push((index, begun));
        self.fill(index, block, out)
    }

    fn delta(&mut self, event: &Value, out: &mut Queue) -> Result<()> {
        self.fill(self.place(event), &event["delta"], out)
    }

    /// Adds what a delta brings, or what stands in a block from the beginning.
    fn fill(&mut self, index: u64, delta: &Value, out: &mut Queue) -> Result<()> {
        push_text(&scalar(&delta["text"]), out);
        let thought = scalar(&delta["thinking"]);
        push_reasoning(&thought, out);
        citations(delta, out);
        match self.open.iter_mut().find(|(open, _)| *open == index) {
            Some((_, Block::Call { call, .. })) => {
                let more = scalar(&delta["partial_json"]);
                self.limits.take(false, more.len())?;
                call.arguments.push_str(&more);
            }
            Some((_, Block::Thought { text, signature })) if self.keep => {
                let more = scalar(&delta["signature"]);
                self.thoughts += thought.len() + more.len();
                if self.thoughts > MAX_THOUGHTS {
                    let message = "the model thought more than can be kept for its next step";
                    return Err(Error::new(ErrorKind::Unavailable, message).with("max_bytes", MAX_THOUGHTS));
                }
                text.push_str(&thought);
                signature.push_str(&more);
            }
            _ => {}
        }
        Ok(())
    }

    /// The end of a block, if it is open.
    fn close(&mut self, index: u64, out: &mut Queue) {
        let Some(at) = self.open.iter().position(|(open, _)| *open == index) else { return };
        match self.open.remove(at).1 {
            Block::Call { mut call, given } => {
                // Some servers give all of it at the beginning.
                if call.arguments.trim().is_empty() && given.as_object().is_some_and(|given| !given.is_empty()) {
                    call.arguments = given.to_string();
                }
                // One without arguments may have been cut off before them, and those after one that waits wait too.
                if !call.arguments.trim().is_empty() && call.is_whole() && self.half.is_empty() {
                    out.extend(call.whole(false).map(ModelEvent::ToolCall))
                } else {
                    self.half.push(call)
                }
            }
            // Without its signature nobody takes it back.
            Block::Thought { text, signature } if self.keep && !signature.is_empty() => {
                out.push_back(kept(value!({ "type": "thinking", "thinking": text, "signature": signature })));
            }
            _ => {}
        }
    }

    fn stopped(&mut self, reason: &Value) {
        self.finish = match reason.as_str() {
            None | Some("") => return,
            Some("end_turn" | "stop_sequence") => Some(FinishReason::Stop),
            Some("max_tokens" | "model_context_window_exceeded") => Some(FinishReason::Length),
            Some("tool_use") => Some(FinishReason::ToolCalls),
            Some("refusal") => Some(FinishReason::ContentFilter),
            Some(other) => Some(FinishReason::Other(other.to_owned())),
        };
    }

    fn used(&mut self, usage: &Value, out: &mut Queue) {
        let tokens = &mut self.tokens;
        for (place, told) in [
            (&mut tokens.input, &usage["input_tokens"]),
            (&mut tokens.written, &usage["cache_creation_input_tokens"]),
            (&mut tokens.read, &usage["cache_read_input_tokens"]),
            (&mut tokens.output, &usage["output_tokens"]),
            (&mut tokens.thinking, &usage["output_tokens_details"]["thinking_tokens"]),
        ] {
            *place = number(told).unwrap_or(*place);
        }
        let usage = Usage {
            // What was read from the cache and what was written into it is counted beside the rest.
            input_tokens: tokens.input.saturating_add(tokens.written).saturating_add(tokens.read),
            output_tokens: tokens.output,
            cached_tokens: tokens.read,
            reasoning_tokens: tokens.thinking,
            estimated: false,
        };
        if usage != Usage::default() && self.told != Some(usage) {
            self.told = Some(usage);
            out.push_back(ModelEvent::Usage(usage));
        }
    }
}

/// What is sent back as it came, when the reply goes on.
fn kept(value: Value) -> ModelEvent {
    ModelEvent::Part(Part::Provider { provider: PROVIDER.into(), value })
}

/// Sources on the web. Those in documents that were sent have no address.
fn citations(delta: &Value, out: &mut Queue) {
    for citation in list(&delta["citations"]).chain([&delta["citation"]]) {
        let text = |name: &str| citation[name].as_str().filter(|text| !text.is_empty()).map(str::to_owned);
        if let Some(url) = text("url") {
            out.push_back(ModelEvent::Part(Part::Citation { url, title: text("title") }));
        }
    }
}

impl Decode for Decoder {
    fn frame(&mut self, data: &[u8], out: &mut Queue) -> Result<Step> {
        match frame(data)? {
            Frame::Empty => Ok(Step::More),
            Frame::Done => Ok(Step::Done),
            Frame::Event(event) => self.event(&event, out),
        }
    }

    fn whole(&mut self, body: &[u8], out: &mut Queue) -> Result<()> {
        let message = json::parse(body).ok_or_else(not_an_answer)?;
        if let Some(error) = json::error(&message) {
            return Err(failure::in_stream(error, self.reveal));
        }
        if !message["content"].is_array() {
            return Err(not_an_answer());
        }
        for (index, block) in (0..).zip(list(&message["content"])) {
            self.begin(index, block, out)?;
            self.close(index, out);
        }
        self.stopped(&message["stop_reason"]);
        self.used(&message["usage"], out);
        Ok(())
    }

    fn finished(&self) -> bool {
        self.finish.is_some()
    }

    fn end(&mut self, out: &mut Queue) {
        let Some(reason) = self.finish.take() else { return };
        while let Some((index, _)) = self.open.first() {
            self.close(*index, out);
        }
        finish(std::mem::take(&mut self.half), reason, out);
    }
}

#[cfg(test)]
mod tests;

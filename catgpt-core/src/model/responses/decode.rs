//! From one frame's bytes to what the model said, in OpenAI's Responses.
//!
//! An answer is a row of items. Words and thoughts are read as they come, calls when their item is whole, and the last event
//! repeats everything: so what a server leaves out on the way is read there.

use std::collections::HashSet;

use serde_json::{Map, Value, json as value};

use super::PROVIDER;
use crate::error::Result;
use crate::message::{FinishReason, Part, Usage};
use crate::model::ModelEvent;
use crate::model::decode::call::{Call, Limits, finish};
use crate::model::decode::json::{self, list, number, scalar};
use crate::model::decode::{Decode, Frame, Queue, Step, frame, not_an_answer, push_reasoning, push_text};
use crate::model::failure::{self, Reveal};

/// The most bytes of a frame: the last one holds the instructions, the tools and the whole answer.
const MAX_FRAME: usize = 16 << 20;

/// Reads the frames of one answer.
#[derive(Debug, Default)]
pub(super) struct Decoder {
    /// The items, by number, of which something was told.
    told: HashSet<u64>,
    /// The items that are told whole.
    whole: HashSet<Name>,
    /// Whether items come without their numbers, as those of llama.cpp do.
    unnumbered: bool,
    limits: Limits,
    /// A call that was cut off; whether it counts depends on why.
    half: Vec<Call>,
    called: bool,
    refused: bool,
    /// Thoughts, and words, came in pieces.
    mused: bool,
    streamed: bool,
    /// Words were said, and the next ones are of another item.
    spoke: bool,
    apart: bool,
    finish: Option<FinishReason>,
    /// Whether thoughts may have to be sent back.
    keep: bool,
    reveal: Reveal,
}

/// What an item is known by.
#[derive(Debug, PartialEq, Eq, Hash)]
enum Name {
    Number(u64),
    Id(String),
}

impl Decoder {
    /// A decoder that gives thoughts to `keep` as parts, and whose errors say as much as `reveal` allows.
    pub(super) fn new(reveal: Reveal, keep: bool) -> Self {
        Self { reveal, keep, ..Self::default() }
    }

    fn event(&mut self, event: &Value, out: &mut Queue) -> Result<Step> {
        let index = number(&event["output_index"]);
        match event["type"].as_str().unwrap_or_default() {
            kind @ ("response.output_text.delta" | "response.refusal.delta") => {
                self.refused |= kind == "response.refusal.delta";
                self.streamed = true;
                self.say(index, &scalar(&event["delta"]), out);
            }
            "response.reasoning_summary_text.delta" | "response.reasoning_text.delta" => {
                self.mused = true;
                self.tell(index);
                push_reasoning(&scalar(&event["delta"]), out);
            }
            // Its paragraphs come without what stands between them.
            "response.reasoning_summary_part.added" if number(&event["summary_index"]).unwrap_or(0) > 0 => {
                push_reasoning("\n\n", out);
            }
            "response.output_text.annotation.added" => cite(&event["annotation"], out),
            "response.output_item.added" => self.apart |= event["item"]["type"] == "message",
            "response.output_item.done" => self.item(index, &event["item"], out)?,
            "response.completed" => return self.response("completed", &event["response"], out),
            "response.incomplete" => return self.response("incomplete", &event["response"], out),
            "response.failed" => return self.response("failed", &event["response"], out),
            kind => match json::error(event) {
                // An answer that was whole stays so.
                Some(_) if self.finish.is_some() => return Ok(Step::Done),
                Some(error) => return Err(failure::in_stream(error, self.reveal)),
                None if kind == "error" => return Err(failure::in_stream(&bare(event), self.reveal)),
                None => {}
            },
        }
        Ok(Step::More)
    }

    /// Something of this item is told.
    fn tell(&mut self, index: Option<u64>) {
        self.unnumbered |= index.is_none();
        self.told.extend(index);
    }

    fn say(&mut self, index: Option<u64>, text: &str, out: &mut Queue) {
        self.tell(index);
        if text.is_empty() {
            return;
        }
        if std::mem::take(&mut self.apart) && self.spoke {
            push_text("\n\n", out);
        }
        self.spoke = true;
        push_text(text, out);
    }

    /// An item that is whole: what was not told of it yet.
    fn item(&mut self, index: Option<u64>, item: &Value, out: &mut Queue) -> Result<()> {
        if self.was_whole(index, item) {
            return Ok(());
        }
        let kind = item["type"].as_str().unwrap_or_default();
        let told = index.is_some_and(|index| self.told.contains(&index))
            || self.unnumbered && if kind == "reasoning" { self.mused } else { self.streamed };
        match kind {
            "message" if !told => {
                self.apart = true;
                for piece in list(&item["content"]) {
                    self.refused |= piece["type"] == "refusal";
                    self.say(index, &scalar(&piece["text"]), out);
                    self.say(index, &scalar(&piece["refusal"]), out);
                    list(&piece["annotations"]).for_each(|annotation| cite(annotation, out));
                }
            }
            "reasoning" => self.thought(item, told, out),
            "function_call" => self.call(item, out)?,
            _ => {}
        }
        Ok(())
    }

    /// Whether it was told whole before. From now on it is.
    fn was_whole(&mut self, index: Option<u64>, item: &Value) -> bool {
        self.unnumbered |= index.is_none();
        let id = ["call_id", "id"].into_iter().filter_map(|name| item[name].as_str()).find(|id| !id.is_empty());
        let new_id = self.whole.insert(Name::Id(id.map_or_else(|| item.to_string(), str::to_owned)));
        let new_number = index.is_none_or(|index| self.whole.insert(Name::Number(index)));
        // The last event counts items where those before it did not.
        !new_number || self.unnumbered && !new_id
    }

    fn thought(&mut self, item: &Value, told: bool, out: &mut Queue) {
        if !told {
            let pieces = list(&item["summary"]).chain(list(&item["content"])).map(|piece| scalar(&piece["text"]));
            let pieces: Vec<_> = pieces.filter(|text| !text.is_empty()).collect();
            push_reasoning(&pieces.join("\n\n"), out);
        }
        let filled = |value: &Value| match value {
            Value::Null => false,
            Value::String(text) => !text.is_empty(),
            Value::Array(all) => !all.is_empty(),
            _ => true,
        };
        // Without one of the two it says nothing to the model, and is refused.
        if self.keep && (filled(&item["encrypted_content"]) || filled(&item["content"])) {
            let fields = ["id", "content", "encrypted_content"].into_iter().filter(|name| filled(&item[*name]));
            let mut kept: Map<_, _> = fields.map(|name| (name.to_owned(), item[name].clone())).collect();
            kept.insert("type".into(), "reasoning".into());
            kept.insert("summary".into(), list(&item["summary"]).cloned().collect());
            out.push_back(ModelEvent::Part(Part::Provider { provider: PROVIDER.into(), value: Value::Object(kept) }));
        }
    }

    fn call(&mut self, item: &Value, out: &mut Queue) -> Result<()> {
        let text = |name: &str| scalar(&item[name]).into_owned();
        let id = Some(text("call_id")).filter(|id| !id.is_empty()).unwrap_or_else(|| text("id"));
        let arguments = match &item["arguments"] {
            arguments @ (Value::Object(_) | Value::Array(_)) => arguments.to_string(),
            arguments => scalar(arguments).into_owned(),
        };
        let call = Call { id, name: text("name"), arguments };
        self.limits.take(true, call.id.len() + call.name.len() + call.arguments.len())?;
        self.called = true;
        // One that was cut off before its arguments looks as if it took none.
        if call.is_whole() && item["status"] != "incomplete" {
            out.extend(call.whole(false).map(ModelEvent::ToolCall))
        } else {
            self.half.push(call)
        }
        Ok(())
    }

    /// The end, which repeats everything.
    fn response(&mut self, status: &str, response: &Value, out: &mut Queue) -> Result<Step> {
        if status != "failed" {
            for (index, item) in (0..).zip(list(&response["output"])) {
                self.item(Some(index), item, out)?;
            }
        }
        out.extend(usage(&response["usage"]).map(ModelEvent::Usage));
        let reason = response["incomplete_details"]["reason"].as_str().unwrap_or_default();
        self.finish = Some(match (status, reason) {
            ("incomplete", "max_output_tokens" | "max_tokens") => FinishReason::Length,
            ("incomplete", "content_filter") => FinishReason::ContentFilter,
            ("incomplete", "") => FinishReason::Other(status.to_owned()),
            ("incomplete", other) => FinishReason::Other(other.to_owned()),
            ("completed", _) if self.called => FinishReason::ToolCalls,
            ("completed", _) if self.refused => FinishReason::ContentFilter,
            ("completed", _) => FinishReason::Stop,
            ("failed", _) => return Err(failure::in_stream(&response["error"], self.reveal)),
            // It was stopped from elsewhere, or still goes on: that is not an end of its own.
            _ => return Ok(Step::Done),
        });
        Ok(Step::Done)
    }
}

/// The complaint in an event that is one itself, without the type that only says so.
fn bare(event: &Value) -> Value {
    value!({ "code": event["code"], "message": event["message"] })
}

/// A source on the web. A file that was searched has no address.
fn cite(annotation: &Value, out: &mut Queue) {
    let text = |name: &str| annotation[name].as_str().filter(|text| !text.is_empty()).map(str::to_owned);
    if let Some(url) = text("url") {
        out.push_back(ModelEvent::Part(Part::Citation { url, title: text("title") }));
    }
}

fn usage(usage: &Value) -> Option<Usage> {
    let count = |value: &Value| number(value).unwrap_or(0);
    let (input, output) = (number(&usage["input_tokens"]), number(&usage["output_tokens"]));
    input.or(output)?;
    Some(Usage {
        input_tokens: input.unwrap_or(0),
        output_tokens: output.unwrap_or(0),
        cached_tokens: count(&usage["input_tokens_details"]["cached_tokens"]),
        reasoning_tokens: count(&usage["output_tokens_details"]["reasoning_tokens"]),
        estimated: false,
    })
}

impl Decode for Decoder {
    fn max_frame(&self) -> usize {
        MAX_FRAME
    }

    fn frame(&mut self, data: &[u8], out: &mut Queue) -> Result<Step> {
        match frame(data)? {
            Frame::Empty => Ok(Step::More),
            Frame::Done => Ok(Step::Done),
            Frame::Event(event) => self.event(&event, out),
        }
    }

    fn whole(&mut self, body: &[u8], out: &mut Queue) -> Result<()> {
        let response = json::parse(body).ok_or_else(not_an_answer)?;
        if let Some(error) = json::error(&response) {
            return Err(failure::in_stream(error, self.reveal));
        }
        if !response["output"].is_array() {
            return Err(not_an_answer());
        }
        self.response(response["status"].as_str().unwrap_or_default(), &response, out).map(|_| ())
    }

    fn finished(&self) -> bool {
        self.finish.is_some()
    }

    fn end(&mut self, out: &mut Queue) {
        let Some(reason) = self.finish.take() else { return };
        finish(std::mem::take(&mut self.half), reason, out);
    }
}

#[cfg(test)]
mod tests;

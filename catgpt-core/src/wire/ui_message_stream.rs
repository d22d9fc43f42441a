//! The AI SDK's UI message stream, version 1: what `useChat` of the npm package `ai` 5, 6 and 7 reads.
//!
//! Only chunks that version 5 knows are written, because a client ends its stream at a chunk that it does not know. What
//! is ours alone goes in `data-*` chunks and in the metadata. A stream always ends with `finish`, `error` or `abort`: one
//! without them would be shown as whole. There are no `id:` lines, since these clients come back without an offset: they
//! are given everything again, under the same message id.

mod chunk;
mod message;
mod request;

use std::collections::HashSet;

use serde::Serialize;

use super::json;
use crate::error::ErrorInfo;
use crate::event::{Event, Finished, Started};
use crate::id::{Seq, SessionId, TurnId};
use crate::message::{FinishReason, Part, Status, ToolCall, ToolResult};
use chunk::{Beginning, Chunk, Data, End, More, Retrying, Title};

pub use message::message;
pub use request::command;

/// The value of the header `x-vercel-ai-ui-message-stream`.
pub const VERSION: &str = "v1";

/// The id of a message that a turn wrote: the same while it is streamed and when it is read again.
pub fn message_id(turn: TurnId, seq: Seq) -> String {
    format!("{turn}-{seq}")
}

/// The message's number in its session, from such an id.
pub fn parse_message_id(id: &str) -> Option<Seq> {
    let (turn, seq) = id.rsplit_once('-')?;
    turn.parse::<TurnId>().ok().and(seq.parse().ok())
}

/// Makes the chunks of one reply. It does not matter how text was cut into events.
#[derive(Debug)]
pub struct Encoder {
    turn: TurnId,
    session: SessionId,
    state: State,
    /// The text or reasoning that may still grow.
    open: Option<(Kind, u32)>,
    /// How many parts have begun, which is also the last one's id.
    parts: u32,
    calls: HashSet<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Fresh,
    /// In a step: one answer of the model.
    Step,
    /// In a step whose tools have answered; what comes next is another one.
    Answered,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Text,
    Reasoning,
}

impl Encoder {
    /// For the events of this turn, from the first one on.
    pub fn new(turn: TurnId, session: &SessionId) -> Self {
        let session = session.clone();
        Self { turn, session, state: State::Fresh, open: None, parts: 0, calls: HashSet::new() }
    }

    /// Appends the chunks of the next event.
    pub fn write(&mut self, event: &Event, out: &mut Vec<u8>) {
        match event {
            Event::Started(started) => self.start(Some(started), out),
            _ => self.start(None, out),
        }
        match event {
            Event::Started(_) => {}
            Event::Text { text, .. } => self.grow(Kind::Text, text, out),
            Event::Reasoning { text, .. } => self.grow(Kind::Reasoning, text, out),
            Event::ToolCall { call, .. } => self.call(call, out),
            Event::ToolResult { result, .. } => self.result(result, out),
            Event::Part { part, .. } => self.part(part, out),
            Event::Retrying { attempt, after_ms, error, .. } => {
                passing("retrying", &Retrying { attempt: *attempt, after_ms: *after_ms, error }, out);
            }
            Event::Title { title, .. } => passing("title", &Title { title }, out),
            Event::Finished(finished) => self.finish(finished, out),
        }
    }

    /// Begins the message, once. Who attached behind the beginning gets no id, and so a message of his own.
    fn start(&mut self, started: Option<&Started>, out: &mut Vec<u8>) {
        if self.state != State::Fresh {
            return;
        }
        let message_id = started.map(|started| message_id(self.turn, started.reply_seq));
        let message_metadata = Beginning { turn: self.turn, session: &self.session, more: started.map(More::from) };
        chunk(&Chunk::Start { message_id, message_metadata }, out);
        chunk(&Chunk::StartStep, out);
        self.state = State::Step;
    }

    /// What the model says after its tools have answered is another step.
    fn step(&mut self, out: &mut Vec<u8>) {
        if self.state == State::Answered {
            self.close(out);
            chunk(&Chunk::FinishStep, out);
            chunk(&Chunk::StartStep, out);
            self.state = State::Step;
        }
    }

    fn grow(&mut self, kind: Kind, delta: &str, out: &mut Vec<u8>) {
        self.step(out);
        if self.open.is_none_or(|(open, _)| open != kind) {
            self.close(out);
            self.parts += 1;
            self.open = Some((kind, self.parts));
            let id = &self.parts.to_string();
            chunk(&if kind == Kind::Text { Chunk::TextStart { id } } else { Chunk::ReasoningStart { id } }, out);
        }
        let id = &self.parts.to_string();
        let text = Chunk::TextDelta { id, delta };
        chunk(&if kind == Kind::Text { text } else { Chunk::ReasoningDelta { id, delta } }, out);
    }

    fn close(&mut self, out: &mut Vec<u8>) {
        if let Some((kind, id)) = self.open.take() {
            let id = &id.to_string();
            chunk(&if kind == Kind::Text { Chunk::TextEnd { id } } else { Chunk::ReasoningEnd { id } }, out);
        }
    }

    fn call(&mut self, ToolCall { id, name, arguments }: &ToolCall, out: &mut Vec<u8>) {
        self.step(out);
        self.close(out);
        self.calls.insert(id.clone());
        chunk(&Chunk::ToolInputAvailable { tool_call_id: id, tool_name: name, input: arguments }, out);
    }

    /// A result whose call was never seen is left out: clients end their stream at one.
    fn result(&mut self, result: &ToolResult, out: &mut Vec<u8>) {
        if !self.calls.contains(&result.id) {
            return;
        }
        self.close(out);
        let (tool_call_id, output) = (&*result.id, &result.output);
        if result.is_error {
            chunk(&Chunk::ToolOutputError { tool_call_id, error_text: chunk::plain(output) }, out);
        } else {
            chunk(&Chunk::ToolOutputAvailable { tool_call_id, output }, out);
        }
        self.state = State::Answered;
    }

    fn part(&mut self, part: &Part, out: &mut Vec<u8>) {
        self.close(out);
        self.parts += 1;
        match chunk::of_part(part, self.parts) {
            Some(known) => chunk(&known, out),
            None => {
                let r#type = format!("data-{}", chunk::name_of(part));
                chunk(&Data { r#type, data: part, transient: false }, out);
            }
        }
    }

    fn finish(&mut self, finished: &Finished, out: &mut Vec<u8>) {
        self.close(out);
        chunk(&Chunk::FinishStep, out);
        let message_metadata = End::from(finished);
        match finished.failure() {
            Some(error) => {
                chunk(&Chunk::MessageMetadata { message_metadata }, out);
                self.fail(&error, out);
            }
            None if finished.status == Status::Cancelled => {
                chunk(&Chunk::MessageMetadata { message_metadata }, out);
                chunk(&Chunk::Abort, out);
            }
            None => {
                let finish_reason = finished.finish_reason.as_ref().map(reason);
                chunk(&Chunk::Finish { finish_reason, message_metadata }, out);
            }
        }
        out.extend_from_slice(b"data: [DONE]\n\n");
    }

    /// The words for people, and before them the error as data, for programs: these clients keep the words only.
    fn fail(&self, error: &ErrorInfo, out: &mut Vec<u8>) {
        passing("error", error, out);
        chunk(&Chunk::Error { error_text: &error.message }, out);
    }
}

/// A word that is not in this list ends the clients' stream.
fn reason(reason: &FinishReason) -> &'static str {
    match reason {
        FinishReason::Stop => "stop",
        FinishReason::Length => "length",
        FinishReason::ToolCalls => "tool-calls",
        FinishReason::ContentFilter => "content-filter",
        FinishReason::Other(_) => "other",
    }
}

fn chunk(chunk: &impl Serialize, out: &mut Vec<u8>) {
    out.extend_from_slice(b"data: ");
    json::value(chunk, out);
    out.extend_from_slice(b"\n\n");
}

/// Something of our own that is shown in passing.
fn passing(name: &str, data: &impl Serialize, out: &mut Vec<u8>) {
    chunk(&Data { r#type: format!("data-{name}"), data, transient: true }, out);
}

#[cfg(test)]
mod tests;

//! The body of an answer: a stream of events as it should be, or the JSON document that some servers send instead.

use std::collections::VecDeque;

use crate::error::{Error, ErrorKind, Result};
use crate::model::ModelEvent;
use crate::model::decode::{Decode, Step, json};
use crate::model::sse::Framer;

/// The most bytes of an answer that comes as one document.
const MAX_DOCUMENT: usize = 16 << 20;

/// Reads a body, however it is cut.
#[derive(Debug)]
pub(super) struct Reader {
    form: Form,
    framer: Framer,
    decoder: Box<dyn Decode>,
    /// Whether a frame came.
    framed: bool,
    queue: VecDeque<ModelEvent>,
    /// The declared type is not that of a stream of events.
    content_type: Option<String>,
}

/// What the body is. No line of a stream of events begins with a brace, so its first letter tells.
#[derive(Debug)]
enum Form {
    /// Nothing but white space came so far.
    Unknown,
    Events,
    Document(Vec<u8>),
}

impl Reader {
    pub(super) fn new(decoder: Box<dyn Decode>) -> Self {
        Self {
            form: Form::Unknown,
            framer: Framer::new(decoder.max_frame()),
            decoder,
            framed: false,
            queue: VecDeque::new(),
            content_type: None,
        }
    }

    /// Says what the body is declared as.
    pub(super) fn content_type(&mut self, kind: &str) {
        let kind = kind.split(';').next().unwrap_or_default().trim();
        let plain = kind.len() <= 64 && kind.bytes().all(|byte| byte.is_ascii_graphic());
        self.content_type = (kind != "text/event-stream").then(|| if plain { kind.to_owned() } else { String::new() });
    }

    /// Whether anything came.
    pub(super) fn begun(&self) -> bool {
        !matches!(self.form, Form::Unknown)
    }

    /// Whether the model said why it stopped.
    pub(super) fn finished(&self) -> bool {
        self.decoder.finished()
    }

    /// What is ready to be handed out.
    pub(super) fn pop(&mut self) -> Option<ModelEvent> {
        self.queue.pop_front()
    }

    /// Takes more of the body.
    pub(super) fn feed(&mut self, bytes: &[u8]) -> Result<Step> {
        if matches!(self.form, Form::Unknown) {
            let text = bytes.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(bytes).trim_ascii_start();
            self.form = match text.first() {
                Some(b'{' | b'[') => Form::Document(Vec::new()),
                Some(_) => Form::Events,
                None => Form::Unknown,
            };
        }
        match &mut self.form {
            Form::Document(document) if document.len() + bytes.len() > MAX_DOCUMENT => {
                Err(Error::new(ErrorKind::Unavailable, "the model's answer is too large")
                    .with("max_bytes", MAX_DOCUMENT))
            }
            Form::Document(document) => {
                document.extend_from_slice(bytes);
                Ok(Step::More)
            }
            Form::Unknown | Form::Events => self.events(bytes),
        }
    }

    fn events(&mut self, mut bytes: &[u8]) -> Result<Step> {
        while let Some(frame) = self.framer.next(&mut bytes)? {
            self.framed = true;
            if self.decoder.frame(frame, &mut self.queue)? == Step::Done {
                return Ok(Step::Done);
            }
        }
        Ok(Step::More)
    }

    /// The body is over, by `error` or by itself. Takes the error away if the answer was whole, or gives one.
    pub(super) fn end(&mut self, error: &mut Option<Error>) {
        let last = self.last(error.is_none());
        self.decoder.end(&mut self.queue);
        let whole = matches!(self.queue.back(), Some(ModelEvent::Finish(_)));
        *error = if whole { None } else { error.take().or(last.err()) };
    }

    /// Reads what stands at the end without a proper ending.
    fn last(&mut self, clean: bool) -> Result<()> {
        match &mut self.form {
            Form::Document(document) => {
                let document = std::mem::take(document);
                if clean { self.decoder.whole(&document, &mut self.queue) } else { Ok(()) }
            }
            Form::Unknown | Form::Events => {
                if let Some(frame) = self.framer.rest().map(<[u8]>::trim_ascii) {
                    // Its end never came: whole, it counts; cut, it is part of the truncation, not an error.
                    if frame == b"[DONE]" || json::parse(frame).is_some() {
                        self.framed = true;
                        self.decoder.frame(frame, &mut self.queue)?;
                    }
                }
                match &self.content_type {
                    Some(kind) if clean && !self.framed && self.begun() => {
                        let message = "the endpoint does not answer like a model: check the base URL";
                        Err(Error::new(ErrorKind::Unavailable, message).with("content_type", kind))
                    }
                    _ => Ok(()),
                }
            }
        }
    }
}

#[cfg(test)]
mod tests;

//! The chunks that are written, all of which version 5 of the AI SDK knows.

use serde::Serialize;
use serde_json::Value;

use crate::error::ErrorInfo;
use crate::event::{Finished, Started};
use crate::id::{Seq, SessionId, TurnId};
use crate::message::{FinishReason, Image, Part, Status, ToolCall, Usage};

/// One chunk. A field that is `None` is left out: `null` is refused.
#[derive(Serialize)]
#[serde(tag = "type", rename_all = "kebab-case", rename_all_fields = "camelCase")]
pub(super) enum Chunk<'a> {
    Start {
        #[serde(skip_serializing_if = "Option::is_none")]
        message_id: Option<String>,
        message_metadata: Beginning<'a>,
    },
    StartStep,
    TextStart {
        id: &'a str,
    },
    TextDelta {
        id: &'a str,
        delta: &'a str,
    },
    TextEnd {
        id: &'a str,
    },
    ReasoningStart {
        id: &'a str,
    },
    ReasoningDelta {
        id: &'a str,
        delta: &'a str,
    },
    ReasoningEnd {
        id: &'a str,
    },
    ToolInputAvailable {
        tool_call_id: &'a str,
        tool_name: &'a str,
        input: &'a Value,
    },
    ToolOutputAvailable {
        tool_call_id: &'a str,
        output: &'a Value,
    },
    ToolOutputError {
        tool_call_id: &'a str,
        error_text: String,
    },
    SourceUrl {
        source_id: String,
        url: &'a str,
        #[serde(skip_serializing_if = "Option::is_none")]
        title: Option<&'a str>,
    },
    File {
        url: &'a str,
        media_type: &'a str,
    },
    FinishStep,
    MessageMetadata {
        message_metadata: End<'a>,
    },
    Finish {
        #[serde(skip_serializing_if = "Option::is_none")]
        finish_reason: Option<&'static str>,
        message_metadata: End<'a>,
    },
    Error {
        error_text: &'a str,
    },
    Abort,
}

/// What a client learns about a message when it begins, in the spelling of the events.
#[derive(Serialize)]
pub(super) struct Beginning<'a> {
    pub(super) turn: TurnId,
    pub(super) session: &'a SessionId,
    #[serde(flatten)]
    pub(super) more: Option<More<'a>>,
}

#[derive(Serialize)]
pub(super) struct More<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    user_seq: Option<Seq>,
    reply_seq: Seq,
    persona: &'a str,
    model: &'a str,
}

impl<'a> From<&'a Started> for More<'a> {
    fn from(started: &'a Started) -> Self {
        let Started { user_seq, reply_seq, persona, model, .. } = started;
        Self { user_seq: *user_seq, reply_seq: *reply_seq, persona, model }
    }
}

/// What is added when it ends.
#[derive(Serialize)]
pub(super) struct End<'a> {
    status: Status,
    #[serde(skip_serializing_if = "Option::is_none")]
    finish_reason: Option<&'a FinishReason>,
    #[serde(skip_serializing_if = "Option::is_none")]
    usage: Option<&'a Usage>,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    pending: &'a [ToolCall],
}

impl<'a> From<&'a Finished> for End<'a> {
    fn from(Finished { status, finish_reason, usage, pending, .. }: &'a Finished) -> Self {
        Self { status: *status, finish_reason: finish_reason.as_ref(), usage: usage.as_ref(), pending }
    }
}

/// A chunk of our own. A transient one is shown to `onData` and not kept with the message.
#[derive(Serialize)]
pub(super) struct Data<'a, T> {
    pub(super) r#type: String,
    pub(super) data: &'a T,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub(super) transient: bool,
}

#[derive(Serialize)]
pub(super) struct Retrying<'a> {
    pub(super) attempt: u32,
    pub(super) after_ms: u64,
    pub(super) error: &'a ErrorInfo,
}

#[derive(Serialize)]
pub(super) struct Title<'a> {
    pub(super) title: &'a str,
}

/// The chunk that shows a part which comes whole; `None` for one that the protocol has no word for.
pub(super) fn of_part(part: &Part, number: u32) -> Option<Chunk<'_>> {
    match part {
        Part::Image(Image { url, media_type, .. }) => {
            Some(Chunk::File { url, media_type: media_type.as_deref().unwrap_or_else(|| guess(url)) })
        }
        Part::Citation { url, title } => {
            Some(Chunk::SourceUrl { source_id: number.to_string(), url, title: title.as_deref() })
        }
        _ => None,
    }
}

/// The media type that stands in a `data:` URL; else only that it is an image.
fn guess(url: &str) -> &str {
    let named = url.strip_prefix("data:").and_then(|rest| rest.split([';', ',']).next());
    named.filter(|media_type| !media_type.is_empty()).unwrap_or("image/*")
}

/// What follows `data-` for a part without a word of its own: its type, if that can stand there.
pub(super) fn name_of(part: &Part) -> &str {
    let fits = |name: &&str| !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_".contains(&b));
    match part {
        Part::Unknown(value) => value["type"].as_str().filter(fits).unwrap_or("part"),
        _ => "part",
    }
}

/// A value as text: a text as it is, anything else as JSON.
pub(super) fn plain(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

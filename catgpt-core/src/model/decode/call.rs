//! One tool call that grows, and how much of them an answer may hold.

use serde_json::Value;

use super::Queue;
use crate::error::{Error, ErrorKind, Result};
use crate::message::{FinishReason, ToolCall};
use crate::model::ModelEvent;

/// The most that the calls of one answer may hold.
const MAX_CALLS: usize = 128;
const MAX_BYTES: usize = 1 << 20;

/// A call whose arguments come in pieces.
#[derive(Debug, Default)]
pub(crate) struct Call {
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) arguments: String,
}

impl Call {
    /// Whether its arguments can be read: of a call that was cut off they cannot.
    pub(crate) fn is_whole(&self) -> bool {
        self.arguments.trim().is_empty() || serde_json::from_str::<serde::de::IgnoredAny>(&self.arguments).is_ok()
    }

    /// The call. If the answer was `cut` by its limit, one without whole arguments is none.
    pub(crate) fn whole(self, cut: bool) -> Option<ToolCall> {
        let text = self.arguments.trim();
        let arguments = match serde_json::from_str(text) {
            Ok(arguments) => arguments,
            Err(_) if cut => return None,
            Err(_) if text.is_empty() => Value::Object(serde_json::Map::new()),
            // Not JSON: whoever runs the tool can tell the model so.
            Err(_) => Value::String(self.arguments),
        };
        let id = if self.id.is_empty() { format!("call_{}", uuid::Uuid::now_v7().simple()) } else { self.id };
        Some(ToolCall { id, name: self.name, arguments })
    }
}

/// Ends an answer with its calls, and why it stopped. If it was cut by its limit, a call without whole arguments is none.
pub(crate) fn finish(calls: impl IntoIterator<Item = Call>, reason: FinishReason, out: &mut Queue) {
    let cut = reason == FinishReason::Length;
    out.extend(calls.into_iter().filter_map(|call| call.whole(cut)).map(ModelEvent::ToolCall));
    out.push_back(ModelEvent::Finish(reason));
}

/// What an answer's calls hold so far.
#[derive(Debug, Default)]
pub(crate) struct Limits {
    calls: usize,
    bytes: usize,
}

impl Limits {
    /// Counts more, and a new call if it is one.
    pub(crate) fn take(&mut self, new: bool, bytes: usize) -> Result<()> {
        self.calls += usize::from(new);
        self.bytes += bytes;
        if self.calls > MAX_CALLS || self.bytes > MAX_BYTES {
            return Err(Error::new(ErrorKind::Unavailable, "the model asked for more tool calls than fit")
                .with("max_calls", MAX_CALLS)
                .with("max_bytes", MAX_BYTES));
        }
        Ok(())
    }
}

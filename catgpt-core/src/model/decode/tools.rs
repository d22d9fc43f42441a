//! Tool calls arrive in pieces; here they become whole.

use serde_json::Value;

use super::frame::Piece;
use crate::error::{Error, ErrorKind, Result};
use crate::message::ToolCall;

/// The most that the calls of one answer may hold.
const MAX_CALLS: usize = 128;
const MAX_BYTES: usize = 1 << 20;

/// The calls of one answer.
#[derive(Debug, Default)]
pub(super) struct Calls {
    calls: Vec<Call>,
    bytes: usize,
}

#[derive(Debug, Default)]
struct Call {
    index: Option<u64>,
    id: String,
    name: String,
    arguments: String,
}

impl Calls {
    /// Adds a piece to the call that it belongs to.
    pub(super) fn add(&mut self, piece: Piece<'_>) -> Result<()> {
        let at = self.position(&piece).unwrap_or(self.calls.len());
        self.bytes += piece.id.len() + piece.function.name.len() + piece.function.arguments.len();
        if at >= MAX_CALLS || self.bytes > MAX_BYTES {
            return Err(Error::new(ErrorKind::Unavailable, "the model asked for more tool calls than fit")
                .with("max_calls", MAX_CALLS)
                .with("max_bytes", MAX_BYTES));
        }
        if at == self.calls.len() {
            self.calls.push(Call { index: piece.index, ..Call::default() });
        }
        let call = &mut self.calls[at];
        // The id and the name are sent once; some servers repeat them with every piece.
        if call.id.is_empty() {
            call.id.push_str(&piece.id);
        }
        if call.name.is_empty() {
            call.name.push_str(&piece.function.name);
        }
        call.arguments.push_str(&piece.function.arguments);
        Ok(())
    }

    /// Where the piece belongs; `None` if it begins a call. Another id is another call, whatever the index says.
    fn position(&self, piece: &Piece<'_>) -> Option<usize> {
        let at = match piece.index {
            Some(_) => self.calls.iter().rposition(|call| call.index == piece.index)?,
            None => self.calls.len().checked_sub(1)?,
        };
        let call = &self.calls[at];
        let other_id = !piece.id.is_empty() && !call.id.is_empty() && *piece.id != call.id;
        let next_name = piece.index.is_none() && !piece.function.name.is_empty() && !call.name.is_empty();
        let same_id = !piece.id.is_empty() && *piece.id == call.id;
        (!other_id && (!next_name || same_id)).then_some(at)
    }

    /// The whole calls in their order. If the answer was `cut` by its limit, one without whole arguments is left out.
    pub(super) fn into_calls(self, cut: bool) -> impl Iterator<Item = ToolCall> {
        self.calls.into_iter().filter_map(move |call| call.whole(cut))
    }
}

impl Call {
    fn whole(self, cut: bool) -> Option<ToolCall> {
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

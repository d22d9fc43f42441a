//! Tool calls arrive in pieces; here they become whole.

use super::frame::Piece;
use crate::error::Result;
use crate::model::decode::call::{Call, Limits};

/// The calls of one answer.
#[derive(Debug, Default)]
pub(super) struct Calls {
    calls: Vec<Numbered>,
    limits: Limits,
}

/// A call, and the number that its pieces bear.
#[derive(Debug, Default)]
struct Numbered {
    index: Option<u64>,
    call: Call,
}

impl Calls {
    /// Adds a piece to the call that it belongs to.
    pub(super) fn add(&mut self, piece: Piece<'_>) -> Result<()> {
        let at = self.position(&piece).unwrap_or(self.calls.len());
        let new = at == self.calls.len();
        self.limits.take(new, piece.id.len() + piece.function.name.len() + piece.function.arguments.len())?;
        if new {
            self.calls.push(Numbered { index: piece.index, ..Numbered::default() });
        }
        let call = &mut self.calls[at].call;
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
        let call = &self.calls[at].call;
        let other_id = !piece.id.is_empty() && !call.id.is_empty() && *piece.id != call.id;
        let next_name = piece.index.is_none() && !piece.function.name.is_empty() && !call.name.is_empty();
        let same_id = !piece.id.is_empty() && *piece.id == call.id;
        (!other_id && (!next_name || same_id)).then_some(at)
    }

    /// The calls in their order.
    pub(super) fn into_calls(self) -> impl Iterator<Item = Call> {
        self.calls.into_iter().map(|numbered| numbered.call)
    }
}

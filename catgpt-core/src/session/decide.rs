//! Going on from a paused turn.

use super::{Send, Session};
use crate::memory::Parent;
use crate::tools::Decision;

impl Session {
    /// Decides about the calls that the session's newest reply waits with ([`Finished::pending`](crate::Finished)), and
    /// goes on, as a new turn whose reply follows the paused one: approved calls are run, the model is told of the others,
    /// and answers. All of them are decided at once, from any process; of two decisions one fails.
    ///
    /// Awaiting it fails with `Conflict` (facts `head`, `status`) if the newest message waits for nothing, `Busy` if a turn
    /// runs, and `InvalidInput` if calls are left out (`undecided`) or not known (`unknown`). With the same key and the same
    /// decisions it is the same turn. A turn that went on and was cut off stays so: nothing is run again unless the paused
    /// reply is [selected](Self::select) and decided about anew.
    pub fn decide(&self, decisions: impl IntoIterator<Item = Decision>) -> Send {
        let mut decisions: Vec<_> = decisions.into_iter().collect();
        // Whoever repeats them may name them in another order.
        decisions.sort_by(|a, b| a.id.cmp(&b.id));
        let mut send = self.ask(Parent::Head, None);
        send.ask.decisions = Some(decisions);
        send
    }
}

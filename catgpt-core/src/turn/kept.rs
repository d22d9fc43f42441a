//! What a turn writes while it runs: one piece at a time, again until the store has answered for it.

use std::mem;
use std::time::Duration;

use super::{Effect, Stop, Turn};
use crate::error::{Error, ErrorKind};
use crate::memory::Kept;
use crate::message::{Offset, Status};

/// A piece that the store has not yet answered for. Its fate is unknown after an error, and only the same piece may be
/// sent again then: a longer one would not begin where the store's last one ended.
#[derive(Clone, Copy, Debug)]
pub(super) struct Write {
    to: Offset,
    /// When it was sent first.
    since: Duration,
    under_way: bool,
    sync: bool,
}

impl Turn {
    /// Writes what is not written, one write at a time.
    pub(super) fn keep(&mut self) {
        let (since, sync) = (self.now, self.tools.is_keeping());
        let write = self.write.get_or_insert(Write { to: self.end, since, under_way: false, sync });
        if !mem::replace(&mut write.under_way, true) {
            write.sync |= sync;
            self.effects.push_back(Effect::Keep { from: self.kept, to: write.to, sync: write.sync });
        }
    }

    /// Up to where everything is on disk now, if that was asked for.
    pub(super) fn written(&mut self) -> Option<Offset> {
        let write = self.write.take()?;
        self.kept = write.to;
        write.sync.then_some(write.to)
    }

    pub(super) fn kept_answer(&mut self, answer: Result<Kept, Error>) {
        match answer {
            Ok(Kept::Renewed { cancel }) => {
                let synced = self.written();
                if cancel {
                    self.stop(Stop::Cancel);
                } else if self.tools.is_keeping() {
                    self.kept_first(synced);
                } else if self.end - self.kept >= self.rules.checkpoint_bytes {
                    self.keep();
                }
            }
            // Somebody else ended this turn. Writing our end tells which end that was.
            Ok(Kept::Refused) => self.close(Status::Interrupted, None),
            Err(error) => self.not_kept(&error),
        }
    }

    fn not_kept(&mut self, error: &Error) {
        let stored = error.context("stored").filter(|_| error.kind() == ErrorKind::Conflict);
        if let Some(stored) = stored.and_then(|end| end.parse().ok()).filter(|end| *end < self.kept) {
            // The store's machine failed and lost pieces that were not on disk. We still have them.
            (self.kept, self.write) = (stored, None);
            return self.keep();
        }
        let Some(write) = &mut self.write else { return };
        write.under_way = false;
        if self.now.saturating_sub(write.since) >= self.rules.patience {
            self.close(Status::Interrupted, Some(error.info()));
        }
    }
}

//! What hooks change about a turn: they prepare it, and it is complete only when they have let all of it pass.

use super::{Effect, Phase, Turn};
use crate::message::{Offset, Part};

/// What the hooks of a turn have seen.
#[derive(Debug, Default)]
pub(super) struct Hooked {
    /// The offset after what they have let pass.
    passed: Offset,
    /// Up to where they look now.
    checking: Option<Offset>,
    /// The model has said everything; the turn is complete once that has passed.
    last: bool,
}

impl Turn {
    pub(super) fn prepared(&mut self, parts: Vec<Part>) {
        parts.into_iter().for_each(|part| self.show(part));
        if let (Phase::Running, Some(hooked)) = (&self.phase, &mut self.hooked) {
            hooked.passed = self.end;
            self.begin_step();
        }
    }

    /// How much the hooks have not let pass yet.
    pub(super) fn unpassed(&self) -> u64 {
        self.hooked.as_ref().map_or(0, |hooked| self.end - hooked.passed)
    }

    /// Lets the hooks see what they have not seen, one look at a time.
    pub(super) fn check(&mut self) {
        if let Some(hooked) = self.hooked.as_mut().filter(|hooked| self.end > hooked.passed)
            && hooked.checking.is_none()
        {
            hooked.checking = Some(self.end);
            self.effects.push_back(Effect::Check { from: hooked.passed, to: self.end });
        }
    }

    pub(super) fn checked(&mut self) {
        let Some(hooked) = &mut self.hooked else { return };
        hooked.passed = hooked.checking.take().unwrap_or(hooked.passed);
        if hooked.last {
            self.complete();
        } else if self.unpassed() >= self.rules.checkpoint_bytes {
            self.check();
        }
    }

    /// Whether the model has finished, and the hooks look at the rest of what it said, or its calls are run.
    pub(super) fn is_last(&self) -> bool {
        self.tools.are_on() || self.hooked.as_ref().is_some_and(|hooked| hooked.last)
    }

    /// Whether the model has said anything since it was asked; what was shown before does not count.
    pub(super) fn has_spoken(&self) -> bool {
        self.end > self.step_from
    }

    /// Everything is said: this is the end of the step, once the hooks have let all of it pass.
    pub(super) fn complete(&mut self) {
        match &mut self.hooked {
            Some(hooked) if self.end > hooked.passed => {
                hooked.last = true;
                self.check();
            }
            hooked => {
                hooked.iter_mut().for_each(|hooked| hooked.last = false);
                self.step_over();
            }
        }
    }
}

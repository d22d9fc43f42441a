//! The journal of changes, an owner's each, for a day.

use std::collections::{HashMap, VecDeque};

use super::aged::swept;
use super::state::{DAY, REMEMBERED, Time};
use crate::event::Change;
use crate::id::Owner;

/// The changes of every owner.
#[derive(Debug, Default)]
pub(super) struct Journal {
    owners: HashMap<Owner, VecDeque<Change>>,
    order: VecDeque<(Time, Owner)>,
    /// The greatest number of an owner whose changes are all forgotten. Who comes again goes on after it, so that a
    /// reader who knows an old number misses nothing.
    floor: u64,
}

impl Journal {
    /// An owner's changes after this number.
    pub(super) fn after(&self, owner: &Owner, after: u64) -> impl Iterator<Item = &Change> {
        self.owners.get(owner).into_iter().flatten().filter(move |change| change.n > after)
    }

    /// The number of the owner's newest change, also if that is forgotten.
    pub(super) fn end(&self, owner: &Owner) -> u64 {
        self.owners.get(owner).and_then(VecDeque::back).map_or(self.floor, |last| last.n)
    }

    pub(super) fn push(&mut self, owner: &Owner, change: Change, now: Time) {
        if self.order.len() >= REMEMBERED {
            self.drop_first();
        }
        self.order.push_back((now, owner.clone()));
        let n = self.end(owner) + 1;
        self.owners.entry(owner.clone()).or_default().push_back(Change { n, ..change });
    }

    /// Forgets an owner's changes.
    pub(super) fn forget(&mut self, owner: &Owner) {
        self.order.retain(|(_, whose)| whose != owner);
        let last = self.owners.remove(owner).and_then(|changes| Some(changes.back()?.n));
        self.floor = self.floor.max(last.unwrap_or(0));
    }

    fn drop_first(&mut self) {
        let Some((_, owner)) = self.order.pop_front() else { return };
        let Some(changes) = self.owners.get_mut(&owner) else { return };
        let dropped = changes.pop_front().map_or(0, |change| change.n);
        if changes.is_empty() {
            self.floor = self.floor.max(dropped);
            self.owners.remove(&owner);
        }
    }

    fn has_due(&self, now: Time) -> bool {
        self.order.front().is_some_and(|(at, _)| *at + DAY <= now)
    }

    /// Forgets at most `limit` that are older than a day; says how many, and whether some are left.
    pub(super) fn sweep(&mut self, now: Time, limit: u32) -> (u64, bool) {
        swept(self, limit, |this| this.has_due(now), Self::drop_first)
    }
}

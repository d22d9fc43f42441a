//! The counters of limits: how far each has come in its window.

use std::collections::{BTreeSet, HashMap};
use std::time::Duration;

use super::aged::swept;
use super::session::Running;
use super::state::{DAY, REMEMBERED, State, Time, millis};
use crate::id::Owner;
use crate::memory::limits::began;
use crate::memory::{Begin, Begun, Counter, Reserved, Settle};

/// What was counted in each window. There is a maximum of them: where there are too many, those go that end first.
#[derive(Debug, Default)]
pub(super) struct Counters {
    values: HashMap<Window, Counted>,
    /// Every window by its end.
    ends: BTreeSet<(i64, Window)>,
}

/// A counter's name and key, and when the window begins.
type Window = (String, String, i64);

#[derive(Debug)]
struct Counted {
    count: u64,
    end_ms: i64,
}

impl Counters {
    /// How far a counter has come in the window of this moment.
    pub(super) fn count(&self, name: &str, key: &str, window: Duration, now_ms: i64) -> u64 {
        let id = (name.to_owned(), key.to_owned(), began(window, now_ms));
        self.values.get(&id).map_or(0, |counted| counted.count)
    }

    fn add(&mut self, counter: Counter, now_ms: i64) -> Reserved {
        let Counter { name, key, window, add, unit, .. } = counter;
        let start_ms = began(window, now_ms);
        let (id, end_ms) = ((name.clone(), key.clone(), start_ms), start_ms.saturating_add(millis(window)));
        if !self.values.contains_key(&id) && self.values.len() >= REMEMBERED {
            self.drop_first();
        }
        let counted = self.values.entry(id.clone()).or_insert(Counted { count: 0, end_ms });
        counted.count = counted.count.saturating_add(add);
        self.ends.insert((counted.end_ms, id));
        Reserved { name, key, start_ms, add, unit }
    }

    /// Forgets the one whose window ends first.
    fn drop_first(&mut self) {
        if let Some((_, id)) = self.ends.pop_first() {
            self.values.remove(&id);
        }
    }

    pub(super) fn settle(&mut self, settle: Settle) {
        if let Some(counted) = self.values.get_mut(&(settle.name, settle.key, settle.start_ms)) {
            counted.count = counted.count.saturating_add_signed(settle.by);
        }
    }

    /// Forgets the counters with this key.
    pub(super) fn forget(&mut self, whose: &str) {
        self.values.retain(|(_, key, _), _| key != whose);
        self.ends.retain(|(_, (_, key, _))| key != whose);
    }

    /// Forgets at most `limit` whose window is over for a day; says how many, and whether some are left.
    pub(super) fn sweep(&mut self, now_ms: i64, limit: u32) -> (u64, bool) {
        let due_ms = now_ms.saturating_sub(millis(DAY));
        swept(self, limit, |this| this.has_due(due_ms), Self::drop_first)
    }

    fn has_due(&self, due_ms: i64) -> bool {
        self.ends.first().is_some_and(|(end_ms, _)| *end_ms <= due_ms)
    }
}

impl State {
    /// Whether the owner's limits let another turn begin; if not, why.
    pub(super) fn limited(&self, owner: &Owner, begin: &Begin, now: Time) -> Option<Begun> {
        let alive = |running: &Running| !running.expired(now);
        let running = self.shelf.of(owner).filter(|session| session.running.as_ref().is_some_and(alive)).count();
        if begin.max_running.is_some_and(|most| running >= most as usize) {
            return Some(Begun::Limited { name: None, retry_after: None });
        }
        self.over(&begin.reserve, now)
            .map(|(counter, left)| Begun::Limited { name: Some(counter.name.clone()), retry_after: Some(left) })
    }

    /// The first of these counters that is at its limit, and how long its window still is.
    pub(super) fn over<'a>(&self, counters: &'a [Counter], now: Time) -> Option<(&'a Counter, Duration)> {
        let now_ms = self.clock.ms(now);
        let over = |counter: &&Counter| {
            self.counters.count(&counter.name, &counter.key, counter.window, now_ms) >= counter.limit
        };
        counters.iter().find(over).map(|counter| {
            let end_ms = began(counter.window, now_ms).saturating_add(millis(counter.window));
            let left = u64::try_from(end_ms.saturating_sub(now_ms)).unwrap_or_default();
            (counter, Duration::from_millis(left))
        })
    }

    /// Reserves what a turn asks for.
    pub(super) fn reserve(&mut self, counters: Vec<Counter>, now: Time) -> Vec<Reserved> {
        let now_ms = self.clock.ms(now);
        counters.into_iter().map(|counter| self.counters.add(counter, now_ms)).collect()
    }
}

//! What is remembered for a day: keys and operations.

use std::collections::{HashMap, VecDeque};
use std::hash::Hash;

use super::state::{DAY, REMEMBERED, Time};

/// A map that forgets: what is older than a day, and the oldest of too many.
#[derive(Debug)]
pub(super) struct Aged<K, V> {
    map: HashMap<K, (Time, V)>,
    order: VecDeque<(Time, K)>,
}

impl<K, V> Default for Aged<K, V> {
    fn default() -> Self {
        Self { map: HashMap::new(), order: VecDeque::new() }
    }
}

impl<K: Clone + Eq + Hash, V> Aged<K, V> {
    pub(super) fn get(&self, key: &K, now: Time) -> Option<&V> {
        self.map.get(key).filter(|(at, _)| now < *at + DAY).map(|(_, value)| value)
    }

    pub(super) fn insert(&mut self, key: K, value: V, now: Time) {
        if self.order.len() >= REMEMBERED {
            self.drop_first();
        }
        self.order.push_back((now, key.clone()));
        self.map.insert(key, (now, value));
    }

    fn drop_first(&mut self) {
        let Some((at, key)) = self.order.pop_front() else { return };
        // A key that was used again after a day is in the order twice; only its own entry takes it away.
        if self.map.get(&key).is_some_and(|(inserted, _)| *inserted == at) {
            self.map.remove(&key);
        }
    }

    fn has_due(&self, now: Time) -> bool {
        self.order.front().is_some_and(|(at, _)| *at + DAY <= now)
    }

    /// Forgets at most `limit` that are older than a day; says how many, and whether some are left.
    pub(super) fn sweep(&mut self, now: Time, limit: u32) -> (u64, bool) {
        swept(self, limit, |this| this.has_due(now), Self::drop_first)
    }

    /// Forgets those of which `gone` is true.
    pub(super) fn forget(&mut self, gone: impl Fn(&K) -> bool) {
        self.map.retain(|key, _| !gone(key));
        self.order.retain(|(_, key)| !gone(key));
    }

    /// Gives other names to those for which `renamed` has one; they take the place of what bears it.
    pub(super) fn rename(&mut self, renamed: impl Fn(&K) -> Option<K>) {
        let old: Vec<_> = self.map.keys().filter_map(|key| Some((key.clone(), renamed(key)?))).collect();
        for (key, new) in old {
            self.map.remove(&key).into_iter().for_each(|value| drop(self.map.insert(new.clone(), value)));
        }
        for (_, key) in &mut self.order {
            renamed(key).into_iter().for_each(|new| *key = new);
        }
    }
}

/// Drops what is due, at most `limit`; says how many, and whether some are left.
pub(super) fn swept<T>(
    of: &mut T,
    limit: u32,
    has_due: impl Fn(&T) -> bool,
    drop_first: impl Fn(&mut T),
) -> (u64, bool) {
    let mut dropped = 0;
    while dropped < u64::from(limit) && has_due(of) {
        drop_first(of);
        dropped += 1;
    }
    (dropped, has_due(of))
}

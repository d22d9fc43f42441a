//! A bounded table that lets go of what was not used for the longest time.

use std::borrow::Borrow;
use std::collections::HashMap;
use std::hash::Hash;

pub(super) struct Recent<K, V> {
    most: usize,
    clock: u64,
    entries: HashMap<K, (u64, V)>,
}

impl<K: Hash + Eq, V> Recent<K, V> {
    pub(super) fn new(most: usize) -> Self {
        Self { most, clock: 0, entries: HashMap::new() }
    }

    pub(super) fn get<Q: Hash + Eq + ?Sized>(&mut self, key: &Q) -> Option<&mut V>
    where
        K: Borrow<Q>,
    {
        self.clock += 1;
        let entry = self.entries.get_mut(key)?;
        entry.0 = self.clock;
        Some(&mut entry.1)
    }

    pub(super) fn put(&mut self, key: K, value: V) {
        if self.entries.len() >= self.most {
            self.halve();
        }
        self.clock += 1;
        self.entries.insert(key, (self.clock, value));
    }

    pub(super) fn remove<Q: Hash + Eq + ?Sized>(&mut self, key: &Q)
    where
        K: Borrow<Q>,
    {
        self.entries.remove(key);
    }

    pub(super) fn retain(&mut self, keep: impl Fn(&K, &V) -> bool) {
        self.entries.retain(|key, (_, value)| keep(key, value));
    }

    /// Half at once, so that a full table costs little for each that comes.
    fn halve(&mut self) {
        let mut uses: Vec<u64> = self.entries.values().map(|(used, _)| *used).collect();
        uses.sort_unstable();
        let middle = uses[uses.len() / 2];
        self.entries.retain(|_, (used, _)| *used > middle);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_not_used_goes_first() {
        let mut recent = Recent::new(4);
        (0..4).for_each(|n| recent.put(n, n * 10));
        assert_eq!(recent.get(&0), Some(&mut 0));
        recent.put(9, 90);
        assert_eq!([0, 1, 9].map(|n| recent.get(&n).copied()), [Some(0), None, Some(90)]);
        assert!(recent.entries.len() <= 4);
    }
}

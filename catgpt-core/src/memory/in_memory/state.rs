//! All that is in the memory, and how it stays bounded.

use std::collections::{HashMap, VecDeque};
use std::hash::Hash;
use std::time::{Duration, Instant, SystemTime};

use super::Limits;
use super::session::Session;
use super::shelf::Shelf;
use crate::error::{Error, ErrorKind, Result};
use crate::event::{Change, ChangeKind};
use crate::id::{OpId, Owner, Seq, SessionId, TurnId};
use crate::memory::Done;

/// A moment, counted from the making of the memory.
pub(super) type Time = Duration;

/// How long keys, operation ids and changes are remembered.
pub(super) const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// How many of each are remembered, of all owners; the oldest go first.
pub(super) const REMEMBERED: usize = 1 << 16;

#[derive(Debug)]
pub(super) struct State {
    pub(super) limits: Limits,
    pub(super) clock: Clock,
    pub(super) shelf: Shelf,
    pub(super) turns: HashMap<TurnId, Place>,
    pub(super) keys: Aged<(Owner, SessionId, String), ([u8; 32], TurnId)>,
    pub(super) ops: Aged<(Owner, OpId), Vec<Done>>,
    pub(super) journal: Journal,
    pub(super) closed: bool,
}

/// Where a turn's reply is.
#[derive(Clone, Debug)]
pub(super) struct Place {
    pub(super) owner: Owner,
    pub(super) session: SessionId,
    pub(super) reply: Seq,
}

impl State {
    pub(super) fn new(limits: Limits) -> Self {
        Self {
            limits,
            clock: Clock::start(),
            shelf: Shelf::default(),
            turns: HashMap::new(),
            keys: Aged::default(),
            ops: Aged::default(),
            journal: Journal::default(),
            closed: false,
        }
    }

    pub(super) fn session(&self, owner: &Owner, id: &SessionId) -> Result<&Session> {
        self.shelf.get(owner, id).ok_or_else(|| Error::not_found("session").with("session", id))
    }

    /// The place of an owner's turn; what is foreign is not there.
    pub(super) fn place(&self, owner: &Owner, turn: TurnId) -> Result<Place> {
        let place = self.turns.get(&turn).filter(|place| place.owner == *owner);
        place.cloned().ok_or_else(|| Error::not_found("turn").with_turn(turn))
    }

    pub(super) fn note(&mut self, owner: &Owner, session: &SessionId, turn: Option<TurnId>, kind: ChangeKind) {
        let now = self.clock.now();
        let change = Change { n: 0, session: session.clone(), turn, kind, at_ms: self.clock.ms(now) };
        self.journal.push(owner, change, now);
    }

    /// Forgets the turns of a session that is gone.
    pub(super) fn forget(&mut self, session: &Session) {
        for turn in session.rows().iter().filter_map(|row| row.turn) {
            self.turns.remove(&turn);
        }
    }

    /// Makes room for so many more bytes and sessions. Never touches the sessions of `keep` or one in which a turn
    /// runs, and nothing at all where that does not suffice.
    pub(super) fn make_room(&mut self, owner: &Owner, keep: &[&SessionId], bytes: u64, sessions: usize) -> Result<()> {
        let mut bytes_over = (self.shelf.bytes() + bytes).saturating_sub(self.limits.bytes);
        let mut sessions_over = (self.shelf.count() + sessions).saturating_sub(self.limits.sessions);
        let mut victims = Vec::new();
        for (_, whose, session) in self.shelf.by_use() {
            if bytes_over == 0 && sessions_over == 0 {
                break;
            }
            if session.running.is_none() && !(whose == owner && keep.contains(&session.id())) {
                bytes_over = bytes_over.saturating_sub(session.weight());
                sessions_over = sessions_over.saturating_sub(1);
                victims.push((whose.clone(), session.id().clone()));
            }
        }
        if bytes_over > 0 || sessions_over > 0 {
            let text = "the memory is full and its sessions are in use; wait for turns to end, or give it more room";
            return Err(Error::new(ErrorKind::StoreFull, text).with("max_bytes", self.limits.bytes));
        }
        victims.iter().for_each(|(owner, id)| self.evict(owner, id));
        Ok(())
    }

    /// Deletes a session to make room. Its owner's feed says so.
    pub(super) fn evict(&mut self, owner: &Owner, id: &SessionId) {
        if let Some(session) = self.shelf.remove(owner, id) {
            self.forget(&session);
            self.note(owner, id, None, ChangeKind::Deleted);
        }
    }
}

/// Time that never goes back.
#[derive(Debug)]
pub(super) struct Clock {
    start: Instant,
    start_ms: i64,
    /// How far tests have turned it on.
    #[cfg(test)]
    pub(super) ahead: Duration,
}

impl Clock {
    fn start() -> Self {
        let since_1970 = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        Self {
            start: Instant::now(),
            start_ms: millis(since_1970),
            #[cfg(test)]
            ahead: Duration::ZERO,
        }
    }

    pub(super) fn now(&self) -> Time {
        let now = self.start.elapsed();
        #[cfg(test)]
        let now = now + self.ahead;
        now
    }

    /// Milliseconds since 1970.
    pub(super) fn ms(&self, time: Time) -> i64 {
        self.start_ms.saturating_add(millis(time))
    }
}

fn millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}

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
        let mut dropped = 0;
        while dropped < u64::from(limit) && self.has_due(now) {
            self.drop_first();
            dropped += 1;
        }
        (dropped, self.has_due(now))
    }
}

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

    fn push(&mut self, owner: &Owner, change: Change, now: Time) {
        if self.order.len() >= REMEMBERED {
            self.drop_first();
        }
        self.order.push_back((now, owner.clone()));
        let n = self.end(owner) + 1;
        self.owners.entry(owner.clone()).or_default().push_back(Change { n, ..change });
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
        let mut dropped = 0;
        while dropped < u64::from(limit) && self.has_due(now) {
            self.drop_first();
            dropped += 1;
        }
        (dropped, self.has_due(now))
    }
}

//! All that is in the memory, and how it stays bounded.

use std::collections::HashMap;
use std::time::{Duration, Instant, SystemTime};

use super::Limits;
use super::aged::Aged;
use super::counters::Counters;
use super::journal::Journal;
use super::ledger::Ledger;
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

/// How many of each are remembered, of all owners; the oldest go first. The same holds for the lines of the ledger.
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
    pub(super) ledger: Ledger,
    pub(super) counters: Counters,
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
            ledger: Ledger::default(),
            counters: Counters::default(),
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

    /// Remembers where the turns of a session are.
    pub(super) fn place_turns(&mut self, owner: &Owner, session: &Session) {
        self.turns.extend(session.turns(owner));
    }

    /// Forgets the turns of a session that is gone.
    pub(super) fn forget(&mut self, session: &Session) {
        for turn in session.rows().iter().filter_map(|row| row.turn) {
            self.turns.remove(&turn);
        }
    }

    /// Makes room for so many more bytes and sessions. Never touches the sessions of `keep` or one in which a turn
    /// runs, and nothing at all where that does not suffice.
    pub(super) fn make_room(&mut self, keep: &[(&Owner, &SessionId)], bytes: u64, sessions: usize) -> Result<()> {
        let mut bytes_over = (self.shelf.bytes() + bytes).saturating_sub(self.limits.bytes);
        let mut sessions_over = (self.shelf.count() + sessions).saturating_sub(self.limits.sessions);
        let mut victims = Vec::new();
        for (_, whose, session) in self.shelf.by_use() {
            if bytes_over == 0 && sessions_over == 0 {
                break;
            }
            if session.running.is_none() && !keep.contains(&(whose, session.id())) {
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
    pub(super) fn start() -> Self {
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

pub(super) fn millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}

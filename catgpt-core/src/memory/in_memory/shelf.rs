//! The sessions of all owners: what they weigh, and which goes first when there is no room.

use std::collections::{BTreeMap, HashMap};

use super::session::Session;
use super::state::Time;
use crate::id::{Owner, SessionId};

/// The sessions of all owners.
#[derive(Debug, Default)]
pub(super) struct Shelf {
    owners: HashMap<Owner, HashMap<SessionId, Placed>>,
    /// Every session by the last use, the longest unused first.
    uses: BTreeMap<Use, (Owner, SessionId)>,
    bytes: u64,
    ticks: u64,
}

/// When a session was used last; the tick tells apart what happened at the same time.
type Use = (Time, u64);

#[derive(Debug)]
struct Placed {
    session: Session,
    used: Use,
}

impl Shelf {
    pub(super) fn bytes(&self) -> u64 {
        self.bytes
    }

    pub(super) fn count(&self) -> usize {
        self.uses.len()
    }

    pub(super) fn get(&self, owner: &Owner, id: &SessionId) -> Option<&Session> {
        self.owners.get(owner)?.get(id).map(|placed| &placed.session)
    }

    /// Every session of one owner.
    pub(super) fn of(&self, owner: &Owner) -> impl Iterator<Item = &Session> {
        self.owners.get(owner).into_iter().flat_map(HashMap::values).map(|placed| &placed.session)
    }

    /// Owners who have sessions, by name.
    pub(super) fn owners(&self, after: Option<&Owner>, limit: usize) -> Vec<Owner> {
        let mut owners: Vec<_> = self.owners.keys().filter(|owner| after.is_none_or(|after| *owner > after)).collect();
        owners.sort_unstable();
        owners.into_iter().take(limit).cloned().collect()
    }

    /// Every session, the longest unused first.
    pub(super) fn by_use(&self) -> impl Iterator<Item = (Time, &Owner, &Session)> {
        self.uses.iter().filter_map(|((at, _), (owner, id))| Some((*at, owner, self.get(owner, id)?)))
    }

    /// Changes a session that is there.
    pub(super) fn change<T>(&mut self, owner: &Owner, id: &SessionId, f: impl FnOnce(&mut Session) -> T) -> Option<T> {
        let placed = self.owners.get_mut(owner)?.get_mut(id)?;
        let before = placed.session.weight();
        let answer = f(&mut placed.session);
        self.bytes = self.bytes - before + placed.session.weight();
        Some(answer)
    }

    /// Puts a session in, in the place of one with the same id, as used at `now`.
    pub(super) fn put(&mut self, owner: &Owner, session: Session, now: Time) {
        let id = session.id().clone();
        self.remove(owner, &id);
        self.ticks += 1;
        let used = (now, self.ticks);
        self.bytes += session.weight();
        self.uses.insert(used, (owner.clone(), id.clone()));
        self.owners.entry(owner.clone()).or_default().insert(id, Placed { session, used });
    }

    pub(super) fn remove(&mut self, owner: &Owner, id: &SessionId) -> Option<Session> {
        let sessions = self.owners.get_mut(owner)?;
        let Placed { session, used } = sessions.remove(id)?;
        if sessions.is_empty() {
            self.owners.remove(owner);
        }
        self.uses.remove(&used);
        self.bytes -= session.weight();
        Some(session)
    }

    /// Marks a session as used.
    pub(super) fn touch(&mut self, owner: &Owner, id: &SessionId, now: Time) {
        let Some(placed) = self.owners.get_mut(owner).and_then(|sessions| sessions.get_mut(id)) else { return };
        self.ticks += 1;
        let before = std::mem::replace(&mut placed.used, (now, self.ticks));
        if let Some(place) = self.uses.remove(&before) {
            self.uses.insert(placed.used, place);
        }
    }
}

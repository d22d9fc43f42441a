//! Many sessions at once: deletion, erasure, and what one owner takes over from another.

use super::apply::{Draft, Later};
use super::session::Session;
use crate::error::{Error, ErrorKind, Result};
use crate::event::ChangeKind::{Created, Deleted};
use crate::id::{Owner, SessionId};
use crate::memory::Done;

/// How many ids an error names.
const NAMED: usize = 100;

impl Draft<'_> {
    pub(super) fn delete_many(&mut self, sessions: Vec<SessionId>) -> Done {
        let mut count = 0;
        for id in sessions {
            if self.take(self.owner, &id).is_some() {
                self.note(id, Deleted);
                count += 1;
            }
        }
        Done::Count(count)
    }

    pub(super) fn delete_empty(&mut self, limit: u32) -> Done {
        let empty = self.ids(self.owner, |session| session.rows().is_empty());
        self.delete_many(empty.into_iter().take(limit as usize).collect())
    }

    pub(super) fn erase(&mut self, limit: u32) -> Done {
        let all = self.ids(self.owner, |_| true);
        if all.is_empty() {
            self.later.push(Later::Forget);
            return Done::Count(0);
        }
        self.delete_many(all.into_iter().take(limit as usize).collect())
    }

    pub(super) fn claim(&mut self, from: Owner) -> Result<Done> {
        if from == *self.owner {
            return Ok(Done::Count(0));
        }
        let all = self.ids(&from, |_| true);
        self.unlike(&all)?;
        all.iter().try_for_each(|id| self.state.session(&from, id)?.idle())?;
        for id in &all {
            self.remember(self.owner, id);
            let Some(session) = self.take(&from, id) else { continue };
            self.state.place_turns(self.owner, &session);
            self.state.shelf.put(self.owner, session, self.now);
            self.later.push(Later::Note(from.clone(), id.clone(), Deleted));
            self.note(id.clone(), Created);
        }
        let count = Done::Count(all.len() as u64);
        self.later.push(Later::TakeOver(from, all));
        Ok(count)
    }

    /// Refuses sessions of which the owner has equal ones.
    fn unlike(&self, sessions: &[SessionId]) -> Result<()> {
        let equal = sessions.iter().filter(|id| self.state.shelf.get(self.owner, id).is_some());
        let equal: Vec<_> = equal.take(NAMED).map(SessionId::as_str).collect();
        if equal.is_empty() {
            return Ok(());
        }
        let text = "both have sessions of the same id; delete one of each pair, or import it under another id";
        Err(Error::new(ErrorKind::Conflict, text).with("sessions", serde_json::json!(equal)))
    }

    fn ids(&self, owner: &Owner, is: impl Fn(&Session) -> bool) -> Vec<SessionId> {
        let sessions = self.state.shelf.of(owner).filter(|session| is(session));
        let mut ids: Vec<_> = sessions.map(|session| session.id().clone()).collect();
        ids.sort_unstable();
        ids
    }

    /// Keys and the ledger come over from another owner.
    pub(super) fn take_over(&mut self, from: &Owner, sessions: &[SessionId]) {
        let to = self.owner;
        self.state.keys.rename(|(owner, session, key)| {
            let comes = owner == from && sessions.binary_search(session).is_ok();
            comes.then(|| (to.clone(), session.clone(), key.clone()))
        });
        self.state.ledger.give(from, to);
    }

    /// Forgets all of the owner that is not a session.
    pub(super) fn forget_all(&mut self) {
        let whose = self.owner;
        self.state.keys.forget(|(owner, ..)| owner == whose);
        self.state.ops.forget(|(owner, _)| owner == whose);
        self.state.journal.forget(whose);
        self.state.ledger.take(whose);
        self.state.counters.forget(whose.as_str());
    }
}

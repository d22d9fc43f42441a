//! Changes outside a turn: all of a call, or none of it.

use std::collections::HashMap;

use super::ledger::{Line, Sum};
use super::session::Session;
use super::state::{State, Time};
use crate::error::Result;
use crate::event::ChangeKind::{self, Created, Deleted, Renamed, Titled, Updated};
use crate::id::{OpId, Owner, Seq, SessionId, TurnId};
use crate::memory::{Counter, Done, Op, Settle};

impl State {
    pub(super) fn apply(&mut self, owner: &Owner, op_id: OpId, ops: Vec<Op>) -> Result<Vec<Done>> {
        ops.iter().try_for_each(Op::check)?;
        let now = self.clock.now();
        if let Some(done) = self.ops.get(&(owner.clone(), op_id), now) {
            return Ok(done.clone());
        }
        let erases = ops.iter().any(|op| matches!(op, Op::Erase { .. }));
        let mut draft = Draft { state: self, owner, now, before: HashMap::new(), later: Vec::new() };
        let done = ops.into_iter().map(|op| draft.op(op)).collect::<Result<Vec<_>>>();
        let done = draft.end(done)?;
        if !erases {
            self.ops.insert((owner.clone(), op_id), done.clone(), now);
        }
        Ok(done)
    }
}

/// A call that is under way: changes of sessions are made at once, and taken back if one of them fails. What else
/// there is to do is done at the end, since no change looks at it.
pub(super) struct Draft<'a> {
    pub(super) state: &'a mut State,
    pub(super) owner: &'a Owner,
    pub(super) now: Time,
    /// Every session that was touched, as it was before the call.
    before: HashMap<(Owner, SessionId), Option<Session>>,
    pub(super) later: Vec<Later>,
}

/// What is done when the whole call has been.
pub(super) enum Later {
    Note(Owner, SessionId, ChangeKind),
    Bill(Line, Sum),
    Reserve(Vec<Counter>),
    Settle(Vec<Settle>),
    /// The keys of these sessions, and the ledger, come over from this owner.
    TakeOver(Owner, Vec<SessionId>),
    /// The owner has no sessions any more; all else goes.
    Forget,
}

impl Draft<'_> {
    fn op(&mut self, op: Op) -> Result<Done> {
        match op {
            Op::Create { session, title, pin, meta, ttl } => self.create(session, |session| {
                (session.title, session.pin, session.meta, session.ttl) = (title, pin, meta, ttl);
            }),
            Op::SetTitle { session, title, over } => self.set_title(session, title, over),
            Op::SetMeta { session, meta } => self.change(session, Updated, |session| session.meta = meta),
            Op::Mark { session, pinned, archived } => self.mark(session, pinned, archived),
            Op::SetTtl { session, ttl } => self.change(session, Updated, |session| session.ttl = ttl),
            Op::SetPin { session, pin } => self.change(session, Updated, |session| session.pin = Some(pin)),
            Op::SetHead { session, head, if_version } => self.set_head(session, head, if_version),
            Op::Cancel { turn } => self.cancel(turn),
            Op::Delete { session } => self.delete(session),
            Op::DeleteMany { sessions } => Ok(self.delete_many(sessions)),
            Op::DeleteEmpty { limit } => Ok(self.delete_empty(limit)),
            Op::Erase { limit } => Ok(self.erase(limit)),
            Op::Claim { from } => self.claim(from),
            Op::Import { session, after, rows } => self.import(*session, after, rows),
            Op::Append { session, parent, rows, if_version, title, ttl } => {
                self.append(session, (parent, if_version), rows, (title, ttl))
            }
            Op::AddSummary { session, upto, over, body, model, usage } => {
                self.add_summary(session, (upto, over), (body, model, usage))
            }
            Op::SetSummary { session, summary } => self.set_summary(session, summary),
            Op::Index { session, from, upto, messages, title } => self.index(&session, (from, upto), messages, title),
            Op::Unindex { limit } => Ok(self.unindex(limit)),
            Op::Reseal { session, if_version, resealed } => self.reseal(&session, if_version, resealed),
            Op::Bill { session, model, purpose, usage, cost } => {
                let line = Line::new(self.state.clock.ms(self.now), self.owner, &session, model, purpose);
                self.later.push(Later::Bill(line, Sum::once(usage, cost)));
                Ok(Done::Nothing)
            }
            Op::Reserve { counters } => self.reserve(counters),
            Op::Settle { settle } => {
                self.later.push(Later::Settle(settle));
                Ok(Done::Nothing)
            }
        }
    }

    fn reserve(&mut self, counters: Vec<Counter>) -> Result<Done> {
        if let Some((counter, left)) = self.state.over(&counters, self.now) {
            return Err(counter.refused(Some(left)));
        }
        self.later.push(Later::Reserve(counters));
        Ok(Done::Count(self.state.clock.ms(self.now).try_into().unwrap_or_default()))
    }

    /// Remembers a session as it is before the first change to it.
    pub(super) fn remember(&mut self, owner: &Owner, id: &SessionId) {
        let before = self.state.shelf.get(owner, id).cloned();
        self.before.entry((owner.clone(), id.clone())).or_insert(before);
    }

    pub(super) fn note(&mut self, id: SessionId, kind: ChangeKind) {
        self.later.push(Later::Note(self.owner.clone(), id, kind));
    }

    pub(super) fn change(&mut self, id: SessionId, kind: ChangeKind, f: impl FnOnce(&mut Session)) -> Result<Done> {
        let now_ms = self.state.clock.ms(self.now);
        self.change_at(id, kind, |session| {
            f(session);
            session.changed(now_ms);
        })
    }

    /// Changes a session; the change says itself that it is one.
    pub(super) fn change_at(&mut self, id: SessionId, kind: ChangeKind, f: impl FnOnce(&mut Session)) -> Result<Done> {
        self.state.session(self.owner, &id)?;
        self.remember(self.owner, &id);
        let version = self.state.shelf.change(self.owner, &id, |session| {
            f(session);
            session.version
        });
        self.note(id, kind);
        Ok(version.map_or(Done::Nothing, Done::Version))
    }

    /// Puts an empty session in its place.
    pub(super) fn make(&mut self, id: &SessionId) {
        self.remember(self.owner, id);
        let session = Session::new(id.clone(), self.state.clock.ms(self.now));
        self.state.shelf.put(self.owner, session, self.now);
    }

    fn create(&mut self, id: SessionId, fill: impl FnOnce(&mut Session)) -> Result<Done> {
        if self.state.shelf.get(self.owner, &id).is_some() {
            return Ok(Done::Nothing);
        }
        self.make(&id);
        self.change(id, Created, fill)
    }

    fn set_title(&mut self, id: SessionId, title: Option<Vec<u8>>, over: Option<Vec<u8>>) -> Result<Done> {
        let session = self.state.session(self.owner, &id)?;
        if over.is_some() && session.title != over {
            return Ok(Done::Nothing);
        }
        let kind = if over.is_some() { Titled } else { Renamed };
        self.change(id, kind, |session| session.entitle(title))
    }

    fn mark(&mut self, id: SessionId, pinned: Option<bool>, archived: Option<bool>) -> Result<Done> {
        self.change_at(id, Updated, |session| {
            session.pinned = pinned.unwrap_or(session.pinned);
            session.archived = archived.unwrap_or(session.archived);
            session.changed(session.updated_ms());
        })
    }

    fn set_head(&mut self, id: SessionId, head: Seq, if_version: Option<u64>) -> Result<Done> {
        let session = self.state.session(self.owner, &id)?;
        session.idle()?;
        session.at(if_version)?;
        session.find(head)?;
        self.change(id, Updated, |session| session.head = Some(head))
    }

    fn cancel(&mut self, turn: TurnId) -> Result<Done> {
        let place = self.state.place(self.owner, turn)?;
        let session = self.state.session(self.owner, &place.session)?;
        if session.running.as_ref().is_none_or(|running| running.turn != turn) {
            return Ok(Done::Nothing);
        }
        self.remember(self.owner, &place.session);
        let version = self.state.shelf.change(self.owner, &place.session, |session| {
            session.running.iter_mut().for_each(|running| running.cancel = true);
            session.version
        });
        Ok(version.map_or(Done::Nothing, Done::Version))
    }

    fn delete(&mut self, id: SessionId) -> Result<Done> {
        match self.take(self.owner, &id) {
            Some(_) => self.note(id, Deleted),
            None => return self.state.session(self.owner, &id).map(|_| Done::Nothing),
        }
        Ok(Done::Nothing)
    }

    /// Takes a session out, with its turns.
    pub(super) fn take(&mut self, owner: &Owner, id: &SessionId) -> Option<Session> {
        self.remember(owner, id);
        let session = self.state.shelf.remove(owner, id)?;
        self.state.forget(&session);
        Some(session)
    }

    /// Keeps what was done, or takes it back.
    fn end(mut self, done: Result<Vec<Done>>) -> Result<Vec<Done>> {
        let touched: Vec<_> = self.before.keys().map(|(owner, id)| (owner, id)).collect();
        let done = done.and_then(|done| self.state.make_room(&touched, 0, 0).map(|()| done));
        if done.is_err() {
            self.undo();
            return done;
        }
        touched.iter().for_each(|(owner, id)| self.state.shelf.touch(owner, id, self.now));
        for later in std::mem::take(&mut self.later) {
            self.finally(later);
        }
        done
    }

    fn undo(self) {
        for (owner, id) in self.before.keys() {
            self.state.shelf.remove(owner, id).into_iter().for_each(|session| self.state.forget(&session));
        }
        for ((owner, _), before) in self.before {
            if let Some(session) = before {
                self.state.place_turns(&owner, &session);
                self.state.shelf.put(&owner, session, self.now);
            }
        }
    }

    fn finally(&mut self, later: Later) {
        match later {
            Later::Note(owner, id, kind) => self.state.note(&owner, &id, None, kind),
            Later::Bill(line, sum) => self.state.ledger.add(line, sum),
            Later::Reserve(counters) => drop(self.state.reserve(counters, self.now)),
            Later::Settle(settle) => settle.into_iter().for_each(|settle| self.state.counters.settle(settle)),
            Later::TakeOver(from, sessions) => self.take_over(&from, &sessions),
            Later::Forget => self.forget_all(),
        }
    }
}

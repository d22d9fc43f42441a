//! Changes outside a turn: all of a call, or none of it.

use std::collections::HashMap;

use super::session::Session;
use super::state::{State, Time};
use crate::error::{Error, ErrorKind, Result};
use crate::event::ChangeKind::{self, Created, Deleted, Titled, Updated};
use crate::id::{OpId, Owner, Seq, SessionId, TurnId};
use crate::memory::check::unsupported;
use crate::memory::{Done, Op};

impl State {
    pub(super) fn apply(&mut self, owner: &Owner, op_id: OpId, ops: Vec<Op>) -> Result<Vec<Done>> {
        ops.iter().try_for_each(Op::check)?;
        let now = self.clock.now();
        if let Some(done) = self.ops.get(&(owner.clone(), op_id), now) {
            return Ok(done.clone());
        }
        let mut draft = Draft { state: self, owner, now, before: HashMap::new(), gone: Vec::new(), notes: Vec::new() };
        let done = ops.into_iter().map(|op| draft.op(op)).collect::<Result<Vec<_>>>();
        let done = draft.end(done)?;
        self.ops.insert((owner.clone(), op_id), done.clone(), now);
        Ok(done)
    }
}

/// A call that is under way: the changes are made at once, and taken back if one of them fails.
struct Draft<'a> {
    state: &'a mut State,
    owner: &'a Owner,
    now: Time,
    /// Every session that was touched, as it was before the call.
    before: HashMap<SessionId, Option<Session>>,
    gone: Vec<Session>,
    notes: Vec<(SessionId, ChangeKind)>,
}

impl Draft<'_> {
    fn op(&mut self, op: Op) -> Result<Done> {
        match op {
            Op::Create { session, title, pin, .. } => self.create(session, title, pin),
            Op::SetTitle { session, title, .. } => self.change(session, Titled, |session| session.title = title),
            Op::SetPin { session, pin } => self.change(session, Updated, |session| session.pin = Some(pin)),
            Op::SetHead { session, head, if_version } => self.set_head(session, head, if_version),
            Op::Cancel { turn } => self.cancel(turn),
            Op::Delete { session } => self.delete(session),
            _ => Err(unsupported()),
        }
    }

    /// Remembers a session as it is before the first change to it.
    fn remember(&mut self, id: &SessionId) {
        let before = self.state.shelf.get(self.owner, id).cloned();
        self.before.entry(id.clone()).or_insert(before);
    }

    fn change(&mut self, id: SessionId, kind: ChangeKind, change: impl FnOnce(&mut Session)) -> Result<Done> {
        self.state.session(self.owner, &id)?;
        self.remember(&id);
        let now_ms = self.state.clock.ms(self.now);
        let version = self.state.shelf.change(self.owner, &id, |session| {
            change(session);
            session.changed(now_ms);
            session.version
        });
        self.notes.push((id, kind));
        Ok(version.map_or(Done::Nothing, Done::Version))
    }

    fn create(&mut self, id: SessionId, title: Option<Vec<u8>>, pin: Option<Vec<u8>>) -> Result<Done> {
        if self.state.shelf.get(self.owner, &id).is_some() {
            return Ok(Done::Nothing);
        }
        self.remember(&id);
        let session = Session::new(id.clone(), self.state.clock.ms(self.now));
        self.state.shelf.put(self.owner, session, self.now);
        self.change(id, Created, |session| (session.title, session.pin) = (title, pin))
    }

    fn set_head(&mut self, id: SessionId, head: Seq, if_version: Option<u64>) -> Result<Done> {
        let session = self.state.session(self.owner, &id)?;
        if let Some(running) = &session.running {
            let text = "a turn runs in this session; wait for its end, or cancel it";
            return Err(Error::new(ErrorKind::Busy, text).with_turn(running.turn));
        }
        if if_version.is_some_and(|version| version != session.version) {
            let text = "the session has changed; read it again";
            return Err(Error::new(ErrorKind::Conflict, text).with("version", session.version));
        }
        session.get(head).ok_or_else(|| Error::not_found("message").with("seq", head))?;
        self.change(id, Updated, |session| session.head = Some(head))
    }

    fn cancel(&mut self, turn: TurnId) -> Result<Done> {
        let place = self.state.place(self.owner, turn)?;
        let session = self.state.session(self.owner, &place.session)?;
        // The session may have been deleted and made anew by this very call.
        if session.get(place.reply).is_none_or(|row| row.turn != Some(turn)) {
            return Err(Error::not_found("turn").with_turn(turn));
        }
        if session.running.as_ref().is_none_or(|running| running.turn != turn) {
            return Ok(Done::Nothing);
        }
        self.remember(&place.session);
        let version = self.state.shelf.change(self.owner, &place.session, |session| {
            session.running.iter_mut().for_each(|running| running.cancel = true);
            session.version
        });
        Ok(version.map_or(Done::Nothing, Done::Version))
    }

    fn delete(&mut self, id: SessionId) -> Result<Done> {
        self.state.session(self.owner, &id)?;
        self.remember(&id);
        self.gone.extend(self.state.shelf.remove(self.owner, &id));
        self.notes.push((id, Deleted));
        Ok(Done::Nothing)
    }

    /// Keeps what was done, or takes it back.
    fn end(self, done: Result<Vec<Done>>) -> Result<Vec<Done>> {
        let touched: Vec<_> = self.before.keys().collect();
        let done = done.and_then(|done| self.state.make_room(self.owner, &touched, 0, 0).map(|()| done));
        if done.is_err() {
            for (id, before) in self.before {
                self.state.shelf.remove(self.owner, &id);
                before.into_iter().for_each(|session| self.state.shelf.put(self.owner, session, self.now));
            }
            return done;
        }
        self.gone.iter().for_each(|session| self.state.forget(session));
        touched.iter().for_each(|id| self.state.shelf.touch(self.owner, id, self.now));
        self.notes.iter().for_each(|(id, kind)| self.state.note(self.owner, id, None, *kind));
        done
    }
}

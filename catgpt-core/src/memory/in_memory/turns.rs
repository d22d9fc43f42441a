//! Turns: the gate, the pieces, the end.

use std::sync::Arc;

use super::ledger::{Line, Sum};
use super::session::{Running, Session, row};
use super::state::{Place, State, Time};
use crate::error::{Error, ErrorKind, Result};
use crate::event::ChangeKind;
use crate::id::Owner;
use crate::memory::{Begin, Begun, Checkpoint, Chunk, Finish, Kept, Limit, Opened, Purpose, Reserved, Row, Sealed};
use crate::message::{Role, Status};

impl State {
    pub(super) fn begin_turn(&mut self, owner: &Owner, begin: Begin) -> Result<Begun> {
        begin.check()?;
        let now = self.clock.now();
        if let Some(known) = self.known(owner, &begin, now)? {
            return Ok(known);
        }
        let mut fresh = Session::new(begin.session.clone(), self.clock.ms(now));
        fresh.ttl = begin.ttl;
        let there = self.shelf.get(owner, &begin.session);
        let (created, session) = (there.is_none(), there.unwrap_or(&fresh));
        if let Some(refused) = gate(session, &begin, now)? {
            return Ok(refused);
        }
        session.above(begin.parent, begin.message.is_some())?;
        if let Some(limited) = self.limited(owner, &begin, now) {
            return Ok(limited);
        }
        let weight = Session::weight_of(&begin) + if created { session.weight() } else { 0 };
        self.make_room(&[(owner, &begin.session)], weight, usize::from(created))?;
        if created {
            self.shelf.put(owner, fresh, now);
            self.note(owner, &begin.session, None, ChangeKind::Created);
        }
        self.start(owner, begin, created, now)
    }

    /// The answer to a begin that was made before.
    fn known(&mut self, owner: &Owner, begin: &Begin, now: Time) -> Result<Option<Begun>> {
        if self.turns.contains_key(&begin.turn) {
            let place = self.place(owner, begin.turn)?;
            return self.again(owner, begin, &place, now).map(Some);
        }
        let Some((key, hash)) = &begin.key else { return Ok(None) };
        match self.keys.get(&(owner.clone(), begin.session.clone(), key.clone()), now) {
            Some((known, turn)) if known == hash => Ok(Some(Begun::Replay { turn: *turn })),
            Some((_, turn)) => Err(conflict("this key was used for something else; take a new one").with_turn(*turn)),
            None => Ok(None),
        }
    }

    fn again(&mut self, owner: &Owner, begin: &Begin, place: &Place, now: Time) -> Result<Begun> {
        if place.session != begin.session {
            return Err(conflict("this turn is in another session; take a new id").with_turn(begin.turn));
        }
        let begun = self.shelf.change(owner, &place.session, |session| {
            let running = session.running.as_mut().filter(|running| running.turn == begin.turn)?;
            running.until = now.saturating_add(begin.lease);
            let running = running.clone();
            Some(opened(session, &running, begin.window, now))
        });
        Ok(begun.flatten().transpose()?.unwrap_or(Begun::Replay { turn: begin.turn }))
    }

    fn start(&mut self, owner: &Owner, mut begin: Begin, created: bool, now: Time) -> Result<Begun> {
        let (turn, id, now_ms) = (begin.turn, begin.session.clone(), self.clock.ms(now));
        let key = begin.key.clone();
        let reserved = self.reserve(std::mem::take(&mut begin.reserve), now);
        let started = self.shelf.change(owner, &id, |session| write(session, begin, (created, reserved), now, now_ms));
        let begun =
            started.ok_or_else(|| Error::new(ErrorKind::Unexpected, "the session went while it was begun"))??;
        let Begun::Started(opened) = &begun else { return Ok(begun) };
        self.turns.insert(turn, Place { owner: owner.clone(), session: id.clone(), reply: opened.reply_seq });
        if let Some((key, hash)) = key {
            self.keys.insert((owner.clone(), id.clone(), key), (hash, turn), now);
        }
        self.shelf.touch(owner, &id, now);
        self.note(owner, &id, Some(turn), ChangeKind::TurnBegun);
        Ok(begun)
    }

    pub(super) fn checkpoint(&mut self, owner: &Owner, piece: Checkpoint) -> Result<Kept> {
        piece.check()?;
        let now = self.clock.now();
        let Ok(Place { session: id, .. }) = self.place(owner, piece.turn) else { return Ok(Kept::Refused) };
        let running = self.session(owner, &id)?.running.as_ref().filter(|running| running.turn == piece.turn);
        let Some(running) = running else { return Ok(Kept::Refused) };
        let new = !piece.body.is_empty() && piece.to > running.end();
        if new && piece.from != running.end() {
            return Err(conflict("this piece does not begin where the last one ended")
                .with("from", piece.from)
                .with("stored", running.end()));
        }
        if new {
            self.make_room(&[(owner, &id)], piece.body.len() as u64, 0)?;
        }
        let cancel = self.shelf.change(owner, &id, |session| renew(session, piece, new, now));
        self.shelf.touch(owner, &id, now);
        Ok(Kept::Renewed { cancel: cancel.unwrap_or_default() })
    }

    pub(super) fn finish_turn(&mut self, owner: &Owner, mut finish: Finish) -> Result<Sealed> {
        finish.check()?;
        let (now, Place { session: id, reply, .. }) = (self.clock.now(), self.place(owner, finish.turn)?);
        let session = self.session(owner, &id)?;
        let row = session.get(reply).ok_or_else(|| Error::not_found("turn").with_turn(finish.turn))?;
        let Some(running) = session.running.as_ref().filter(|running| running.turn == finish.turn) else {
            return Ok(Sealed::Before(Box::new(row.clone())));
        };
        if finish.if_expired && !running.expired(now) {
            return Ok(Sealed::Alive { lease_left: running.until - now });
        }
        let more = (finish.body.len() as u64).saturating_sub(running.weight());
        let model = row.model.clone().unwrap_or_default();
        self.make_room(&[(owner, &id)], more, 0)?;
        let now_ms = self.clock.ms(now);
        let (turn, sum) = (finish.turn, Sum::once(finish.usage.unwrap_or_default(), finish.cost));
        self.ledger.add(Line::new(now_ms, owner, &id, model, Purpose::Turn), sum);
        std::mem::take(&mut finish.settle).into_iter().for_each(|settle| self.counters.settle(settle));
        self.shelf.change(owner, &id, |session| {
            session.end(|row| *row = ended(row, finish));
            session.changed(now_ms);
        });
        self.shelf.touch(owner, &id, now);
        self.note(owner, &id, Some(turn), ChangeKind::TurnEnded);
        Ok(Sealed::Now)
    }
}

/// Whether the session lets another turn begin; if not, why.
fn gate(session: &Session, begin: &Begin, now: Time) -> Result<Option<Begun>> {
    if begin.if_version.is_some_and(|version| version != session.version) {
        return Err(conflict("the session has changed; read it again")
            .with("session", session.id())
            .with("version", session.version));
    }
    Ok(session.running.as_ref().map(|running| match running.until.saturating_sub(now) {
        Time::ZERO => Begun::Stale { turn: running.turn },
        lease_left => Begun::Busy { turn: running.turn, lease_left },
    }))
}

/// Writes the two messages of a new turn.
fn write(
    session: &mut Session,
    begin: Begin,
    (created, reserved): (bool, Vec<Reserved>),
    now: Time,
    now_ms: i64,
) -> Result<Begun> {
    let above = session.above(begin.parent, begin.message.is_some())?;
    let turn = begin.turn;
    if session.rows().is_empty() && session.title.is_none() {
        session.entitle(begin.title);
    }
    let user =
        begin.message.map(|body| session.push(Row { body, ..row(above, turn, Role::User, Status::Complete, now_ms) }));
    let empty = row(user.or(above), turn, Role::Assistant, Status::Running, now_ms);
    let reply = session.push(Row { model: Some(begin.model), ..empty });
    if session.pin.is_none() || begin.pin.replace {
        session.pin = Some(begin.pin.body);
    }
    let until = now.saturating_add(begin.lease);
    let running = Running { turn, reply, user, created, until, cancel: false, chunks: Arc::default(), reserved };
    session.running = Some(running.clone());
    session.changed(now_ms);
    opened(session, &running, begin.window, now)
}

fn opened(session: &Session, running: &Running, window: Limit, now: Time) -> Result<Begun> {
    let above = session.get(running.reply).and_then(|reply| reply.parent);
    Ok(Begun::Started(Box::new(Opened {
        session: session.row(now),
        created: running.created,
        user_seq: running.user,
        reply_seq: running.reply,
        window: session.branch(above, window)?.0,
        summary: session.summary.and_then(|seq| session.get(seq).cloned()),
    })))
}

/// Renews the lease, and keeps the piece if it is new. Answers whether the turn should stop.
fn renew(session: &mut Session, piece: Checkpoint, new: bool, now: Time) -> bool {
    if new {
        session.keep(Chunk { from: piece.from, to: piece.to, body: piece.body });
    }
    session.running.as_mut().is_some_and(|running| {
        running.until = now.saturating_add(piece.lease);
        running.cancel
    })
}

fn ended(row: &Row, finish: Finish) -> Row {
    Row { status: finish.status, body: finish.body, usage: finish.usage, ..row.clone() }
}

fn conflict(text: &'static str) -> Error {
    Error::new(ErrorKind::Conflict, text)
}

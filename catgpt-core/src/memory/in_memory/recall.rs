//! Looking: reads, lists and the sweep.

use std::cmp::Reverse;

use super::session::Session;
use super::state::{State, Time};
use crate::error::{Error, Result};
use crate::id::{Owner, Seq, SessionId, TurnId};
use crate::memory::check::unsupported;
use crate::memory::{Answer, Chunk, Cursor, Query, Read, Row, Swept, View};
use crate::message::Offset;

impl State {
    pub(super) fn read(&mut self, owner: &Owner, read: Read) -> Result<View> {
        let now = self.clock.now();
        let (session, view) = match read {
            Read::Branch { session: id, head, limit } => {
                let session = self.session(owner, &id)?;
                let (rows, more) = session.branch(head, limit)?;
                (id, view(session, rows, more, now))
            }
            Read::Tree { session: id, after, limit, .. } => {
                let session = self.session(owner, &id)?;
                let (rows, more) = session.all(after, limit);
                (id, view(session, rows, more, now))
            }
            Read::Tail { turn, from } => {
                let place = self.place(owner, turn)?;
                let view = tail(self.session(owner, &place.session)?, turn, place.reply, from, now)?;
                (place.session, view)
            }
        };
        self.shelf.touch(owner, &session, now);
        Ok(view)
    }

    pub(super) fn query(&self, owner: &Owner, query: Query) -> Result<Answer> {
        let now = self.clock.now();
        Ok(match query {
            Query::Sessions { after, limit, .. } => self.sessions(owner, after, limit, now),
            Query::Session { session } => {
                Answer::Sessions { rows: vec![self.session(owner, &session)?.row(now)], more: false }
            }
            Query::Turns => {
                let running = |session: &Session| {
                    let running = session.running.as_ref().filter(|running| !running.expired(now))?;
                    Some((session.id().clone(), running.turn))
                };
                let mut turns: Vec<_> = self.shelf.of(owner).filter_map(running).collect();
                turns.sort_unstable();
                Answer::Turns(turns)
            }
            Query::Changes { after, limit } => {
                Answer::Changes(self.journal.after(owner, after).take(limit as usize).cloned().collect())
            }
            _ => return Err(unsupported()),
        })
    }

    fn sessions(&self, owner: &Owner, after: Option<Cursor>, limit: u32, now: Time) -> Answer {
        let place = |session: &Session| Reverse((session.updated_ms(), session.id().clone()));
        let after = after.map(|cursor| Reverse((cursor.updated_ms, cursor.session)));
        let mut rows: Vec<_> = self.shelf.of(owner).map(|session| (place(session), session)).collect();
        rows.retain(|(place, _)| after.as_ref().is_none_or(|after| place > after));
        rows.sort_unstable_by(|(a, _), (b, _)| a.cmp(b));
        let more = rows.len() > limit as usize;
        Answer::Sessions { rows: rows.iter().take(limit as usize).map(|(_, session)| session.row(now)).collect(), more }
    }

    pub(super) fn sweep(&mut self, limit: u32) -> Swept {
        let (now, most) = (self.clock.now(), limit as usize);
        let due = [self.keys.sweep(now, limit), self.ops.sweep(now, limit), self.journal.sweep(now, limit)];
        let mut deleted: u64 = due.iter().map(|(deleted, _)| deleted).sum();
        let mut more = due.iter().any(|(_, more)| *more);

        let dead = |(_, owner, session): (Time, &Owner, &Session)| {
            let running = session.running.as_ref().filter(|running| running.expired(now))?;
            Some((owner.clone(), running.turn))
        };
        let mut expired: Vec<_> = self.shelf.by_use().filter_map(dead).take(most.saturating_add(1)).collect();
        more |= expired.len() > most;
        expired.truncate(most);

        let mut unused = self.unused(now, most.saturating_add(1));
        more |= unused.len() > most;
        unused.truncate(most);
        deleted += unused.len() as u64;
        unused.iter().for_each(|(owner, id)| self.evict(owner, id));
        Swept { expired, deleted, more }
    }

    /// Sessions that nobody used for too long.
    fn unused(&self, now: Time, most: usize) -> Vec<(Owner, SessionId)> {
        let Some(ttl) = self.limits.ttl else { return Vec::new() };
        let old = self.shelf.by_use().take_while(|(at, ..)| at.saturating_add(ttl) <= now);
        let idle = old.filter(|(_, _, session)| session.running.is_none());
        idle.take(most).map(|(_, owner, session)| (owner.clone(), session.id().clone())).collect()
    }
}

fn view(session: &Session, rows: Vec<Row>, more: bool, now: Time) -> View {
    let shown = session.running.as_ref().filter(|running| rows.iter().any(|row| row.seq == running.reply));
    let chunks = shown.map(|running| running.chunks.to_vec()).unwrap_or_default();
    View { session: session.row(now), rows, chunks, more }
}

fn tail(session: &Session, turn: TurnId, reply: Seq, from: Offset, now: Time) -> Result<View> {
    let row = session.get(reply).ok_or_else(|| Error::not_found("turn").with_turn(turn))?.clone();
    let running = session.running.as_ref().filter(|running| running.turn == turn);
    let unknown = |chunk: &&Chunk| chunk.to > from;
    let chunks = running.map(|running| running.chunks.iter().filter(unknown).cloned().collect()).unwrap_or_default();
    Ok(View { session: session.row(now), rows: vec![row], chunks, more: false })
}

//! Looking: reads, lists and the sweep.

use std::cmp::Reverse;

use super::ledger::Span;
use super::session::Session;
use super::state::{State, Time};
use crate::error::{Error, Result};
use crate::event::Change;
use crate::id::{Owner, Seq, SessionId, TurnId};
use crate::memory::{Answer, Chunk, CounterId, Cursor, Query, Read, Row, Swept, View};
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
            Read::Tree { session: id, after, limit, bodies } => {
                let session = self.session(owner, &id)?;
                let (rows, more) = session.all(after, limit, bodies);
                let mut view = view(session, rows, more, now);
                view.chunks.retain(|_| bodies);
                (id, view)
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
        query.check()?;
        let now = self.clock.now();
        Ok(match query {
            Query::Sessions { after, limit, archived } => self.sessions(owner, after, (limit, archived), now),
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
            Query::JournalEnd => Answer::JournalEnd(self.journal.end(owner)),
            Query::Journals { after, limit } => Answer::Journals(self.journals(after, limit)),
            Query::Owners { after, limit } => Answer::Owners(self.shelf.owners(after.as_ref(), limit as usize)),
            Query::Search { terms, prefix, after, limit } => {
                self.search(owner, (terms, prefix), after.as_deref(), limit)?
            }
            Query::Unindexed { limit } => self.unindexed(owner, limit),
            Query::Usage { from_ms, to_ms, session, by } => {
                Answer::Usage(self.ledger.sums(owner, &Span { from_ms, to_ms, session }, &by))
            }
            Query::Counters(counters) => {
                let now_ms = self.clock.ms(now);
                let count = |id: &CounterId| self.counters.count(&id.name, &id.key, id.window, now_ms);
                Answer::Counters(counters.iter().map(count).collect())
            }
        })
    }

    fn journals(&self, after: Vec<(Owner, u64)>, limit: u32) -> Vec<(Owner, Vec<Change>)> {
        let changes = |(owner, after): (Owner, u64)| {
            let changes: Vec<_> = self.journal.after(&owner, after).take(limit as usize).cloned().collect();
            (!changes.is_empty()).then_some((owner, changes))
        };
        after.into_iter().filter_map(changes).collect()
    }

    fn sessions(&self, owner: &Owner, after: Option<Cursor>, (limit, archived): (u32, bool), now: Time) -> Answer {
        let place = |session: &Session| Reverse((session.pinned, session.updated_ms(), session.id().clone()));
        let after = after.map(|cursor| Reverse((cursor.pinned, cursor.updated_ms, cursor.session)));
        let shown = self.shelf.of(owner).filter(|session| session.archived == archived);
        let mut rows: Vec<_> = shown.map(|session| (place(session), session)).collect();
        rows.retain(|(place, _)| after.as_ref().is_none_or(|after| place > after));
        rows.sort_unstable_by(|(a, _), (b, _)| a.cmp(b));
        let more = rows.len() > limit as usize;
        Answer::Sessions { rows: rows.iter().take(limit as usize).map(|(_, session)| session.row(now)).collect(), more }
    }

    pub(super) fn sweep(&mut self, limit: u32) -> Swept {
        let (now, most) = (self.clock.now(), limit as usize);
        let due = [
            self.keys.sweep(now, limit),
            self.ops.sweep(now, limit),
            self.journal.sweep(now, limit),
            self.counters.sweep(self.clock.ms(now), limit),
        ];
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

    /// Sessions that nobody used for too long, or whose own time is over.
    fn unused(&self, now: Time, most: usize) -> Vec<(Owner, SessionId)> {
        let now_ms = self.clock.ms(now);
        let old = |at: Time| self.limits.ttl.is_some_and(|ttl| at.saturating_add(ttl) <= now);
        let over = |at, session: &Session| session.running.is_none() && old(at) || session.due(now_ms);
        let over = self.shelf.by_use().filter(|(at, _, session)| over(*at, session));
        over.take(most).map(|(_, owner, session)| (owner.clone(), session.id().clone())).collect()
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

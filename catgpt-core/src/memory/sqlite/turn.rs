//! A turn that runs: its pieces, its lease, its end.

use std::time::Duration;

use rusqlite::{Connection, OptionalExtension};

use super::fault::{Outcome, damaged};
use super::ledger::{self, Line};
use super::row::{coded, count, find_message, int, left, millis, now, text, to_json};
use super::{journal, limits};
use crate::error::{Error, ErrorKind};
use crate::event::ChangeKind;
use crate::id::{Owner, Seq, SessionId, TurnId};
use crate::memory::{Checkpoint, Finish, Kept, Purpose, Row, Sealed};
use crate::message::{Offset, Status};

/// Where a turn stands.
pub(super) struct Place {
    pub(super) sid: i64,
    pub(super) seq: Seq,
    pub(super) session: SessionId,
    pub(super) running: bool,
    model: Option<String>,
    until: i64,
    cancel: bool,
}

/// The turn's place, if it is this owner's.
pub(super) fn find(conn: &Connection, owner: &Owner, turn: TurnId) -> Outcome<Option<Place>> {
    let sql = "SELECT m.sid, m.seq, m.status, s.id, s.run_until, s.run_cancel, m.model
        FROM message m JOIN session s ON s.sid = m.sid WHERE m.turn = ?1 AND m.role = 2 AND s.owner = ?2";
    let mut statement = conn.prepare_cached(sql)?;
    let found = statement.query_row((turn.to_bytes(), owner.as_str()), |record| {
        Ok(Place {
            sid: record.get(0)?,
            seq: count(record, 1)?,
            running: coded(record, 2, Status::from_code)? == Status::Running,
            session: text(record, 3)?,
            until: record.get::<_, Option<i64>>(4)?.unwrap_or(0),
            cancel: record.get(5)?,
            model: record.get(6)?,
        })
    });
    Ok(found.optional()?)
}

/// The turn's place, which must be there.
pub(super) fn need(conn: &Connection, owner: &Owner, turn: TurnId) -> Outcome<Place> {
    Ok(find(conn, owner, turn)?.ok_or_else(|| Error::not_found("turn").with_turn(turn))?)
}

/// The reply's row.
pub(super) fn reply(conn: &Connection, place: &Place) -> Outcome<Row> {
    find_message(conn, place.sid, place.seq)?.ok_or_else(|| damaged("a turn without its reply"))
}

pub(super) fn checkpoint(conn: &Connection, owner: &Owner, piece: &Checkpoint) -> Outcome<Kept> {
    let Some(place) = find(conn, owner, piece.turn)?.filter(|place| place.running) else { return Ok(Kept::Refused) };
    if !piece.body.is_empty() {
        add(conn, &place, piece)?;
    }
    renew(conn, place.sid, piece.lease)?;
    Ok(Kept::Renewed { cancel: place.cancel })
}

/// Begins the lease of the session's turn anew.
pub(super) fn renew(conn: &Connection, sid: i64, lease: Duration) -> Outcome<()> {
    let until = now().saturating_add(millis(lease));
    conn.prepare_cached("UPDATE session SET run_until = ?2 WHERE sid = ?1")?.execute((sid, until))?;
    Ok(())
}

fn add(conn: &Connection, place: &Place, piece: &Checkpoint) -> Outcome<()> {
    let end = stored(conn, place)?;
    if piece.from < end && piece.to <= end {
        return Ok(());
    }
    if piece.from != end {
        let sentence = "the piece does not begin where the stored reply ends: send it from there";
        return Err(Error::new(ErrorKind::Conflict, sentence).with("stored", end).with("from", piece.from).into());
    }
    let sql = "INSERT INTO chunk(sid, seq, start, stop, body) VALUES(?1, ?2, ?3, ?4, ?5)";
    let values = (place.sid, int(place.seq), int(piece.from), int(piece.to), &piece.body);
    conn.prepare_cached(sql)?.execute(values)?;
    Ok(())
}

/// The offset up to which the reply's pieces are stored.
fn stored(conn: &Connection, place: &Place) -> Outcome<Offset> {
    let sql = "SELECT stop FROM chunk WHERE sid = ?1 AND seq = ?2 ORDER BY start DESC LIMIT 1";
    let last = conn.prepare_cached(sql)?.query_row((place.sid, int(place.seq)), |record| count(record, 0));
    Ok(last.optional()?.unwrap_or(0))
}

pub(super) fn finish(conn: &Connection, owner: &Owner, finish: &Finish) -> Outcome<Sealed> {
    let now = now();
    let place = need(conn, owner, finish.turn)?;
    if !place.running {
        return Ok(Sealed::Before(Box::new(reply(conn, &place)?)));
    }
    if finish.if_expired && place.until > now {
        return Ok(Sealed::Alive { lease_left: left(place.until, now) });
    }
    let usage = finish.usage.map(|usage| to_json(&usage)).transpose()?;
    let reply = (place.sid, int(place.seq));
    let sql = "UPDATE message SET status = ?3, body = ?4, usage = ?5 WHERE sid = ?1 AND seq = ?2";
    conn.prepare_cached(sql)?.execute((reply.0, reply.1, finish.status.code(), &finish.body, usage))?;
    conn.prepare_cached("DELETE FROM chunk WHERE sid = ?1 AND seq = ?2")?.execute(reply)?;
    let sql = "UPDATE session SET run = NULL, run_until = NULL, run_cancel = 0, version = version + 1,
        updated_at = ?2, reserved = NULL WHERE sid = ?1";
    conn.prepare_cached(sql)?.execute((place.sid, now))?;
    limits::settle(conn, &finish.settle)?;
    let model = place.model.as_deref().unwrap_or_default();
    let line = Line { session: &place.session, model, purpose: Purpose::Turn };
    ledger::add(conn, owner, &line, finish.usage.unwrap_or_default(), finish.cost, now)?;
    journal::add(conn, owner, &place.session, Some(finish.turn), ChangeKind::TurnEnded, now)?;
    Ok(Sealed::Now)
}

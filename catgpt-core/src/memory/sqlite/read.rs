//! Reading: one session, one turn, or all sessions of an owner.

use rusqlite::Connection;

use super::fault::Outcome;
use super::row::{
    Held, count, int, message, message_columns, need, now, session, session_columns, text, turn as turn_at,
};
use super::window::{Budget, branch};
use super::{journal, turn};
use crate::error::Error;
use crate::id::{Owner, Seq, TurnId};
use crate::memory::check::unsupported;
use crate::memory::{Answer, Chunk, Cursor, Limit, Query, Read, Row, View};
use crate::message::{Offset, Status};

pub(super) fn read(conn: &Connection, owner: &Owner, read: &Read) -> Outcome<View> {
    match read {
        Read::Branch { session, head, limit } => {
            let held = need(conn, owner, session)?;
            let head = known_head(&held, *head)?;
            let (rows, more) = branch(conn, held.sid, head, *limit)?;
            view(conn, held, rows, more)
        }
        Read::Tree { session, after, limit, .. } => {
            let held = need(conn, owner, session)?;
            let (rows, more) = tree(conn, held.sid, *after, *limit)?;
            view(conn, held, rows, more)
        }
        Read::Tail { turn, from } => tail(conn, owner, *turn, *from),
    }
}

fn known_head(held: &Held, head: Option<Seq>) -> Outcome<Option<Seq>> {
    match head {
        // A session's messages are numbered without gaps.
        Some(seq) if seq == 0 || seq > held.row.messages => Err(Error::not_found("message").with("seq", seq).into()),
        Some(seq) => Ok(Some(seq)),
        None => Ok(held.row.head),
    }
}

fn view(conn: &Connection, held: Held, rows: Vec<Row>, more: bool) -> Outcome<View> {
    let running = rows.iter().find(|row| row.status == Status::Running);
    let chunks = match running {
        Some(row) => chunks(conn, held.sid, row.seq, 0)?,
        None => Vec::new(),
    };
    Ok(View { session: held.row, rows, chunks, more })
}

fn tree(conn: &Connection, sid: i64, after: Seq, limit: Limit) -> Outcome<(Vec<Row>, bool)> {
    let sql = concat!("SELECT ", message_columns!(), " FROM message WHERE sid = ?1 AND seq > ?2 ORDER BY seq");
    let mut statement = conn.prepare_cached(sql)?;
    let mut records = statement.query((sid, int(after)))?;
    let (mut rows, mut budget) = (Vec::new(), Budget::new(limit));
    while let Some(record) = records.next()? {
        if !budget.admits(record.get_ref(5)?.as_blob()?.len()) {
            return Ok((rows, true));
        }
        rows.push(message(record)?);
    }
    Ok((rows, false))
}

fn tail(conn: &Connection, owner: &Owner, id: TurnId, from: Offset) -> Outcome<View> {
    let place = turn::need(conn, owner, id)?;
    let held = need(conn, owner, &place.session)?;
    let row = turn::reply(conn, &place)?;
    let chunks = if place.running { chunks(conn, place.sid, place.seq, from)? } else { Vec::new() };
    Ok(View { session: held.row, rows: vec![row], chunks, more: false })
}

/// The pieces that end after `from`. From the end backwards: a watcher who is nearly there reads little.
fn chunks(conn: &Connection, sid: i64, seq: Seq, from: Offset) -> Outcome<Vec<Chunk>> {
    let sql = "SELECT start, stop, body FROM chunk WHERE sid = ?1 AND seq = ?2 ORDER BY start DESC";
    let mut statement = conn.prepare_cached(sql)?;
    let mut records = statement.query((sid, int(seq)))?;
    let mut chunks = Vec::new();
    while let Some(record) = records.next()? {
        let to = count(record, 1)?;
        if to <= from {
            break;
        }
        chunks.push(Chunk { from: count(record, 0)?, to, body: record.get(2)? });
    }
    chunks.reverse();
    Ok(chunks)
}

pub(super) fn query(conn: &Connection, owner: &Owner, query: &Query) -> Outcome<Answer> {
    match query {
        Query::Sessions { after, limit, .. } => sessions(conn, owner, after.as_ref(), *limit),
        Query::Session { session } => Ok(Answer::Sessions { rows: vec![need(conn, owner, session)?.row], more: false }),
        Query::Turns => turns(conn, owner),
        Query::Changes { after, limit } => Ok(Answer::Changes(journal::after(conn, owner, *after, *limit)?)),
        _ => Err(unsupported().into()),
    }
}

fn sessions(conn: &Connection, owner: &Owner, after: Option<&Cursor>, limit: u32) -> Outcome<Answer> {
    let sql = concat!(
        "SELECT ",
        session_columns!(),
        " FROM session WHERE owner = ?1 AND (updated_at, id) < (?2, ?3) ORDER BY updated_at DESC, id DESC LIMIT ?4"
    );
    let (time, id) = after.map_or((i64::MAX, ""), |cursor| (cursor.updated_ms, cursor.session.as_str()));
    let mut statement = conn.prepare_cached(sql)?;
    let records = statement.query_map((owner.as_str(), time, id, i64::from(limit) + 1), session)?;
    let mut rows = records.map(|held| held.map(|held| held.row)).collect::<Result<Vec<_>, _>>()?;
    let more = rows.len() > limit as usize;
    rows.truncate(limit as usize);
    Ok(Answer::Sessions { rows, more })
}

fn turns(conn: &Connection, owner: &Owner) -> Outcome<Answer> {
    let sql = "SELECT id, run FROM session INDEXED BY session_run WHERE run IS NOT NULL AND owner = ?1
        AND run_until > ?2 ORDER BY id";
    let mut statement = conn.prepare_cached(sql)?;
    let records = statement.query_map((owner.as_str(), now()), |record| Ok((text(record, 0)?, turn_at(record, 1)?)))?;
    let turns = records.collect::<Result<Vec<_>, _>>()?;
    Ok(Answer::Turns(turns.into_iter().filter_map(|(session, turn)| Some((session, turn?))).collect()))
}

//! Reading: one session, or one turn.

use rusqlite::Connection;

use super::fault::Outcome;
use super::row::{Held, count, int, message, message_columns, need};
use super::turn;
use super::window::{Budget, branch};
use crate::error::Error;
use crate::id::{Owner, Seq, TurnId};
use crate::memory::{Chunk, Limit, Read, Row, View};
use crate::message::{Offset, Status};

const WHOLE: &str = concat!("SELECT ", message_columns!(), " FROM message WHERE sid = ?1 AND seq > ?2 ORDER BY seq");
/// Without bodies.
const BARE: &str =
    concat!("SELECT ", message_columns!("x''"), " FROM message WHERE sid = ?1 AND seq > ?2 ORDER BY seq");

pub(super) fn read(conn: &Connection, owner: &Owner, read: &Read) -> Outcome<View> {
    match read {
        Read::Branch { session, head, limit } => {
            let held = need(conn, owner, session)?;
            let head = known_head(&held, *head)?;
            let (rows, more) = branch(conn, held.sid, head, *limit)?;
            view(conn, held, rows, more)
        }
        Read::Tree { session, after, limit, bodies } => {
            let held = need(conn, owner, session)?;
            let sql = if *bodies { WHOLE } else { BARE };
            let (rows, more) = tree(conn, sql, held.sid, *after, *limit)?;
            match bodies {
                true => view(conn, held, rows, more),
                false => Ok(View { session: held.row, rows, chunks: Vec::new(), more }),
            }
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

fn tree(conn: &Connection, sql: &str, sid: i64, after: Seq, limit: Limit) -> Outcome<(Vec<Row>, bool)> {
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

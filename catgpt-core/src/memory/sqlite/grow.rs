//! What makes a session more than its turns: messages from elsewhere, and summaries.

use rusqlite::{Connection, params};

use super::begin::{self, Fresh};
use super::edit::{idle, note, retitle};
use super::fault::Outcome;
use super::journal;
use super::row::{find, int, need, to_json};
use crate::error::{Error, ErrorKind};
use crate::event::ChangeKind::Updated;
use crate::id::{Owner, Seq, SessionId};
use crate::memory::{Done, Imported, Row};
use crate::message::{Role, Status, Usage};

pub(super) fn import(
    conn: &Connection,
    owner: &Owner,
    imported: &Imported,
    after: Seq,
    rows: &[Row],
    now: i64,
) -> Outcome<Done> {
    let title = imported.title.as_deref();
    let (sid, version) = match find(conn, owner, &imported.id)? {
        None if after == 0 => {
            let held = begin::create(conn, owner, &imported.id, &Fresh { title, ..Fresh::default() }, now)?;
            (held.sid, held.row.version)
        }
        None => return Err(Error::not_found("session").into()),
        Some(held) => {
            idle(held.row.running)?;
            if after == 0 || after != held.row.messages {
                let sentence = "the session does not end where this goes on: read how many messages it has";
                return Err(Error::new(ErrorKind::Conflict, sentence).with("messages", held.row.messages).into());
            }
            // A title is found by the time of its session.
            if held.row.title.as_deref() != title || held.row.created_ms != imported.created_ms {
                retitle(conn, held.sid, title)?;
            }
            journal::add(conn, owner, &imported.id, None, Updated, now)?;
            (held.sid, held.row.version + 1)
        }
    };
    rows.iter().try_for_each(|row| insert(conn, sid, row))?;
    let sql = "UPDATE session SET last_seq = ?2, version = ?3, head = ?4, pin = ?5, meta = ?6, pinned = ?7,
        archived = ?8, created_at = ?9, updated_at = ?10 WHERE sid = ?1";
    conn.prepare_cached(sql)?.execute(params![
        sid,
        int(after + rows.len() as u64),
        int(version),
        imported.head.map(int),
        imported.pin,
        imported.meta,
        imported.pinned,
        imported.archived,
        imported.created_ms,
        imported.updated_ms,
    ])?;
    Ok(Done::Version(version))
}

/// A message that no turn of this store wrote.
pub(super) fn insert(conn: &Connection, sid: i64, row: &Row) -> Outcome<()> {
    let sql = "INSERT INTO message(sid, seq, parent, role, status, created_at, model, usage, body)
        VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)";
    conn.prepare_cached(sql)?.execute(params![
        sid,
        int(row.seq),
        row.parent.map(int),
        row.role.code(),
        row.status.code(),
        row.created_ms,
        row.model,
        row.usage.map(|usage| to_json(&usage)).transpose()?,
        row.body,
    ])?;
    Ok(())
}

/// What is said of a branch in few words.
pub(super) struct Summary<'a> {
    pub(super) upto: Seq,
    pub(super) over: Option<Seq>,
    pub(super) body: &'a [u8],
    pub(super) model: &'a str,
    pub(super) usage: Option<Usage>,
}

pub(super) fn add_summary(
    conn: &Connection,
    owner: &Owner,
    id: &SessionId,
    summary: &Summary<'_>,
    now: i64,
) -> Outcome<Done> {
    let held = need(conn, owner, id)?;
    if summary.upto == 0 || summary.upto > held.row.messages {
        return Err(Error::not_found("message").with("seq", summary.upto).into());
    }
    if held.row.summary != summary.over {
        return Ok(Done::Nothing);
    }
    let row = Row {
        seq: held.row.messages + 1,
        parent: Some(summary.upto),
        turn: None,
        role: Role::Summary,
        status: Status::Complete,
        body: summary.body.to_vec(),
        model: Some(summary.model.to_owned()),
        usage: summary.usage,
        created_ms: now,
    };
    insert(conn, held.sid, &row)?;
    let sql = "UPDATE session SET last_seq = ?2, summary = ?2 WHERE sid = ?1";
    conn.prepare_cached(sql)?.execute((held.sid, int(row.seq)))?;
    note(conn, owner, &held, Updated, now)?;
    Ok(Done::Seq(row.seq))
}

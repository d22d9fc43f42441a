//! Many sessions at once: deletion, erasure, and what one owner takes over from another.

use rusqlite::{Connection, OptionalExtension};

use super::edit::idle;
use super::fault::Outcome;
use super::row::{count, text, turn};
use super::{journal, ledger};
use crate::error::{Error, ErrorKind};
use crate::event::ChangeKind::{Created, Deleted};
use crate::id::{Owner, SessionId};
use crate::memory::Done;

/// So many messages go in one step of an erasure, so that others are not kept waiting.
const STEP: u64 = 1000;

/// How many ids an error names.
const NAMED: u32 = 100;

pub(super) fn delete(conn: &Connection, owner: &Owner, id: &SessionId, now: i64) -> Outcome<Done> {
    match take(conn, owner, id, now)? {
        true => Ok(Done::Nothing),
        false => Err(Error::not_found("session").into()),
    }
}

pub(super) fn delete_many(conn: &Connection, owner: &Owner, ids: &[SessionId], now: i64) -> Outcome<Done> {
    let mut count = 0;
    for id in ids {
        count += u64::from(take(conn, owner, id, now)?);
    }
    Ok(Done::Count(count))
}

/// Deletes a session, if it is there. Its messages, pieces and words go with it.
fn take(conn: &Connection, owner: &Owner, id: &SessionId, now: i64) -> Outcome<bool> {
    let sql = "DELETE FROM session WHERE owner = ?1 AND id = ?2";
    let gone = conn.prepare_cached(sql)?.execute((owner.as_str(), id.as_str()))? == 1;
    if gone {
        journal::add(conn, owner, id, None, Deleted, now)?;
    }
    Ok(gone)
}

pub(super) fn delete_empty(conn: &Connection, owner: &Owner, limit: u32, now: i64) -> Outcome<Done> {
    // Asked for now and then by a person: a look at all sessions is cheaper than an index that each new one writes.
    let sql = "SELECT id FROM session WHERE owner = ?1 AND last_seq = 0 ORDER BY id LIMIT ?2";
    delete_many(conn, owner, &ids(conn, sql, (owner.as_str(), limit))?, now)
}

pub(super) fn erase(conn: &Connection, owner: &Owner, limit: u32, now: i64) -> Outcome<Done> {
    let sql = "SELECT EXISTS (SELECT 1 FROM session WHERE owner = ?1)";
    if conn.prepare_cached(sql)?.query_row([owner.as_str()], |record| record.get(0))? {
        return delete_many(conn, owner, &next(conn, owner, limit)?, now);
    }
    journal::erase(conn, owner)?;
    for sql in [
        "DELETE FROM idem WHERE owner = ?1",
        "DELETE FROM op WHERE owner = ?1",
        "DELETE FROM ledger WHERE owner = ?1",
        "DELETE FROM counter WHERE key = ?1",
    ] {
        conn.execute(sql, [owner.as_str()])?;
    }
    Ok(Done::Count(0))
}

/// The sessions that a step of an erasure deletes: at least one, if it may be.
fn next(conn: &Connection, owner: &Owner, limit: u32) -> Outcome<Vec<SessionId>> {
    let sql = "SELECT id, last_seq FROM session WHERE owner = ?1 ORDER BY id LIMIT ?2";
    let mut statement = conn.prepare_cached(sql)?;
    let mut records = statement.query((owner.as_str(), limit))?;
    let (mut ids, mut messages) = (Vec::new(), 0);
    while let Some(record) = records.next()? {
        messages += count(record, 1)?;
        if messages > STEP && !ids.is_empty() {
            break;
        }
        ids.push(text(record, 0)?);
    }
    Ok(ids)
}

fn ids(conn: &Connection, sql: &str, place: impl rusqlite::Params) -> Outcome<Vec<SessionId>> {
    let mut statement = conn.prepare_cached(sql)?;
    let ids = statement.query_map(place, |record| text(record, 0))?;
    Ok(ids.collect::<Result<_, _>>()?)
}

pub(super) fn claim(conn: &Connection, owner: &Owner, from: &Owner, now: i64) -> Outcome<Done> {
    if from == owner {
        return Ok(Done::Count(0));
    }
    let (to, whose) = (owner.as_str(), from.as_str());
    unlike(conn, to, whose)?;
    let sql = "SELECT run FROM session WHERE owner = ?1 AND run IS NOT NULL LIMIT 1";
    idle(conn.query_row(sql, [whose], |record| turn(record, 0)).optional()?.flatten())?;
    let moved = ids(conn, "SELECT id FROM session WHERE owner = ?1 ORDER BY id", [whose])?;
    let keys = "UPDATE OR REPLACE idem SET owner = ?1 WHERE owner = ?2 AND session = ?3";
    for id in &moved {
        conn.prepare_cached(keys)?.execute((to, whose, id.as_str()))?;
        journal::add(conn, from, id, None, Deleted, now)?;
        journal::add(conn, owner, id, None, Created, now)?;
    }
    conn.execute("UPDATE session SET owner = ?1 WHERE owner = ?2", [to, whose])?;
    // The words stay as they are: they begin with a number that now is this owner's, too.
    conn.execute("UPDATE finder SET owner = ?1 WHERE owner = ?2", [to, whose])?;
    ledger::take_over(conn, owner, from)?;
    Ok(Done::Count(moved.len() as u64))
}

/// Refuses sessions of which the owner has equal ones.
fn unlike(conn: &Connection, owner: &str, from: &str) -> Outcome<()> {
    let sql = "SELECT id FROM session s WHERE owner = ?2
        AND EXISTS (SELECT 1 FROM session t WHERE t.owner = ?1 AND t.id = s.id) ORDER BY id LIMIT ?3";
    let equal = ids(conn, sql, (owner, from, NAMED))?;
    if equal.is_empty() {
        return Ok(());
    }
    let sentence = "both have sessions of the same id: delete one of each pair, or import it under another id";
    Err(Error::new(ErrorKind::Conflict, sentence).with("sessions", serde_json::json!(equal)).into())
}

//! Other bytes that mean the same, in the place of those that are stored.

use rusqlite::{Connection, OptionalExtension};
use sha2::{Digest, Sha256};

use super::begin::changed;
use super::fault::Outcome;
use super::row::{int, need};
use crate::id::{Owner, SessionId};
use crate::memory::{Done, Resealed, Stored};
use crate::message::Status;

pub(super) fn reseal(
    conn: &Connection,
    owner: &Owner,
    id: &SessionId,
    version: Option<u64>,
    resealed: &[Resealed],
) -> Outcome<Done> {
    let held = need(conn, owner, id)?;
    if version.is_some_and(|version| version != held.row.version) {
        return Err(changed(held.row.version).into());
    }
    let mut count = 0;
    for Resealed { part, was, bytes } in resealed {
        count += u64::from(match part {
            Stored::Title => part_of(conn, held.sid, held.row.title.as_deref(), was, bytes, "title")?,
            Stored::Pin => part_of(conn, held.sid, held.row.pin.as_deref(), was, bytes, "pin")?,
            Stored::Meta => part_of(conn, held.sid, held.row.meta.as_deref(), was, bytes, "meta")?,
            Stored::Message(seq) => message(conn, (held.sid, int(*seq)), was, bytes)?,
        });
    }
    Ok(Done::Count(count))
}

fn is(stored: &[u8], was: &[u8; 32]) -> bool {
    Sha256::digest(stored)[..] == was[..]
}

fn part_of(
    conn: &Connection,
    sid: i64,
    stored: Option<&[u8]>,
    was: &[u8; 32],
    bytes: &[u8],
    column: &'static str,
) -> Outcome<bool> {
    if !stored.is_some_and(|stored| is(stored, was)) {
        return Ok(false);
    }
    let sql = format!("UPDATE session SET {column} = ?2 WHERE sid = ?1");
    conn.prepare_cached(&sql)?.execute((sid, bytes))?;
    Ok(true)
}

fn message(conn: &Connection, (sid, seq): (i64, i64), was: &[u8; 32], bytes: &[u8]) -> Outcome<bool> {
    let sql = "SELECT body FROM message WHERE sid = ?1 AND seq = ?2 AND status <> ?3";
    let place = (sid, seq, Status::Running.code());
    let same = conn.prepare_cached(sql)?.query_row(place, |record| Ok(is(record.get_ref(0)?.as_blob()?, was)));
    if !same.optional()?.unwrap_or(false) {
        return Ok(false);
    }
    let sql = "UPDATE message SET body = ?3 WHERE sid = ?1 AND seq = ?2";
    conn.prepare_cached(sql)?.execute((sid, seq, bytes))?;
    Ok(true)
}

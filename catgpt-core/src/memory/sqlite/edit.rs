//! Operations on one session.

use std::time::Duration;

use rusqlite::{Connection, ToSql};

use super::begin::{self, Fresh, changed};
use super::fault::Outcome;
use super::row::{Held, find, find_message, int, millis, need};
use super::{journal, search, turn};
use crate::error::{Error, ErrorKind};
use crate::event::ChangeKind::{self, Renamed, Titled, Updated};
use crate::id::{Owner, Seq, SessionId, TurnId};
use crate::memory::Done;
use crate::message::Role;

type Bytes<'a> = Option<&'a [u8]>;

pub(super) fn create(
    conn: &Connection,
    owner: &Owner,
    id: &SessionId,
    (title, pin, meta): (Bytes<'_>, Bytes<'_>, Bytes<'_>),
    ttl: Option<Duration>,
    now: i64,
) -> Outcome<Done> {
    if find(conn, owner, id)?.is_some() {
        return Ok(Done::Nothing);
    }
    let held = begin::create(conn, owner, id, &Fresh { title, pin, meta, ttl }, now)?;
    Ok(Done::Version(held.row.version))
}

pub(super) fn set_title(
    conn: &Connection,
    owner: &Owner,
    id: &SessionId,
    title: Bytes<'_>,
    over: Bytes<'_>,
    now: i64,
) -> Outcome<Done> {
    let held = need(conn, owner, id)?;
    if over.is_some() && held.row.title.as_deref() != over {
        return Ok(Done::Nothing);
    }
    if held.row.title.as_deref() != title {
        retitle(conn, held.sid, title)?;
    }
    note(conn, owner, &held, if over.is_some() { Titled } else { Renamed }, now)
}

/// Writes another title, which search does not find yet.
pub(super) fn retitle(conn: &Connection, sid: i64, title: Bytes<'_>) -> Outcome<()> {
    search::forget_title(conn, sid)?;
    let sql = "UPDATE session SET title = ?2, retitled = ?2 IS NOT NULL WHERE sid = ?1";
    conn.prepare_cached(sql)?.execute((sid, title))?;
    Ok(())
}

pub(super) fn set_meta(conn: &Connection, owner: &Owner, id: &SessionId, meta: Bytes<'_>, now: i64) -> Outcome<Done> {
    set(conn, owner, id, "UPDATE session SET meta = ?2 WHERE sid = ?1", meta, now)
}

pub(super) fn set_ttl(
    conn: &Connection,
    owner: &Owner,
    id: &SessionId,
    ttl: Option<Duration>,
    now: i64,
) -> Outcome<Done> {
    set(conn, owner, id, "UPDATE session SET ttl = ?2 WHERE sid = ?1", ttl.map(millis), now)
}

pub(super) fn set_pin(conn: &Connection, owner: &Owner, id: &SessionId, pin: &[u8], now: i64) -> Outcome<Done> {
    set(conn, owner, id, "UPDATE session SET pin = ?2 WHERE sid = ?1", pin, now)
}

fn set(
    conn: &Connection,
    owner: &Owner,
    id: &SessionId,
    sql: &'static str,
    value: impl ToSql,
    now: i64,
) -> Outcome<Done> {
    let held = need(conn, owner, id)?;
    conn.prepare_cached(sql)?.execute((held.sid, value))?;
    note(conn, owner, &held, Updated, now)
}

pub(super) fn mark(
    conn: &Connection,
    owner: &Owner,
    id: &SessionId,
    pinned: Option<bool>,
    archived: Option<bool>,
    now: i64,
) -> Outcome<Done> {
    let held = need(conn, owner, id)?;
    let sql = "UPDATE session SET pinned = coalesce(?2, pinned), archived = coalesce(?3, archived),
        version = version + 1 WHERE sid = ?1";
    conn.prepare_cached(sql)?.execute((held.sid, pinned, archived))?;
    journal::add(conn, owner, id, None, Updated, now)?;
    Ok(Done::Version(held.row.version + 1))
}

/// Raises the session's version and notes what changed.
pub(super) fn note(conn: &Connection, owner: &Owner, held: &Held, kind: ChangeKind, now: i64) -> Outcome<Done> {
    let sql = "UPDATE session SET version = version + 1, updated_at = ?2 WHERE sid = ?1";
    conn.prepare_cached(sql)?.execute((held.sid, now))?;
    journal::add(conn, owner, &held.row.id, None, kind, now)?;
    Ok(Done::Version(held.row.version + 1))
}

pub(super) fn set_head(
    conn: &Connection,
    owner: &Owner,
    id: &SessionId,
    head: Seq,
    if_version: Option<u64>,
    now: i64,
) -> Outcome<Done> {
    let held = need(conn, owner, id)?;
    if if_version.is_some_and(|version| version != held.row.version) {
        return Err(changed(held.row.version).into());
    }
    idle(held.row.running)?;
    if head == 0 || head > held.row.messages {
        return Err(Error::not_found("message").with("seq", head).into());
    }
    conn.prepare_cached("UPDATE session SET head = ?2 WHERE sid = ?1")?.execute((held.sid, int(head)))?;
    note(conn, owner, &held, Updated, now)
}

/// Refuses what must not happen while a turn runs.
pub(super) fn idle(running: Option<TurnId>) -> Outcome<()> {
    let Some(turn) = running else { return Ok(()) };
    let sentence = "a turn runs in the session: wait for it or cancel it, then try again";
    Err(Error::new(ErrorKind::Busy, sentence).with_turn(turn).into())
}

pub(super) fn set_summary(
    conn: &Connection,
    owner: &Owner,
    id: &SessionId,
    summary: Option<Seq>,
    now: i64,
) -> Outcome<Done> {
    let held = need(conn, owner, id)?;
    if let Some(seq) = summary
        && find_message(conn, held.sid, seq)?.is_none_or(|row| row.role != Role::Summary)
    {
        return Err(Error::not_found("summary").with("seq", seq).into());
    }
    conn.prepare_cached("UPDATE session SET summary = ?2 WHERE sid = ?1")?.execute((held.sid, summary.map(int)))?;
    note(conn, owner, &held, Updated, now)
}

pub(super) fn cancel(conn: &Connection, owner: &Owner, id: TurnId) -> Outcome<Done> {
    let place = turn::need(conn, owner, id)?;
    if place.running {
        conn.prepare_cached("UPDATE session SET run_cancel = 1 WHERE sid = ?1")?.execute([place.sid])?;
    }
    Ok(Done::Nothing)
}

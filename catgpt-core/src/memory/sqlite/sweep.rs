//! The sweep: names turns that died, deletes what is due. A reader looks, the writer only deletes.

use rusqlite::{Connection, OptionalExtension};

use super::fault::Outcome;
use super::journal;
use super::row::{now, text, turn};
use super::search::stale;
use crate::event::ChangeKind;
use crate::id::{Owner, TurnId};

/// How long keys, answers of operations and the journal are kept, in milliseconds.
pub(super) const KEPT: i64 = 24 * 60 * 60 * 1000;

/// Not while a turn runs.
macro_rules! over {
    () => {
        "ttl IS NOT NULL AND updated_at + ttl <= ?1 AND run IS NULL"
    };
}

/// What a look around found.
pub(super) struct Found {
    pub(super) expired: Vec<(Owner, TurnId)>,
    pub(super) due: Vec<Due>,
    pub(super) more: bool,
    /// Whether words of deleted messages stand in the index.
    pub(super) words: bool,
}

/// Rows to delete: all up to the last one.
pub(super) enum Due {
    /// Of a table whose rows are in the order of their age.
    Table { name: &'static str, last: i64 },
    /// Of an owner's journal.
    Journal { owner: String, last: i64 },
    /// So many counters whose window was over before this time.
    Counters { before: i64, limit: u32 },
    /// A session whose time to live is over.
    Session(i64),
}

impl Due {
    pub(super) fn is_session(&self) -> bool {
        matches!(self, Self::Session(_))
    }
}

pub(super) fn find(conn: &Connection, limit: u32) -> Outcome<Found> {
    let now = now();
    let (before, most) = (now - KEPT, limit as usize);
    let mut expired = expired(conn, limit, now)?;
    let mut found = Found { expired: Vec::new(), due: Vec::new(), more: expired.len() > most, words: stale(conn)? };
    expired.truncate(most);
    found.expired = expired;
    for (name, sql) in [
        ("idem", "SELECT rid, at FROM idem ORDER BY rid LIMIT ?1"),
        ("op", "SELECT rid, at FROM op ORDER BY rid LIMIT ?1"),
    ] {
        let mut old = old(conn, sql, [i64::from(limit) + 1], before)?;
        found.more |= old.len() > most;
        old.truncate(most);
        found.due.extend(old.last().map(|&last| Due::Table { name, last }));
    }
    journals(conn, limit, before, &mut found)?;
    let counters = count(conn, "SELECT 1 FROM counter WHERE ends <= ?1 LIMIT ?2", before, limit)?;
    found.more |= counters > most;
    found.due.extend((counters > 0).then_some(Due::Counters { before, limit }));
    let mut over = over(conn, limit, now)?;
    found.more |= over.len() > most;
    over.truncate(most);
    found.due.extend(over.into_iter().map(Due::Session));
    Ok(found)
}

/// Sessions whose time to live is over; one more than `limit`, if there are.
fn over(conn: &Connection, limit: u32, now: i64) -> Outcome<Vec<i64>> {
    let sql = concat!("SELECT sid FROM session WHERE ", over!(), " LIMIT ?2");
    let mut statement = conn.prepare_cached(sql)?;
    let sids = statement.query_map((now, i64::from(limit) + 1), |record| record.get(0))?;
    Ok(sids.collect::<Result<_, _>>()?)
}

/// How many rows `sql` finds; it may find one more than `limit`.
fn count(conn: &Connection, sql: &str, before: i64, limit: u32) -> Outcome<usize> {
    let mut statement = conn.prepare_cached(sql)?;
    let rows = statement.query_map((before, i64::from(limit) + 1), |_| Ok(()))?;
    Ok(rows.collect::<Result<Vec<()>, _>>()?.len())
}

/// One more than `limit`, if there are.
fn expired(conn: &Connection, limit: u32, now: i64) -> Outcome<Vec<(Owner, TurnId)>> {
    let sql = "SELECT owner, run FROM session INDEXED BY session_work WHERE (run IS NULL) = 0 AND run IS NOT NULL AND run_until <= ?1 LIMIT ?2";
    let mut statement = conn.prepare_cached(sql)?;
    let dead = statement.query_map((now, i64::from(limit) + 1), |record| Ok((text(record, 0)?, turn(record, 1)?)))?;
    let dead = dead.collect::<Result<Vec<_>, _>>()?;
    Ok(dead.into_iter().filter_map(|(owner, turn)| Some((owner, turn?))).collect())
}

/// The oldest rows that `sql` names with their time, as long as they are due.
fn old(conn: &Connection, sql: &str, place: impl rusqlite::Params, before: i64) -> Outcome<Vec<i64>> {
    let mut statement = conn.prepare_cached(sql)?;
    let mut records = statement.query(place)?;
    let mut old = Vec::new();
    while let Some(record) = records.next()? {
        if record.get::<_, i64>(1)? > before {
            break;
        }
        old.push(record.get(0)?);
    }
    Ok(old)
}

/// Goes from owner to owner, one seek each.
fn journals(conn: &Connection, limit: u32, before: i64, found: &mut Found) -> Outcome<()> {
    let next = "SELECT owner FROM change WHERE owner > ?1 ORDER BY owner LIMIT 1";
    let entries = "SELECT n, at FROM change WHERE owner = ?1 ORDER BY n LIMIT ?2";
    let (mut owner, mut left) = (String::new(), limit as usize);
    while let Some(this) = conn.prepare_cached(next)?.query_row([&owner], |record| record.get(0)).optional()? {
        owner = this;
        let mut old = old(conn, entries, (&owner, i64::try_from(left).unwrap_or(i64::MAX - 1) + 1), before)?;
        if old.len() > left {
            found.more = true;
            old.truncate(left);
        }
        left -= old.len();
        found.due.extend(old.last().map(|&last| Due::Journal { owner: owner.clone(), last }));
        if found.more && left == 0 {
            break;
        }
    }
    Ok(())
}

/// Deletes a session, unless it was used meanwhile.
fn delete_session(conn: &Connection, sid: i64) -> Outcome<bool> {
    let sql = concat!("DELETE FROM session WHERE sid = ?2 AND ", over!(), " RETURNING owner, id");
    let now = now();
    let gone = conn.prepare_cached(sql)?.query_row((now, sid), |record| Ok((text(record, 0)?, text(record, 1)?)));
    let Some((owner, id)) = gone.optional()? else { return Ok(false) };
    journal::add(conn, &owner, &id, None, ChangeKind::Deleted, now)?;
    Ok(true)
}

/// Deletes what was found; another sweep may have been faster.
pub(super) fn delete(conn: &Connection, due: &[Due]) -> Outcome<u64> {
    let mut deleted = 0;
    for due in due {
        deleted += match due {
            Due::Table { name, last } => conn.execute(&format!("DELETE FROM {name} WHERE rid <= ?1"), [last])?,
            Due::Journal { owner, last } => {
                journal::remember(conn, owner, *last)?;
                conn.prepare_cached("DELETE FROM change WHERE owner = ?1 AND n <= ?2")?.execute((owner, last))?
            }
            Due::Counters { before, limit } => {
                let sql = "DELETE FROM counter WHERE (name, key, start) IN
                    (SELECT name, key, start FROM counter WHERE ends <= ?1 ORDER BY ends LIMIT ?2)";
                conn.prepare_cached(sql)?.execute((before, limit))?
            }
            Due::Session(sid) => usize::from(delete_session(conn, *sid)?),
        };
    }
    Ok(deleted as u64)
}

//! Finished messages that go on a branch.

use std::time::Duration;

use rusqlite::{Connection, params};

use super::begin::{self, Fresh, above, changed};
use super::edit::idle;
use super::fault::Outcome;
use super::row::{Held, find, int};
use super::{grow, journal};
use crate::event::ChangeKind::Updated;
use crate::id::{Owner, Seq, SessionId};
use crate::memory::{Done, NewRow, Parent, Row};

/// What comes to a session.
pub(super) struct More<'a> {
    pub(super) parent: Parent,
    pub(super) rows: &'a [NewRow],
    pub(super) if_version: Option<u64>,
    pub(super) title: Option<&'a Vec<u8>>,
    pub(super) ttl: Option<Duration>,
}

pub(super) fn append(conn: &Connection, owner: &Owner, id: &SessionId, more: &More<'_>, now: i64) -> Outcome<Done> {
    let held = find(conn, owner, id)?;
    let version = held.as_ref().map_or(0, |held| held.row.version);
    if more.if_version.is_some_and(|wanted| wanted != version) {
        return Err(changed(version).into());
    }
    idle(held.as_ref().and_then(|held| held.row.running))?;
    let parent = above(conn, held.as_ref(), more.parent)?;
    let held = match held {
        Some(held) => {
            journal::add(conn, owner, id, None, Updated, now)?;
            held
        }
        None => begin::create(conn, owner, id, &Fresh { ttl: more.ttl, ..Fresh::default() }, now)?,
    };
    let last = insert(conn, &held, parent, more.rows, now)?;
    let head = if more.rows.is_empty() { parent } else { Some(last) };
    let title = more.title.filter(|_| held.row.messages == 0 && held.row.title.is_none());
    let sql = "UPDATE session SET head = ?2, last_seq = ?3, version = ?4, updated_at = ?5, title = coalesce(?6, title),
        retitled = retitled OR ?6 IS NOT NULL WHERE sid = ?1";
    let place = params![held.sid, head.map(int), int(last), int(version + 1), now, title];
    conn.prepare_cached(sql)?.execute(place)?;
    Ok(if more.rows.is_empty() { Done::Version(version + 1) } else { Done::Seq(last) })
}

/// Writes the messages after those that are there, and says the number of the last.
fn insert(conn: &Connection, held: &Held, parent: Option<Seq>, rows: &[NewRow], now: i64) -> Outcome<Seq> {
    let (mut last, mut parent) = (held.row.messages, parent);
    for new in rows {
        last += 1;
        let NewRow { role, status, body, model, usage } = new.clone();
        let row = Row { seq: last, parent, turn: None, role, status, body, model, usage, created_ms: now };
        grow::insert(conn, held.sid, &row)?;
        parent = Some(last);
    }
    Ok(last)
}

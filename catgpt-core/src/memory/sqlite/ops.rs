//! Operations: all of a call in one transaction, or none, and once only.

use rusqlite::{Connection, OptionalExtension};

use super::begin::{changed, create};
use super::fault::Outcome;
use super::row::{Held, find, int, need, now};
use super::{journal, sweep, turn};
use crate::error::{Error, ErrorKind};
use crate::event::ChangeKind;
use crate::id::{OpId, Owner, Seq, TurnId};
use crate::memory::check::unsupported;
use crate::memory::{Done, Op};

pub(super) fn apply(conn: &Connection, owner: &Owner, id: OpId, ops: &[Op]) -> Outcome<Vec<Done>> {
    let now = now();
    if let Some(done) = known(conn, owner, id, now)? {
        return Ok(done);
    }
    let done = ops.iter().map(|op| run(conn, owner, op, now)).collect::<Outcome<Vec<_>>>()?;
    let sql = "INSERT OR REPLACE INTO op(owner, id, done, at) VALUES(?1, ?2, ?3, ?4)";
    conn.prepare_cached(sql)?.execute((owner.as_str(), id.to_bytes(), encode(&done), now))?;
    Ok(done)
}

fn known(conn: &Connection, owner: &Owner, id: OpId, now: i64) -> Outcome<Option<Vec<Done>>> {
    let sql = "SELECT done FROM op WHERE owner = ?1 AND id = ?2 AND at > ?3";
    let mut statement = conn.prepare_cached(sql)?;
    let known = statement.query_row((owner.as_str(), id.to_bytes(), now - sweep::KEPT), |record| {
        Ok(decode(record.get_ref(0)?.as_str()?))
    });
    Ok(known.optional()?)
}

/// Versions by commas; nothing for [`Done::Nothing`], and each ends with a comma, so that none and one differ.
fn encode(done: &[Done]) -> String {
    let words = done.iter().map(|done| match done {
        Done::Version(version) => format!("{version},"),
        Done::Nothing | Done::Count(_) | Done::Seq(_) => ",".to_owned(),
    });
    words.collect()
}

fn decode(text: &str) -> Vec<Done> {
    text.split_terminator(',').map(|word| word.parse().map_or(Done::Nothing, Done::Version)).collect()
}

fn run(conn: &Connection, owner: &Owner, op: &Op, now: i64) -> Outcome<Done> {
    match op {
        Op::Create { session, title, pin, .. } => match find(conn, owner, session)? {
            Some(_) => Ok(Done::Nothing),
            None => {
                let held = create(conn, owner, session, title.as_deref(), pin.as_deref(), now)?;
                Ok(Done::Version(held.row.version))
            }
        },
        Op::SetTitle { session, title, .. } => {
            let held = need(conn, owner, session)?;
            conn.prepare_cached("UPDATE session SET title = ?2 WHERE sid = ?1")?.execute((held.sid, title))?;
            note(conn, owner, &held, ChangeKind::Titled, now)
        }
        Op::SetPin { session, pin } => {
            let held = need(conn, owner, session)?;
            conn.prepare_cached("UPDATE session SET pin = ?2 WHERE sid = ?1")?.execute((held.sid, pin))?;
            note(conn, owner, &held, ChangeKind::Updated, now)
        }
        Op::SetHead { session, head, if_version } => {
            let held = need(conn, owner, session)?;
            set_head(conn, owner, &held, *head, *if_version, now)
        }
        Op::Cancel { turn } => cancel(conn, owner, *turn),
        Op::Delete { session } => {
            let held = need(conn, owner, session)?;
            conn.prepare_cached("DELETE FROM session WHERE sid = ?1")?.execute([held.sid])?;
            journal::add(conn, owner, session, None, ChangeKind::Deleted, now)?;
            Ok(Done::Nothing)
        }
        _ => Err(unsupported().into()),
    }
}

/// Raises the session's version and notes what changed.
fn note(conn: &Connection, owner: &Owner, held: &Held, kind: ChangeKind, now: i64) -> Outcome<Done> {
    let sql = "UPDATE session SET version = version + 1, updated_at = ?2 WHERE sid = ?1";
    conn.prepare_cached(sql)?.execute((held.sid, now))?;
    journal::add(conn, owner, &held.row.id, None, kind, now)?;
    Ok(Done::Version(held.row.version + 1))
}

fn set_head(
    conn: &Connection,
    owner: &Owner,
    held: &Held,
    head: Seq,
    if_version: Option<u64>,
    now: i64,
) -> Outcome<Done> {
    if if_version.is_some_and(|version| version != held.row.version) {
        return Err(changed(held.row.version).into());
    }
    if let Some(turn) = held.row.running {
        let sentence = "a turn runs in the session: wait for it or cancel it, then try again";
        return Err(Error::new(ErrorKind::Busy, sentence).with_turn(turn).into());
    }
    if head == 0 || head > held.row.messages {
        return Err(Error::not_found("message").with("seq", head).into());
    }
    conn.prepare_cached("UPDATE session SET head = ?2 WHERE sid = ?1")?.execute((held.sid, int(head)))?;
    note(conn, owner, held, ChangeKind::Updated, now)
}

fn cancel(conn: &Connection, owner: &Owner, id: TurnId) -> Outcome<Done> {
    let place = turn::need(conn, owner, id)?;
    if place.running {
        conn.prepare_cached("UPDATE session SET run_cancel = 1 WHERE sid = ?1")?.execute([place.sid])?;
    }
    Ok(Done::Nothing)
}

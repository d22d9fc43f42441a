//! The owner's journal of changes: numbered 1, 2, 3… whatever the sweep has taken from it.

use rusqlite::Connection;

use super::fault::Outcome;
use super::row::{coded, count, int, text, turn};
use crate::event::{Change, ChangeKind};
use crate::id::{Owner, SessionId, TurnId};

/// The number of the owner's newest change, also if the sweep has taken it. Nobody's name is empty: there stands the
/// greatest number of those who were erased.
macro_rules! end {
    () => {
        "coalesce((SELECT max(n) FROM change WHERE owner = ?1), (SELECT max(n) FROM swept WHERE owner IN (?1, '')), 0)"
    };
}

const ADD: &str =
    concat!("INSERT INTO change(owner, n, session, turn, kind, at) VALUES(?1, 1 + ", end!(), ", ?2, ?3, ?4, ?5)");

pub(super) fn end(conn: &Connection, owner: &Owner) -> Outcome<u64> {
    Ok(conn.prepare_cached(concat!("SELECT ", end!()))?.query_row([owner.as_str()], |record| count(record, 0))?)
}

pub(super) fn add(
    conn: &Connection,
    owner: &Owner,
    session: &SessionId,
    turn: Option<TurnId>,
    kind: ChangeKind,
    now: i64,
) -> Outcome<()> {
    let turn = turn.map(TurnId::to_bytes);
    conn.prepare_cached(ADD)?.execute((owner.as_str(), session.as_str(), turn, kind.code(), now))?;
    Ok(())
}

pub(super) fn after(conn: &Connection, owner: &Owner, after: u64, limit: u32) -> Outcome<Vec<Change>> {
    let sql = "SELECT n, session, turn, kind, at FROM change WHERE owner = ?1 AND n > ?2 ORDER BY n LIMIT ?3";
    let mut statement = conn.prepare_cached(sql)?;
    let changes = statement.query_map((owner.as_str(), int(after), limit), |record| {
        Ok(Change {
            n: count(record, 0)?,
            session: text(record, 1)?,
            turn: turn(record, 2)?,
            kind: coded(record, 3, ChangeKind::from_code)?,
            at_ms: record.get(4)?,
        })
    })?;
    Ok(changes.collect::<Result<_, _>>()?)
}

/// Forgets an owner's journal, and the name. Who comes again goes on after it, so that a reader who knows an old number
/// misses nothing.
pub(super) fn erase(conn: &Connection, owner: &Owner) -> Outcome<()> {
    remember(conn, "", int(end(conn, owner)?))?;
    conn.execute("DELETE FROM change WHERE owner = ?1", [owner.as_str()])?;
    conn.execute("DELETE FROM swept WHERE owner = ?1", [owner.as_str()])?;
    Ok(())
}

/// The journal goes on counting after this number, also when all of it is gone.
pub(super) fn remember(conn: &Connection, owner: &str, n: i64) -> Outcome<()> {
    let sql = "INSERT INTO swept(owner, n) VALUES(?1, ?2) ON CONFLICT DO UPDATE SET n = max(n, excluded.n)";
    conn.prepare_cached(sql)?.execute((owner, n))?;
    Ok(())
}

pub(super) fn many(conn: &Connection, owners: &[(Owner, u64)], limit: u32) -> Outcome<Vec<(Owner, Vec<Change>)>> {
    let mut journals = Vec::new();
    for (owner, known) in owners {
        let changes = after(conn, owner, *known, limit)?;
        if !changes.is_empty() {
            journals.push((owner.clone(), changes));
        }
    }
    Ok(journals)
}

//! Looking over all sessions of an owner.

use rusqlite::Connection;

use super::fault::Outcome;
use super::ledger::{self, Span};
use super::row::{need, now, session, session_columns, text, turn};
use super::search::{self, Wanted};
use super::{journal, limits};
use crate::id::Owner;
use crate::memory::{Answer, Cursor, Query};

pub(super) fn query(conn: &Connection, owner: &Owner, query: &Query) -> Outcome<Answer> {
    match query {
        Query::Sessions { after, limit, archived } => sessions(conn, owner, after.as_ref(), *limit, *archived),
        Query::Session { session } => Ok(Answer::Sessions { rows: vec![need(conn, owner, session)?.row], more: false }),
        Query::Turns => turns(conn, owner),
        Query::Changes { after, limit } => Ok(Answer::Changes(journal::after(conn, owner, *after, *limit)?)),
        Query::JournalEnd => Ok(Answer::JournalEnd(journal::end(conn, owner)?)),
        Query::Journals { after, limit } => Ok(Answer::Journals(journal::many(conn, after, *limit)?)),
        Query::Owners { after, limit } => owners(conn, after.as_ref(), *limit),
        Query::Search { terms, prefix, after, limit } => {
            let wanted = Wanted { terms, prefix: *prefix, after: after.as_deref(), limit: *limit };
            search::search(conn, owner, &wanted)
        }
        Query::Unindexed { limit } => search::unindexed(conn, owner, *limit),
        Query::Usage { from_ms, to_ms, session, by } => {
            let span = Span { from: *from_ms, to: *to_ms, session: session.as_ref() };
            ledger::sums(conn, owner, &span, by)
        }
        Query::Counters(ids) => limits::counters(conn, ids, now()),
    }
}

fn sessions(conn: &Connection, owner: &Owner, after: Option<&Cursor>, limit: u32, archived: bool) -> Outcome<Answer> {
    let sql = concat!(
        "SELECT ",
        session_columns!(),
        " FROM session WHERE owner = ?1 AND archived = ?2 AND (pinned, updated_at, id) < (?3, ?4, ?5)
         ORDER BY pinned DESC, updated_at DESC, id DESC LIMIT ?6"
    );
    let (pinned, time, id) =
        after.map_or((2, 0, ""), |cursor| (i64::from(cursor.pinned), cursor.updated_ms, cursor.session.as_str()));
    let mut statement = conn.prepare_cached(sql)?;
    let place = (owner.as_str(), archived, pinned, time, id, i64::from(limit) + 1);
    let records = statement.query_map(place, session)?;
    let mut rows = records.map(|held| held.map(|held| held.row)).collect::<Result<Vec<_>, _>>()?;
    let more = rows.len() > limit as usize;
    rows.truncate(limit as usize);
    Ok(Answer::Sessions { rows, more })
}

fn owners(conn: &Connection, after: Option<&Owner>, limit: u32) -> Outcome<Answer> {
    let sql = "SELECT DISTINCT owner FROM session WHERE owner > ?1 ORDER BY owner LIMIT ?2";
    let mut statement = conn.prepare_cached(sql)?;
    let owners = statement.query_map((after.map_or("", Owner::as_str), limit), |record| text(record, 0))?;
    Ok(Answer::Owners(owners.collect::<Result<_, _>>()?))
}

fn turns(conn: &Connection, owner: &Owner) -> Outcome<Answer> {
    let sql = "SELECT id, run FROM session INDEXED BY session_work
        WHERE (run IS NULL) = 0 AND owner = ?1 AND run IS NOT NULL AND run_until > ?2 ORDER BY id";
    let mut statement = conn.prepare_cached(sql)?;
    let records = statement.query_map((owner.as_str(), now()), |record| Ok((text(record, 0)?, turn(record, 1)?)))?;
    let turns = records.collect::<Result<Vec<_>, _>>()?;
    Ok(Answer::Turns(turns.into_iter().filter_map(|(session, turn)| Some((session, turn?))).collect()))
}

//! The sweep: names turns that died, deletes what is older than a day.

use rusqlite::Connection;

use super::fault::Outcome;
use super::row::{now, text, turn};
use crate::id::{Owner, TurnId};
use crate::memory::Swept;

/// How long keys, answers of operations and the journal are kept, in milliseconds.
pub(super) const KEPT: i64 = 24 * 60 * 60 * 1000;

/// The journal goes on counting where it was, also when all of it is gone.
const REMEMBER: &str = "INSERT INTO swept(owner, n) SELECT owner, max(n) FROM change WHERE rid <= ?1 GROUP BY owner
    ON CONFLICT(owner) DO UPDATE SET n = excluded.n";

pub(super) fn sweep(conn: &Connection, limit: u32) -> Outcome<Swept> {
    let now = now();
    let mut swept = Swept::default();
    let expired = expired(conn, limit, now)?;
    swept.more = expired.len() > limit as usize;
    swept.expired.extend(expired.into_iter().take(limit as usize));
    for table in ["idem", "op", "change"] {
        let mut due = due(conn, table, limit, now - KEPT)?;
        swept.more |= due.len() > limit as usize;
        due.truncate(limit as usize);
        let Some(last) = due.last() else { continue };
        if table == "change" {
            conn.execute(REMEMBER, [last])?;
        }
        swept.deleted += conn.execute(&format!("DELETE FROM {table} WHERE rid <= ?1"), [last])? as u64;
    }
    Ok(swept)
}

/// One more than `limit`, if there are.
fn expired(conn: &Connection, limit: u32, now: i64) -> Outcome<Vec<(Owner, TurnId)>> {
    let sql =
        "SELECT owner, run FROM session INDEXED BY session_run WHERE run IS NOT NULL AND run_until <= ?1 LIMIT ?2";
    let mut statement = conn.prepare_cached(sql)?;
    let dead = statement.query_map((now, i64::from(limit) + 1), |record| Ok((text(record, 0)?, turn(record, 1)?)))?;
    let dead = dead.collect::<Result<Vec<_>, _>>()?;
    Ok(dead.into_iter().filter_map(|(owner, turn)| Some((owner, turn?))).collect())
}

/// The oldest rows of a table that are due: one more than `limit`, if there are. Rows are in the order of their age.
fn due(conn: &Connection, table: &str, limit: u32, before: i64) -> Outcome<Vec<i64>> {
    let mut statement = conn.prepare(&format!("SELECT rid, at FROM {table} ORDER BY rid LIMIT ?1"))?;
    let mut records = statement.query([i64::from(limit) + 1])?;
    let mut due = Vec::new();
    while let Some(record) = records.next()? {
        if record.get::<_, i64>(1)? > before {
            break;
        }
        due.push(record.get(0)?);
    }
    Ok(due)
}

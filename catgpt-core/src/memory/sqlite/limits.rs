//! Limits: how many turns of an owner run, and the counters that turns must find below theirs.

use std::time::Duration;

use rusqlite::{Connection, OptionalExtension};

use super::fault::Outcome;
use super::row::{count, int, left, millis};
use crate::id::Owner;
use crate::memory::limits::began;
use crate::memory::{Answer, Begin, Begun, Counter, CounterId, Done, Reserved, Settle};

/// Whether the owner's limits let another turn begin; if not, why.
pub(super) fn limited(conn: &Connection, owner: &Owner, begin: &Begin, now: i64) -> Outcome<Option<Begun>> {
    if let Some(most) = begin.max_running
        && running(conn, owner, now)? >= u64::from(most)
    {
        return Ok(Some(Begun::Limited { name: None, retry_after: None }));
    }
    let over = over(conn, &begin.reserve, now)?;
    Ok(over.map(|(counter, left)| Begun::Limited { name: Some(counter.name.clone()), retry_after: Some(left) }))
}

/// The first of these counters that is at its limit, and how long its window still is.
fn over<'a>(conn: &Connection, counters: &'a [Counter], now: i64) -> Outcome<Option<(&'a Counter, Duration)>> {
    for counter in counters {
        let start = began(counter.window, now);
        if value(conn, &counter.name, &counter.key, start)?.unwrap_or(0) >= counter.limit {
            return Ok(Some((counter, left(start.saturating_add(millis(counter.window)), now))));
        }
    }
    Ok(None)
}

/// Reserves what is used beside the turns.
pub(super) fn reserve_beside(conn: &Connection, counters: &[Counter], now: i64) -> Outcome<Done> {
    if let Some((counter, left)) = over(conn, counters, now)? {
        return Err(counter.refused(Some(left)).into());
    }
    reserve(conn, counters, now)?;
    Ok(Done::Count(now.try_into().unwrap_or_default()))
}

fn running(conn: &Connection, owner: &Owner, now: i64) -> Outcome<u64> {
    let sql = "SELECT count(*) FROM session INDEXED BY session_work
        WHERE (run IS NULL) = 0 AND owner = ?1 AND run IS NOT NULL AND run_until > ?2";
    Ok(conn.prepare_cached(sql)?.query_row((owner.as_str(), now), |record| count(record, 0))?)
}

/// Reserves what a turn asks for.
pub(super) fn reserve(conn: &Connection, counters: &[Counter], now: i64) -> Outcome<Vec<Reserved>> {
    let sql = "INSERT INTO counter(name, key, start, ends, value) VALUES(?1, ?2, ?3, ?4, ?5)
        ON CONFLICT DO UPDATE SET value = excluded.value";
    let one = |counter: &Counter| {
        let Counter { name, key, window, add, unit, .. } = counter;
        let start_ms = began(*window, now);
        let value = value(conn, name, key, start_ms)?.unwrap_or(0).saturating_add(*add);
        let ends = start_ms.saturating_add(millis(*window));
        conn.prepare_cached(sql)?.execute((name, key, start_ms, ends, int(value)))?;
        Ok(Reserved { name: name.clone(), key: key.clone(), start_ms, add: *add, unit: *unit })
    };
    counters.iter().map(one).collect()
}

/// Corrects counters. One that is swept stays away.
pub(super) fn settle(conn: &Connection, settle: &[Settle]) -> Outcome<()> {
    let sql = "UPDATE counter SET value = ?4 WHERE name = ?1 AND key = ?2 AND start = ?3";
    for Settle { name, key, start_ms, by } in settle {
        if let Some(value) = value(conn, name, key, *start_ms)? {
            let value = int(value.saturating_add_signed(*by));
            conn.prepare_cached(sql)?.execute((name, key, start_ms, value))?;
        }
    }
    Ok(())
}

pub(super) fn counters(conn: &Connection, ids: &[CounterId], now: i64) -> Outcome<Answer> {
    let one = |id: &CounterId| Ok(value(conn, &id.name, &id.key, began(id.window, now))?.unwrap_or(0));
    Ok(Answer::Counters(ids.iter().map(one).collect::<Outcome<_>>()?))
}

fn value(conn: &Connection, name: &str, key: &str, start: i64) -> Outcome<Option<u64>> {
    let sql = "SELECT value FROM counter WHERE name = ?1 AND key = ?2 AND start = ?3";
    Ok(conn.prepare_cached(sql)?.query_row((name, key, start), |record| count(record, 0)).optional()?)
}

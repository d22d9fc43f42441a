//! The ledger: what each owner used, by day, session, model and purpose.

use rusqlite::{Connection, Row as Record, params};

use super::fault::Outcome;
use super::row::{coded, int, text};
use crate::id::{Owner, SessionId};
use crate::memory::{Answer, GroupBy, Purpose, Spent};
use crate::message::Usage;

const DAY: i64 = 24 * 60 * 60 * 1000;

/// Adds to a sum, up to the largest number there is: beyond it SQLite would refuse the row.
macro_rules! plus {
    ($($column:literal),*) => {
        concat!($($column, " = iif(", $column, " > 9223372036854775807 - excluded.", $column, ", 9223372036854775807, ",
            $column, " + excluded.", $column, "), "),*)
    };
}

const SUMS: &str = concat!(
    " ON CONFLICT DO UPDATE SET ",
    plus!("calls", "input", "output", "cached", "reasoning", "cost"),
    "estimated = max(estimated, excluded.estimated)"
);
const ADD: &str = "INSERT INTO ledger(owner, day, session, model, purpose, calls, input, output, cached, reasoning,
    estimated, cost) VALUES(?1, ?2, ?3, ?4, ?5, 1, ?6, ?7, ?8, ?9, ?10, ?11)";
const TAKE_OVER: &str = "INSERT INTO ledger SELECT ?1, day, session, model, purpose, calls, input, output, cached,
    reasoning, estimated, cost FROM ledger WHERE owner = ?2";

/// What a call of a model was for.
pub(super) struct Line<'a> {
    pub(super) session: &'a SessionId,
    pub(super) model: &'a str,
    pub(super) purpose: Purpose,
}

/// Adds one call.
pub(super) fn add(conn: &Connection, owner: &Owner, line: &Line<'_>, usage: Usage, cost: u64, now: i64) -> Outcome<()> {
    conn.prepare_cached(&format!("{ADD}{SUMS}"))?.execute(params![
        owner.as_str(),
        day(now),
        line.session.as_str(),
        line.model,
        line.purpose.code(),
        int(usage.input_tokens),
        int(usage.output_tokens),
        int(usage.cached_tokens),
        int(usage.reasoning_tokens),
        usage.estimated,
        int(cost),
    ])?;
    Ok(())
}

/// Adds one owner's lines to those of another.
pub(super) fn take_over(conn: &Connection, owner: &Owner, from: &Owner) -> Outcome<()> {
    conn.execute(&format!("{TAKE_OVER}{SUMS}"), (owner.as_str(), from.as_str()))?;
    conn.execute("DELETE FROM ledger WHERE owner = ?1", [from.as_str()])?;
    Ok(())
}

/// Which part of a ledger.
pub(super) struct Span<'a> {
    pub(super) from: Option<i64>,
    pub(super) to: Option<i64>,
    pub(super) session: Option<&'a SessionId>,
}

/// Sums of an owner's lines, in the order of what tells them apart.
pub(super) fn sums(conn: &Connection, owner: &Owner, span: &Span<'_>, by: &[GroupBy]) -> Outcome<Answer> {
    let names: Vec<_> = by.iter().map(|by| column(*by)).collect();
    let shown = |group| if by.contains(&group) { column(group) } else { "NULL" };
    let [days, sessions, models, purposes] =
        [GroupBy::Day, GroupBy::Session, GroupBy::Model, GroupBy::Purpose].map(shown);
    let (group, names) = if by.is_empty() { ("", String::new()) } else { ("GROUP BY", names.join(", ")) };
    let order = if by.is_empty() { "" } else { "ORDER BY" };
    // `total` and not `sum`, which fails where the sum is too large.
    let sql = format!(
        "SELECT {days}, {sessions}, {models}, {purposes}, total(calls), total(input), total(output), total(cached),
         total(reasoning), max(estimated), total(cost) FROM ledger
         WHERE owner = ?1 AND day >= ?2 AND day < ?3 AND (?4 IS NULL OR session = ?4) {group} {names} {order} {names}"
    );
    let (from, to) = (span.from.map_or(i64::MIN, day), span.to.map_or(i64::MAX, day));
    let mut statement = conn.prepare_cached(&sql)?;
    let place = (owner.as_str(), from, to, span.session.map(SessionId::as_str));
    let spent = statement.query_map(place, |record| spent(record, by))?;
    Ok(Answer::Usage(spent.collect::<Result<_, _>>()?))
}

fn column(by: GroupBy) -> &'static str {
    match by {
        GroupBy::Day => "day",
        GroupBy::Session => "session",
        GroupBy::Model => "model",
        GroupBy::Purpose => "purpose",
    }
}

fn spent(record: &Record<'_>, by: &[GroupBy]) -> rusqlite::Result<Spent> {
    let has = |group| by.contains(&group);
    Ok(Spent {
        day_ms: record.get(0)?,
        session: has(GroupBy::Session).then(|| text(record, 1)).transpose()?,
        model: record.get(2)?,
        purpose: has(GroupBy::Purpose).then(|| coded(record, 3, Purpose::from_code)).transpose()?,
        calls: total(record, 4)?,
        usage: Usage {
            input_tokens: total(record, 5)?,
            output_tokens: total(record, 6)?,
            cached_tokens: total(record, 7)?,
            reasoning_tokens: total(record, 8)?,
            estimated: record.get::<_, Option<bool>>(9)?.unwrap_or(false),
        },
        cost: total(record, 10)?,
    })
}

/// A sum: exact up to 2^53, and never too large.
#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "sums are whole and not negative")]
fn total(record: &Record<'_>, column: usize) -> rusqlite::Result<u64> {
    record.get::<_, f64>(column).map(|sum| sum as u64)
}

/// When the day of this time began.
fn day(ms: i64) -> i64 {
    ms.saturating_sub(ms.rem_euclid(DAY))
}

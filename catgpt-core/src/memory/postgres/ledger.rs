//! What owners used, and how far counters have come.

use std::cmp::Ordering;

use tokio_postgres::Row as Record;
use tokio_postgres::types::Type;

use super::fault::damaged;
use super::link::Link;
use super::row::{TEXTS, code, count, get, millis, text};
use crate::error::Result;
use crate::id::{Owner, SessionId};
use crate::memory::{Answer, CounterId, GroupBy, Purpose, Spent};
use crate::message::Usage;

/// What is not told apart is null. Sums end where our numbers do.
const USAGE: &str = "SELECT CASE WHEN $5 THEN day END AS day, CASE WHEN $6 THEN session END AS session,
        CASE WHEN $7 THEN model END AS model, CASE WHEN $8 THEN purpose END AS purpose,
        least(sum(calls), 9223372036854775807)::bigint AS calls, least(sum(input), 9223372036854775807)::bigint AS input,
        least(sum(output), 9223372036854775807)::bigint AS output,
        least(sum(cached), 9223372036854775807)::bigint AS cached,
        least(sum(reasoning), 9223372036854775807)::bigint AS reasoning, sum(estimated) > 0 AS estimated,
        least(sum(cost), 9223372036854775807)::bigint AS cost
    FROM catgpt.ledger WHERE owner = $1 AND ($2::bigint IS NULL OR day >= $2) AND ($3::bigint IS NULL OR day < $3)
        AND ($4::text IS NULL OR session = $4)
    GROUP BY 1, 2, 3, 4";

const COUNTERS: &str = "SELECT coalesce(c.value, 0) AS value
    FROM catgpt.now_v1() AS t(now)
        CROSS JOIN unnest($1::text[], $2::text[], $3::bigint[]) WITH ORDINALITY a(name, key, length, nth)
        LEFT JOIN catgpt.counter c
            ON c.name = a.name COLLATE \"C\" AND c.key = a.key COLLATE \"C\" AND c.start = t.now - t.now % a.length
    ORDER BY a.nth";

const DAY_MS: i64 = 86_400_000;

pub(super) async fn usage(
    link: &Link,
    owner: &Owner,
    (from, to): (Option<i64>, Option<i64>),
    session: Option<&SessionId>,
    by: &[GroupBy],
) -> Result<Answer> {
    let day = |ms: i64| ms.saturating_sub(ms.rem_euclid(DAY_MS));
    let given = [
        (&owner.as_str() as _, Type::TEXT),
        (&from.map(day) as _, Type::INT8),
        (&to.map(day) as _, Type::INT8),
        (&session.map(SessionId::as_str) as _, Type::TEXT),
        (&by.contains(&GroupBy::Day) as _, Type::BOOL),
        (&by.contains(&GroupBy::Session) as _, Type::BOOL),
        (&by.contains(&GroupBy::Model) as _, Type::BOOL),
        (&by.contains(&GroupBy::Purpose) as _, Type::BOOL),
    ];
    let mut sums = link.ask(USAGE, &given).await?.iter().map(spent).collect::<Result<Vec<_>>>()?;
    if by.is_empty() && sums.is_empty() {
        sums.push(Spent::default());
    }
    sums.sort_by(|one, other| {
        by.iter().map(|by| order(*by, one, other)).find(|o| o.is_ne()).unwrap_or(Ordering::Equal)
    });
    Ok(Answer::Usage(sums))
}

fn order(by: GroupBy, one: &Spent, other: &Spent) -> Ordering {
    match by {
        GroupBy::Day => one.day_ms.cmp(&other.day_ms),
        GroupBy::Session => one.session.cmp(&other.session),
        GroupBy::Model => one.model.cmp(&other.model),
        GroupBy::Purpose => one.purpose.cmp(&other.purpose),
    }
}

fn spent(record: &Record) -> Result<Spent> {
    let number = |column| get(record, column).map(count);
    let purpose = get::<Option<i16>>(record, "purpose")?.map(|number| code(number).and_then(Purpose::from_code));
    Ok(Spent {
        day_ms: get(record, "day")?,
        session: get::<Option<&str>>(record, "session")?.map(text).transpose()?,
        model: get(record, "model")?,
        purpose: purpose.map(|known| known.ok_or_else(|| damaged("a purpose that means nothing"))).transpose()?,
        calls: number("calls")?,
        usage: Usage {
            input_tokens: number("input")?,
            output_tokens: number("output")?,
            cached_tokens: number("cached")?,
            reasoning_tokens: number("reasoning")?,
            estimated: get(record, "estimated")?,
        },
        cost: number("cost")?,
    })
}

pub(super) async fn counters(link: &Link, counters: &[CounterId]) -> Result<Answer> {
    let names: Vec<_> = counters.iter().map(|counter| counter.name.as_str()).collect();
    let keys: Vec<_> = counters.iter().map(|counter| counter.key.as_str()).collect();
    let lengths: Vec<_> = counters.iter().map(|counter| millis(counter.window)).collect();
    let given = [(&names as _, TEXTS), (&keys as _, TEXTS), (&lengths as _, Type::INT8_ARRAY)];
    let records = link.ask(COUNTERS, &given).await?;
    Ok(Answer::Counters(records.iter().map(|record| Ok(count(get(record, "value")?))).collect::<Result<_>>()?))
}

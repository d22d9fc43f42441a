//! Search: words in a GIN index, the newest first.

use tokio_postgres::Row as Record;
use tokio_postgres::types::Type;

use super::link::Link;
use super::row::{TEXTS, count, get, messages, session, text};
use crate::error::{Error, Result};
use crate::id::Owner;
use crate::memory::{Answer, Hit, Unindexed};

/// A title counts as long as it is the one that was indexed.
const SEARCH: &str = "SELECT t.at, t.sid, t.seq, s.*,
        ARRAY[m.seq] AS m_seq, ARRAY[m.parent] AS m_parent, ARRAY[m.turn] AS m_turn, ARRAY[m.role] AS m_role,
        ARRAY[m.status] AS m_status, ARRAY[m.body] AS m_body, ARRAY[m.model] AS m_model, ARRAY[m.usage] AS m_usage,
        ARRAY[m.created_at] AS m_created
    FROM (SELECT t.at, t.sid, t.seq FROM catgpt.term t
        WHERE t.owner = $1 AND t.words @@ catgpt.sought_v2($1, $2, $3) AND (t.at, t.sid, t.seq) < ($4, $5, $6)
            AND (t.seq > 0 OR (SELECT x.title = i.title FROM catgpt.session x JOIN catgpt.indexed i ON i.sid = x.sid
                WHERE x.sid = t.sid))
        ORDER BY t.at DESC, t.sid DESC, t.seq DESC LIMIT $7) t
        JOIN catgpt.session_v2 s ON s.sid = t.sid LEFT JOIN catgpt.message m ON m.sid = t.sid AND m.seq = t.seq
    ORDER BY t.at DESC, t.sid DESC, t.seq DESC";

const UNINDEXED: &str =
    "SELECT s.id, coalesce(i.upto, 0) AS upto, s.title IS NOT NULL AND s.title IS DISTINCT FROM i.title AS title
    FROM catgpt.session s LEFT JOIN catgpt.indexed i ON i.sid = s.sid
    WHERE s.owner = $1 AND s.run IS NULL
        AND (coalesce(i.upto, 0) < s.last_seq OR s.title IS NOT NULL AND s.title IS DISTINCT FROM i.title)
    LIMIT $2";

/// Where a hit stands: when it was made, its session, its number.
type Place = (i64, i64, i64);

pub(super) async fn search(
    link: &Link,
    owner: &Owner,
    (terms, prefix): (&[String], bool),
    after: Option<&str>,
    limit: u32,
) -> Result<Answer> {
    let (at, sid, seq) = after.map_or(Ok((i64::MAX, i64::MAX, i64::MAX)), place)?;
    let given = [
        (&owner.as_str() as _, Type::TEXT),
        (&terms as _, TEXTS),
        (&prefix as _, Type::BOOL),
        (&at as _, Type::INT8),
        (&sid as _, Type::INT8),
        (&seq as _, Type::INT8),
        (&(i64::from(limit) + 1) as _, Type::INT8),
    ];
    let mut records = link.ask(SEARCH, &given).await?;
    let more = records.len() > limit as usize;
    records.truncate(limit as usize);
    let next = records.last().filter(|_| more).map(cursor).transpose()?;
    Ok(Answer::Hits { hits: records.iter().map(hit).collect::<Result<_>>()?, next })
}

fn hit(record: &Record) -> Result<Hit> {
    let row = match get(record, "seq")? {
        0i64 => None,
        _ => messages(record)?.pop(),
    };
    Ok(Hit { session: session(record)?, row })
}

fn cursor(record: &Record) -> Result<String> {
    let (at, sid, seq): (i64, i64, i64) = (get(record, "at")?, get(record, "sid")?, get(record, "seq")?);
    Ok(format!("{at}.{sid}.{seq}"))
}

fn place(cursor: &str) -> Result<Place> {
    let mut parts = cursor.split('.').map(|part| part.parse::<i64>().ok());
    match (parts.next().flatten(), parts.next().flatten(), parts.next().flatten(), parts.next()) {
        (Some(at), Some(sid), Some(seq), None) => Ok((at, sid, seq)),
        _ => Err(Error::invalid("no search answered this cursor: begin without one")),
    }
}

pub(super) async fn unindexed(link: &Link, owner: &Owner, limit: u32) -> Result<Answer> {
    let given = [(&owner.as_str() as _, Type::TEXT), (&i64::from(limit) as _, Type::INT8)];
    let found = link.ask(UNINDEXED, &given).await?;
    let of = |record: &Record| {
        Ok(Unindexed {
            session: text(get(record, "id")?)?,
            indexed: count(get(record, "upto")?),
            title: get(record, "title")?,
        })
    };
    Ok(Answer::Unindexed(found.iter().map(of).collect::<Result<_>>()?))
}

//! Between SQLite's values and ours.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rusqlite::types::Type;
use rusqlite::{Connection, OptionalExtension, Row as Record};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::fault::Outcome;
use crate::error::{Error, ErrorKind};
use crate::id::{Owner, Seq, SessionId, TurnId};
use crate::memory::{Row, SessionRow};
use crate::message::{Role, Status};

type Decoded<T> = rusqlite::Result<T>;

/// The columns that [`message`] reads.
macro_rules! message_columns {
    () => {
        message_columns!("body")
    };
    ($body:literal) => {
        concat!("seq, parent, turn, role, status, ", $body, ", model, usage, created_at")
    };
}
pub(super) use message_columns;

/// The columns that [`session`] reads.
macro_rules! session_columns {
    () => {
        "sid, id, head, last_seq, version, run, run_until, created_at, updated_at, title, pin, meta, pinned, archived, ttl,
         summary, reserved, indexed, retitled"
    };
}
pub(super) use session_columns;

/// A session as the store holds it.
#[derive(Debug)]
pub(super) struct Held {
    pub(super) sid: i64,
    /// When the running turn's lease ends.
    pub(super) until: Option<i64>,
    /// The last message that search finds.
    pub(super) indexed: Seq,
    /// Whether it has a title that search does not find.
    pub(super) retitled: bool,
    pub(super) row: SessionRow,
}

pub(super) fn session(record: &Record<'_>) -> Decoded<Held> {
    let until: Option<i64> = record.get(6)?;
    let row = SessionRow {
        id: text(record, 1)?,
        head: optional_count(record, 2)?,
        messages: count(record, 3)?,
        version: count(record, 4)?,
        running: turn(record, 5)?,
        expired: until.is_some_and(|until| until <= now()),
        created_ms: record.get(7)?,
        updated_ms: record.get(8)?,
        title: record.get(9)?,
        pin: record.get(10)?,
        meta: record.get(11)?,
        pinned: record.get(12)?,
        archived: record.get(13)?,
        ttl: optional_count(record, 14)?.map(Duration::from_millis),
        summary: optional_count(record, 15)?,
        reserved: json(record, 16)?.unwrap_or_default(),
    };
    Ok(Held { sid: record.get(0)?, until, indexed: count(record, 17)?, retitled: record.get(18)?, row })
}

/// The session, if this owner has it.
pub(super) fn find(conn: &Connection, owner: &Owner, id: &SessionId) -> Outcome<Option<Held>> {
    let sql = concat!("SELECT ", session_columns!(), " FROM session WHERE owner = ?1 AND id = ?2");
    let mut statement = conn.prepare_cached(sql)?;
    Ok(statement.query_row((owner.as_str(), id.as_str()), session).optional()?)
}

/// The session, which must be there.
pub(super) fn need(conn: &Connection, owner: &Owner, id: &SessionId) -> Outcome<Held> {
    Ok(find(conn, owner, id)?.ok_or_else(|| Error::not_found("session"))?)
}

pub(super) fn message(record: &Record<'_>) -> Decoded<Row> {
    Ok(Row {
        seq: count(record, 0)?,
        parent: optional_count(record, 1)?,
        turn: turn(record, 2)?,
        role: coded(record, 3, Role::from_code)?,
        status: coded(record, 4, Status::from_code)?,
        body: record.get(5)?,
        model: record.get(6)?,
        usage: json(record, 7)?,
        created_ms: record.get(8)?,
    })
}

/// The message, if it is there.
pub(super) fn find_message(conn: &Connection, sid: i64, seq: Seq) -> Outcome<Option<Row>> {
    let sql = concat!("SELECT ", message_columns!(), " FROM message WHERE sid = ?1 AND seq = ?2");
    Ok(conn.prepare_cached(sql)?.query_row((sid, int(seq)), message).optional()?)
}

/// What is kept as JSON.
fn json<T: DeserializeOwned>(record: &Record<'_>, column: usize) -> Decoded<Option<T>> {
    let read = record.get_ref(column)?.as_str_or_null()?.map(serde_json::from_str).transpose();
    read.map_err(|e| rusqlite::Error::FromSqlConversionFailure(column, Type::Text, Box::new(e)))
}

/// JSON as it is kept.
pub(super) fn to_json(value: &impl Serialize) -> Outcome<String> {
    let unwritable = |e| Error::new(ErrorKind::Unexpected, "a record cannot be written as JSON").caused_by(e);
    Ok(serde_json::to_string(value).map_err(unwritable)?)
}

pub(super) fn turn(record: &Record<'_>, column: usize) -> Decoded<Option<TurnId>> {
    Ok(record.get::<_, Option<[u8; 16]>>(column)?.map(TurnId::from_bytes))
}

/// A checked string of ours: an owner, a session's id.
pub(super) fn text<T: std::str::FromStr<Err = Error>>(record: &Record<'_>, column: usize) -> Decoded<T> {
    let text = record.get_ref(column)?.as_str()?;
    text.parse().map_err(|e| rusqlite::Error::FromSqlConversionFailure(column, Type::Text, Box::new(e)))
}

/// An enum that is kept as a number.
pub(super) fn coded<T>(record: &Record<'_>, column: usize, from: fn(u8) -> Option<T>) -> Decoded<T> {
    let number: i64 = record.get(column)?;
    let code = u8::try_from(number).ok().and_then(from);
    code.ok_or(rusqlite::Error::IntegralValueOutOfRange(column, number))
}

pub(super) fn count(record: &Record<'_>, column: usize) -> Decoded<u64> {
    record.get::<_, i64>(column).map(i64::cast_unsigned)
}

pub(super) fn optional_count(record: &Record<'_>, column: usize) -> Decoded<Option<Seq>> {
    Ok(record.get::<_, Option<i64>>(column)?.map(i64::cast_unsigned))
}

/// A number as SQLite keeps it. What is larger than any that it keeps stays larger.
pub(super) fn int(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// The machine's clock, which all who share a file share.
pub(super) fn now() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    millis(since)
}

pub(super) fn millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}

/// How long it is from `now` until `until`.
pub(super) fn left(until: i64, now: i64) -> Duration {
    Duration::from_millis(u64::try_from(until.saturating_sub(now)).unwrap_or(0))
}

//! Between the database's values and ours.

use std::str::FromStr;
use std::time::Duration;

use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio_postgres::Row as Record;
use tokio_postgres::types::{FromSql, Type};
use uuid::Uuid;

use super::fault::damaged;
use crate::error::{Error, ErrorKind, Result};
use crate::id::{Seq, TurnId};
use crate::memory::{Chunk, Row, SessionRow};
use crate::message::{Role, Status};

/// A value of a column. That it has another type than ours cannot be, so it is a damage.
pub(super) fn get<'a, T: FromSql<'a>>(record: &'a Record, column: &str) -> Result<T> {
    record.try_get(column).map_err(|e| damaged("a value of another kind").caused_by(e))
}

/// The columns of a session in an answer: `s_…`.
pub(super) fn session(record: &Record) -> Result<SessionRow> {
    Ok(SessionRow {
        id: text(get(record, "s_id")?)?,
        title: get(record, "s_title")?,
        pin: get(record, "s_pin")?,
        head: optional_count(get(record, "s_head")?),
        version: count(get(record, "s_version")?),
        messages: count(get(record, "s_messages")?),
        running: get::<Option<Uuid>>(record, "s_running")?.map(turn),
        expired: get(record, "s_expired")?,
        created_ms: get(record, "s_created")?,
        updated_ms: get(record, "s_updated")?,
        meta: get(record, "s_meta")?,
        pinned: get(record, "s_pinned")?,
        archived: get(record, "s_archived")?,
        ttl: get::<Option<i64>>(record, "s_ttl")?.map(|ms| Duration::from_millis(count(ms))),
        summary: optional_count(get(record, "s_summary")?),
        reserved: json(get(record, "s_reserved")?)?.unwrap_or_default(),
    })
}

/// The lists of messages in an answer: `m_…`.
pub(super) fn messages(record: &Record) -> Result<Vec<Row>> {
    let seqs: Vec<i64> = list(record, "m_seq")?;
    let mut parents = list::<Option<i64>>(record, "m_parent")?.into_iter();
    let mut turns = list::<Option<Uuid>>(record, "m_turn")?.into_iter();
    let mut roles = list::<i16>(record, "m_role")?.into_iter();
    let mut statuses = list::<i16>(record, "m_status")?.into_iter();
    let mut bodies = list::<Vec<u8>>(record, "m_body")?.into_iter();
    let mut models = list::<Option<String>>(record, "m_model")?.into_iter();
    let mut usages = list::<Option<String>>(record, "m_usage")?.into_iter();
    let mut times = list::<i64>(record, "m_created")?.into_iter();
    let mut next = |seq: i64| {
        let usage = json(usages.next()?.as_deref()).ok()?;
        Some(Row {
            seq: count(seq),
            parent: optional_count(parents.next()?),
            turn: turns.next()?.map(turn),
            role: code(roles.next()?).and_then(Role::from_code)?,
            status: code(statuses.next()?).and_then(Status::from_code)?,
            body: bodies.next()?,
            model: models.next()?,
            usage,
            created_ms: times.next()?,
        })
    };
    let rows = seqs.into_iter().map(|seq| next(seq).ok_or_else(|| damaged("a message with a part that means nothing")));
    rows.collect()
}

/// The lists of pieces in an answer: `c_…`.
pub(super) fn chunks(record: &Record) -> Result<Vec<Chunk>> {
    let starts: Vec<i64> = list(record, "c_start")?;
    let stops: Vec<i64> = list(record, "c_stop")?;
    let bodies: Vec<Vec<u8>> = list(record, "c_body")?;
    let places = starts.into_iter().zip(stops).zip(bodies);
    Ok(places.map(|((from, to), body)| Chunk { from: count(from), to: count(to), body }).collect())
}

/// A list; an empty one is null.
pub(super) fn list<'a, T: FromSql<'a>>(record: &'a Record, column: &str) -> Result<Vec<T>> {
    get::<Option<Vec<T>>>(record, column).map(Option::unwrap_or_default)
}

/// What is kept as JSON.
fn json<T: DeserializeOwned>(text: Option<&str>) -> Result<Option<T>> {
    text.map(serde_json::from_str).transpose().map_err(|_| damaged("JSON that means nothing"))
}

/// What is to be kept as JSON.
pub(super) fn to_json<T: Serialize>(value: &T) -> Result<String> {
    serde_json::to_string(value)
        .map_err(|e| Error::new(ErrorKind::Unexpected, "this cannot be written: please report this").caused_by(e))
}

pub(super) fn turn(id: Uuid) -> TurnId {
    TurnId::from_bytes(id.into_bytes())
}

pub(super) fn uuid(bytes: [u8; 16]) -> Uuid {
    Uuid::from_bytes(bytes)
}

/// A checked string of ours: an owner, a session's id.
pub(super) fn text<T: FromStr<Err = Error>>(text: &str) -> Result<T> {
    text.parse().map_err(|e| damaged("a name that cannot be one").caused_by(e))
}

/// An enum that is kept as a number.
pub(super) fn code(number: i16) -> Option<u8> {
    u8::try_from(number).ok()
}

pub(super) fn count(number: i64) -> u64 {
    number.cast_unsigned()
}

fn optional_count(number: Option<i64>) -> Option<Seq> {
    number.map(count)
}

/// A number as the database keeps it. What is larger than any that it keeps stays larger.
pub(super) fn int(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// A time, of which a sum with the time is still a number.
pub(super) fn millis(duration: Duration) -> i64 {
    const LONGEST: i64 = 1 << 52;
    i64::try_from(duration.as_millis()).unwrap_or(LONGEST).min(LONGEST)
}

/// How long a lease still holds.
pub(super) fn left(record: &Record) -> Result<Duration> {
    Ok(Duration::from_millis(u64::try_from(get::<i64>(record, "number")?).unwrap_or(0)))
}

pub(super) const TEXTS: Type = Type::TEXT_ARRAY;

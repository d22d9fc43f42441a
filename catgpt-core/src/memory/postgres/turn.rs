//! The steps of a turn: one call of a function in the database each.

use serde::Serialize;
use tokio_postgres::Row as Record;
use tokio_postgres::types::Type;
use uuid::Uuid;

use super::fault::{changed, damaged};
use super::link::Link;
use super::row::{count, get, int, left, messages, millis, session, to_json, turn, uuid};
use crate::error::{Error, ErrorKind, Result};
use crate::id::{Owner, Seq, TurnId};
use crate::memory::{Begin, Begun, Checkpoint, Counter, Finish, Kept, Limit, Opened, Parent, Sealed, Unit};
use crate::message::Usage;

const BEGIN: &str = "SELECT * FROM catgpt.begin_turn_v2($1,$2,$3,$4,$5,$6,$7,$8,$9,$10,$11,$12,$13,$14,$15,$16,$17,
    $18::jsonb,$19)";
const CHECKPOINT: &str = "SELECT catgpt.checkpoint_v1($1,$2,$3,$4,$5,$6,$7) AS cancel";
const FINISH: &str = "SELECT * FROM catgpt.finish_turn_v2($1,$2,$3,$4,$5,$6,$7,$8::jsonb)";

/// The most bytes of bodies in one answer: the database puts it together in memory, where a value has 1 GiB.
const MOST: u64 = 256 << 20;

/// The bounds of a read as the functions take them.
pub(super) fn bounds(limit: Limit) -> (i64, i64) {
    (i64::from(limit.messages), int(limit.bytes.min(MOST)))
}

/// A place of the tree as the functions take it.
pub(super) fn place(parent: Parent) -> (i16, Option<Seq>) {
    match parent {
        Parent::Head => (0, None),
        Parent::Under(seq) => (1, Some(seq)),
        Parent::Beside(seq) => (2, seq),
    }
}

pub(super) async fn begin(link: &Link, owner: &Owner, begin: &Begin) -> Result<Begun> {
    let (place, parent) = place(begin.parent);
    let parent = parent.map(int);
    let (key, hash) = begin.key.as_ref().map(|(key, hash)| (key, hash.as_slice())).unzip();
    let (messages, bytes) = bounds(begin.window);
    let reserve = some(&begin.reserve).map(|counters| to_json(&counters.iter().map(Asked::of).collect::<Vec<_>>()));
    let given = [
        (&owner.as_str() as _, Type::TEXT),
        (&begin.session.as_str() as _, Type::TEXT),
        (&uuid(begin.turn.to_bytes()) as _, Type::UUID),
        (&key as _, Type::TEXT),
        (&hash as _, Type::BYTEA),
        (&place as _, Type::INT2),
        (&parent as _, Type::INT8),
        (&begin.if_version.map(int) as _, Type::INT8),
        (&begin.message as _, Type::BYTEA),
        (&begin.title as _, Type::BYTEA),
        (&begin.model as _, Type::TEXT),
        (&begin.pin.body as _, Type::BYTEA),
        (&begin.pin.replace as _, Type::BOOL),
        (&millis(begin.lease) as _, Type::INT8),
        (&messages as _, Type::INT8),
        (&bytes as _, Type::INT8),
        (&begin.ttl.map(millis) as _, Type::INT8),
        (&reserve.transpose()? as _, Type::TEXT),
        (&begin.max_running.map(i64::from) as _, Type::INT8),
    ];
    begun(&link.ask_one(BEGIN, &given).await?)
}

/// Nothing is asked for as nothing, not as an empty list.
fn some<T>(list: &[T]) -> Option<&[T]> {
    (!list.is_empty()).then_some(list)
}

/// A counter with numbers that the database can keep.
#[derive(Serialize)]
pub(super) struct Asked<'a> {
    name: &'a str,
    key: &'a str,
    window_ms: i64,
    add: i64,
    limit: i64,
    unit: Unit,
}

impl<'a> Asked<'a> {
    pub(super) fn of(counter: &'a Counter) -> Self {
        Self {
            name: &counter.name,
            key: &counter.key,
            window_ms: millis(counter.window),
            add: int(counter.add),
            limit: int(counter.limit),
            unit: counter.unit,
        }
    }
}

fn begun(record: &Record) -> Result<Begun> {
    let other = || Ok::<TurnId, Error>(turn(get::<Uuid>(record, "other")?));
    let refuse = |kind, sentence: &'static str| Err(Error::new(kind, sentence));
    match get(record, "outcome")? {
        "started" => Ok(Begun::Started(Box::new(started(record)?))),
        "replay" => Ok(Begun::Replay { turn: other()? }),
        "busy" => Ok(Begun::Busy { turn: other()?, lease_left: left(record)? }),
        "stale" => Ok(Begun::Stale { turn: other()? }),
        "limited" => Ok(Begun::Limited {
            name: get(record, "name")?,
            retry_after: get::<Option<i64>>(record, "number")?.map(|_| left(record)).transpose()?,
        }),
        "foreign" => Err(Error::not_found("turn").with_turn(other()?)),
        "elsewhere" => refuse(ErrorKind::Conflict, "the turn's id is another session's: make a fresh one"),
        "key_used" => refuse(ErrorKind::Conflict, "the idempotency key was used for something else: use a fresh key"),
        "changed" => Err(changed(get::<i64>(record, "number")?)),
        "no_message" => Err(no_message(record)?),
        "not_asked" => refuse(ErrorKind::InvalidInput, "only a user's message can be answered again: name one"),
        _ => Err(damaged("an answer that means nothing")),
    }
}

fn started(record: &Record) -> Result<Opened> {
    let mut window = messages(record)?;
    let summed = get::<Option<bool>>(record, "summed")?.unwrap_or(false);
    Ok(Opened {
        session: session(record)?,
        created: get(record, "made")?,
        user_seq: get::<Option<i64>>(record, "asked")?.map(count),
        reply_seq: count(get(record, "reply")?),
        summary: summed.then(|| window.remove(0)),
        window,
    })
}

/// A message that is not there.
pub(super) fn no_message(record: &Record) -> Result<Error> {
    let error = Error::not_found("message");
    Ok(match get::<Option<i64>>(record, "number")? {
        Some(seq) => error.with("seq", seq),
        None => error,
    })
}

pub(super) async fn checkpoint(link: &Link, owner: &Owner, piece: &Checkpoint) -> Result<Kept> {
    let given = [
        (&owner.as_str() as _, Type::TEXT),
        (&uuid(piece.turn.to_bytes()) as _, Type::UUID),
        (&int(piece.from) as _, Type::INT8),
        (&int(piece.to) as _, Type::INT8),
        (&piece.body as _, Type::BYTEA),
        (&millis(piece.lease) as _, Type::INT8),
        (&piece.sync as _, Type::BOOL),
    ];
    let record = link.ask_one(CHECKPOINT, &given).await?;
    Ok(match get::<Option<bool>>(&record, "cancel")? {
        Some(cancel) => Kept::Renewed { cancel },
        None => Kept::Refused,
    })
}

pub(super) async fn finish(link: &Link, owner: &Owner, finish: &Finish) -> Result<Sealed> {
    let usage = finish.usage.as_ref().map(to_json).transpose()?;
    let given = [
        (&owner.as_str() as _, Type::TEXT),
        (&uuid(finish.turn.to_bytes()) as _, Type::UUID),
        (&i16::from(finish.status.code()) as _, Type::INT2),
        (&finish.body as _, Type::BYTEA),
        (&usage as _, Type::TEXT),
        (&finish.if_expired as _, Type::BOOL),
        (&spent(&finish.usage.unwrap_or_default(), finish.cost) as _, Type::INT8_ARRAY),
        (&some(&finish.settle).map(|settle| to_json(&settle)).transpose()? as _, Type::TEXT),
    ];
    let record = link.ask_one(FINISH, &given).await?;
    match get(&record, "outcome")? {
        "now" => Ok(Sealed::Now),
        "before" => {
            let row = messages(&record)?.pop().ok_or_else(|| damaged("a turn without its reply"))?;
            Ok(Sealed::Before(Box::new(row)))
        }
        "alive" => Ok(Sealed::Alive { lease_left: left(&record)? }),
        "no_turn" => Err(Error::not_found("turn").with_turn(finish.turn)),
        _ => Err(damaged("an answer that means nothing")),
    }
}

/// What the functions add to the ledger.
pub(super) fn spent(usage: &Usage, cost: u64) -> Vec<i64> {
    let Usage { input_tokens, output_tokens, cached_tokens, reasoning_tokens, estimated } = *usage;
    [input_tokens, output_tokens, cached_tokens, reasoning_tokens, estimated.into(), cost].map(int).into()
}

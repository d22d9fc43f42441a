//! Looking over all sessions of an owner, and the sweep over everybody's.

use tokio_postgres::types::Type;
use uuid::Uuid;

use super::fault::damaged;
use super::link::Link;
use super::row::{code, count, get, int, list, session, text, turn};
use crate::error::{Error, Result};
use crate::event::{Change, ChangeKind};
use crate::id::Owner;
use crate::memory::check::unsupported;
use crate::memory::{Answer, Cursor, Query, Swept};

/// A session as the functions answer it.
macro_rules! session_columns {
    () => {
        "SELECT id AS s_id, title AS s_title, pin AS s_pin, head AS s_head, version AS s_version,
            last_seq AS s_messages, run AS s_running, run IS NOT NULL AND run_until <= catgpt.now_v1() AS s_expired,
            created_at AS s_created, updated_at AS s_updated FROM catgpt.session WHERE owner = $1 AND "
    };
}

const SESSIONS: &str =
    concat!(session_columns!(), "(updated_at, id) < ($2, $3) ORDER BY updated_at DESC, id DESC LIMIT $4");
const SESSION: &str = concat!(session_columns!(), "id = $2");
const TURNS: &str = "SELECT id, run FROM catgpt.session WHERE owner = $1 AND run IS NOT NULL
    AND run_until > catgpt.now_v1() ORDER BY id";
const CHANGES: &str =
    "SELECT n, session, turn, kind, at FROM catgpt.change WHERE owner = $1 AND n > $2 ORDER BY n LIMIT $3";
const JOURNAL_END: &str = "SELECT n FROM catgpt.journal WHERE owner = $1";
const SWEEP: &str = "SELECT * FROM catgpt.sweep_v1($1)";

pub(super) async fn query(link: &Link, owner: &Owner, query: &Query) -> Result<Answer> {
    match query {
        Query::Sessions { after, limit, .. } => sessions(link, owner, after.as_ref(), *limit).await,
        Query::Session { session: id } => {
            let given = [(&owner.as_str() as _, Type::TEXT), (&id.as_str() as _, Type::TEXT)];
            let records = link.ask(SESSION, &given).await?;
            let record = records.first().ok_or_else(|| Error::not_found("session"))?;
            Ok(Answer::Sessions { rows: vec![session(record)?], more: false })
        }
        Query::Turns => turns(link, owner).await,
        Query::Changes { after, limit } => changes(link, owner, *after, *limit).await,
        Query::JournalEnd => {
            let records = link.ask(JOURNAL_END, &[(&owner.as_str() as _, Type::TEXT)]).await?;
            Ok(Answer::JournalEnd(records.first().map(|record| get(record, "n")).transpose()?.map_or(0, count)))
        }
        _ => Err(unsupported()),
    }
}

async fn sessions(link: &Link, owner: &Owner, after: Option<&Cursor>, limit: u32) -> Result<Answer> {
    let (time, id) = after.map_or((i64::MAX, ""), |cursor| (cursor.updated_ms, cursor.session.as_str()));
    let given = [
        (&owner.as_str() as _, Type::TEXT),
        (&time as _, Type::INT8),
        (&id as _, Type::TEXT),
        (&(i64::from(limit) + 1) as _, Type::INT8),
    ];
    let mut rows = link.ask(SESSIONS, &given).await?.iter().map(session).collect::<Result<Vec<_>>>()?;
    let more = rows.len() > limit as usize;
    rows.truncate(limit as usize);
    Ok(Answer::Sessions { rows, more })
}

async fn turns(link: &Link, owner: &Owner) -> Result<Answer> {
    let records = link.ask(TURNS, &[(&owner.as_str() as _, Type::TEXT)]).await?;
    let turns = records.iter().map(|record| Ok((text(get(record, "id")?)?, turn(get(record, "run")?))));
    Ok(Answer::Turns(turns.collect::<Result<_>>()?))
}

async fn changes(link: &Link, owner: &Owner, after: u64, limit: u32) -> Result<Answer> {
    let given =
        [(&owner.as_str() as _, Type::TEXT), (&int(after) as _, Type::INT8), (&i64::from(limit) as _, Type::INT8)];
    let records = link.ask(CHANGES, &given).await?;
    let changes = records.iter().map(|record| {
        let kind = code(get(record, "kind")?).and_then(ChangeKind::from_code);
        Ok(Change {
            n: count(get(record, "n")?),
            session: text(get(record, "session")?)?,
            turn: get::<Option<Uuid>>(record, "turn")?.map(turn),
            kind: kind.ok_or_else(|| damaged("a change that means nothing"))?,
            at_ms: get(record, "at")?,
        })
    });
    Ok(Answer::Changes(changes.collect::<Result<_>>()?))
}

pub(super) async fn sweep(link: &Link, limit: u32) -> Result<Swept> {
    let record = link.ask_one(SWEEP, &[(&i64::from(limit) as _, Type::INT8)]).await?;
    let dead = list::<&str>(&record, "owners")?.into_iter().zip(list::<Uuid>(&record, "turns")?);
    let expired = dead.take(limit as usize).map(|(owner, id)| Ok((text(owner)?, turn(id))));
    Ok(Swept {
        expired: expired.collect::<Result<_>>()?,
        deleted: count(get(&record, "deleted")?),
        more: get(&record, "more")?,
    })
}

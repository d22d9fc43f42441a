//! Looking over all sessions of an owner, and the sweep over everybody's.

use tokio_postgres::types::Type;
use uuid::Uuid;

use super::link::Link;
use super::row::{count, get, list, session, text, turn};
use super::{journal, ledger, search};
use crate::error::{Error, Result};
use crate::id::Owner;
use crate::memory::{Answer, Cursor, Query, Swept};

const SESSIONS: &str = "SELECT * FROM catgpt.session_v2 WHERE owner = $1 AND archived = $2
    AND (pinned, updated_at, s_id) < ($3, $4, $5) ORDER BY pinned DESC, updated_at DESC, s_id DESC LIMIT $6";
/// Whatever stands before the first.
const FIRST: (bool, i64, &str) = (true, i64::MAX, "");
const SESSION: &str = "SELECT * FROM catgpt.session_v2 WHERE owner = $1 AND s_id = $2";
const TURNS: &str = "SELECT id, run FROM catgpt.session WHERE owner = $1 AND run IS NOT NULL
    AND run_until > catgpt.now_v1() ORDER BY id";
const OWNERS: &str = "SELECT DISTINCT owner FROM catgpt.session WHERE owner > $1 ORDER BY owner LIMIT $2";
const SWEEP: &str = "SELECT * FROM catgpt.sweep_v2($1)";

pub(super) async fn query(link: &Link, owner: &Owner, query: &Query) -> Result<Answer> {
    query.check()?;
    match query {
        Query::Sessions { after, limit, archived } => sessions(link, owner, after.as_ref(), *limit, *archived).await,
        Query::Session { session: id } => {
            let given = [(&owner.as_str() as _, Type::TEXT), (&id.as_str() as _, Type::TEXT)];
            let records = link.ask(SESSION, &given).await?;
            let record = records.first().ok_or_else(|| Error::not_found("session"))?;
            Ok(Answer::Sessions { rows: vec![session(record)?], more: false })
        }
        Query::Turns => turns(link, owner).await,
        Query::Changes { after, limit } => journal::changes(link, owner, *after, *limit).await,
        Query::JournalEnd => journal::end(link, owner).await,
        Query::Journals { after, limit } => journal::journals(link, after, *limit).await,
        Query::Owners { after, limit } => owners(link, after.as_ref(), *limit).await,
        Query::Search { terms, prefix, after, limit } => {
            search::search(link, owner, (terms, *prefix), after.as_deref(), *limit).await
        }
        Query::Unindexed { limit } => search::unindexed(link, owner, *limit).await,
        Query::Usage { from_ms, to_ms, session, by } => {
            ledger::usage(link, owner, (*from_ms, *to_ms), session.as_ref(), by).await
        }
        Query::Counters(counters) => ledger::counters(link, counters).await,
    }
}

async fn sessions(link: &Link, owner: &Owner, after: Option<&Cursor>, limit: u32, archived: bool) -> Result<Answer> {
    let (pinned, time, id) = after.map_or(FIRST, |after| (after.pinned, after.updated_ms, after.session.as_str()));
    let given = [
        (&owner.as_str() as _, Type::TEXT),
        (&archived as _, Type::BOOL),
        (&pinned as _, Type::BOOL),
        (&time as _, Type::INT8),
        (&id as _, Type::TEXT),
        (&(i64::from(limit) + 1) as _, Type::INT8),
    ];
    let mut rows = link.ask(SESSIONS, &given).await?.iter().map(session).collect::<Result<Vec<_>>>()?;
    let more = rows.len() > limit as usize;
    rows.truncate(limit as usize);
    Ok(Answer::Sessions { rows, more })
}

async fn owners(link: &Link, after: Option<&Owner>, limit: u32) -> Result<Answer> {
    let given = [(&after.map_or("", Owner::as_str) as _, Type::TEXT), (&i64::from(limit) as _, Type::INT8)];
    let records = link.ask(OWNERS, &given).await?;
    Ok(Answer::Owners(records.iter().map(|record| text(get(record, "owner")?)).collect::<Result<_>>()?))
}

async fn turns(link: &Link, owner: &Owner) -> Result<Answer> {
    let records = link.ask(TURNS, &[(&owner.as_str() as _, Type::TEXT)]).await?;
    let turns = records.iter().map(|record| Ok((text(get(record, "id")?)?, turn(get(record, "run")?))));
    Ok(Answer::Turns(turns.collect::<Result<_>>()?))
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

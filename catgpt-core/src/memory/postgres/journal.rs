//! The journals of changes: one owner's, or many owners' in one look.

use tokio_postgres::Row as Record;
use tokio_postgres::types::Type;
use uuid::Uuid;

use super::fault::damaged;
use super::link::Link;
use super::row::{TEXTS, code, count, get, int, text, turn};
use crate::error::Result;
use crate::event::{Change, ChangeKind};
use crate::id::Owner;
use crate::memory::Answer;

const CHANGES: &str = "SELECT n, session, turn, coalesce(finer, kind) AS kind, at FROM catgpt.change
    WHERE owner = $1 AND n > $2 ORDER BY n LIMIT $3";
/// Who has no journal begins where those that are gone ended: see `number_v2`.
const END: &str = "SELECT n FROM catgpt.journal WHERE owner IN ($1, '') ORDER BY owner DESC LIMIT 1";
const JOURNALS: &str = "SELECT a.owner, c.* FROM unnest($1::text[], $2::bigint[]) WITH ORDINALITY a(owner, after, nth),
    LATERAL (SELECT x.n, x.session, x.turn, coalesce(x.finer, x.kind) AS kind, x.at FROM catgpt.change x
        WHERE x.owner = a.owner COLLATE \"C\" AND x.n > a.after ORDER BY x.n LIMIT $3) c
    ORDER BY a.nth, c.n";

pub(super) async fn changes(link: &Link, owner: &Owner, after: u64, limit: u32) -> Result<Answer> {
    let given =
        [(&owner.as_str() as _, Type::TEXT), (&int(after) as _, Type::INT8), (&i64::from(limit) as _, Type::INT8)];
    let records = link.ask(CHANGES, &given).await?;
    Ok(Answer::Changes(records.iter().map(change).collect::<Result<_>>()?))
}

pub(super) async fn end(link: &Link, owner: &Owner) -> Result<Answer> {
    let records = link.ask(END, &[(&owner.as_str() as _, Type::TEXT)]).await?;
    Ok(Answer::JournalEnd(records.first().map(|record| get(record, "n")).transpose()?.map_or(0, count)))
}

pub(super) async fn journals(link: &Link, after: &[(Owner, u64)], limit: u32) -> Result<Answer> {
    let (owners, known): (Vec<_>, Vec<_>) = after.iter().map(|(owner, n)| (owner.as_str(), int(*n))).unzip();
    let given = [(&owners as _, TEXTS), (&known as _, Type::INT8_ARRAY), (&i64::from(limit) as _, Type::INT8)];
    let mut journals: Vec<(Owner, Vec<Change>)> = Vec::new();
    for record in &link.ask(JOURNALS, &given).await? {
        let (owner, change): (&str, _) = (get(record, "owner")?, change(record)?);
        match journals.last_mut() {
            Some((last, changes)) if last.as_str() == owner => changes.push(change),
            _ => journals.push((text(owner)?, vec![change])),
        }
    }
    Ok(Answer::Journals(journals))
}

fn change(record: &Record) -> Result<Change> {
    let kind = code(get(record, "kind")?).and_then(ChangeKind::from_code);
    Ok(Change {
        n: count(get(record, "n")?),
        session: text(get(record, "session")?)?,
        turn: get::<Option<Uuid>>(record, "turn")?.map(turn),
        kind: kind.ok_or_else(|| damaged("a change that means nothing"))?,
        at_ms: get(record, "at")?,
    })
}

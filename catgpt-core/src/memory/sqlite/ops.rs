//! Operations: all of a call in one transaction, or none, and once only.

use rusqlite::{Connection, OptionalExtension};

use super::edit::{self, cancel, mark, set_head, set_meta, set_pin, set_summary, set_title, set_ttl};
use super::fault::Outcome;
use super::ledger::{self, Line};
use super::row::now;
use super::{append, bulk, grow, limits, reseal, search, sweep};
use crate::id::{OpId, Owner};
use crate::memory::{Done, Op};

pub(super) fn apply(conn: &Connection, owner: &Owner, id: OpId, ops: &[Op]) -> Outcome<Vec<Done>> {
    let now = now();
    if let Some(done) = known(conn, owner, id, now)? {
        return Ok(done);
    }
    let done = ops.iter().map(|op| run(conn, owner, op, now)).collect::<Outcome<Vec<_>>>()?;
    if !ops.iter().any(|op| matches!(op, Op::Erase { .. })) {
        let sql = "INSERT OR REPLACE INTO op(owner, id, done, at) VALUES(?1, ?2, ?3, ?4)";
        conn.prepare_cached(sql)?.execute((owner.as_str(), id.to_bytes(), encode(&done), now))?;
    }
    Ok(done)
}

fn known(conn: &Connection, owner: &Owner, id: OpId, now: i64) -> Outcome<Option<Vec<Done>>> {
    let sql = "SELECT done FROM op WHERE owner = ?1 AND id = ?2 AND at > ?3";
    let mut statement = conn.prepare_cached(sql)?;
    let known = statement.query_row((owner.as_str(), id.to_bytes(), now - sweep::KEPT), |record| {
        Ok(decode(record.get_ref(0)?.as_str()?))
    });
    Ok(known.optional()?)
}

/// Each ends with a comma, so that none and one differ: a version as its number, other numbers behind a letter.
pub(super) fn encode(done: &[Done]) -> String {
    let words = done.iter().map(|done| match done {
        Done::Version(version) => format!("{version},"),
        Done::Nothing => ",".to_owned(),
        Done::Count(count) => format!("c{count},"),
        Done::Seq(seq) => format!("s{seq},"),
    });
    words.collect()
}

pub(super) fn decode(text: &str) -> Vec<Done> {
    text.split_terminator(',').map(|word| decode_one(word).unwrap_or(Done::Nothing)).collect()
}

fn decode_one(word: &str) -> Option<Done> {
    match word.split_at_checked(1)? {
        ("c", count) => count.parse().ok().map(Done::Count),
        ("s", seq) => seq.parse().ok().map(Done::Seq),
        _ => word.parse().ok().map(Done::Version),
    }
}

fn run(conn: &Connection, owner: &Owner, op: &Op, now: i64) -> Outcome<Done> {
    match op {
        Op::Create { session, title, pin, meta, ttl } => {
            edit::create(conn, owner, session, (title.as_deref(), pin.as_deref(), meta.as_deref()), *ttl, now)
        }
        Op::SetTitle { session, title, over } => {
            set_title(conn, owner, session, title.as_deref(), over.as_deref(), now)
        }
        Op::SetMeta { session, meta } => set_meta(conn, owner, session, meta.as_deref(), now),
        Op::Mark { session, pinned, archived } => mark(conn, owner, session, *pinned, *archived, now),
        Op::SetTtl { session, ttl } => set_ttl(conn, owner, session, *ttl, now),
        Op::SetPin { session, pin } => set_pin(conn, owner, session, pin, now),
        Op::SetHead { session, head, if_version } => set_head(conn, owner, session, *head, *if_version, now),
        Op::Cancel { turn } => cancel(conn, owner, *turn),
        Op::Delete { session } => bulk::delete(conn, owner, session, now),
        Op::DeleteMany { sessions } => bulk::delete_many(conn, owner, sessions, now),
        Op::DeleteEmpty { limit } => bulk::delete_empty(conn, owner, *limit, now),
        Op::Erase { limit } => bulk::erase(conn, owner, *limit, now),
        Op::Claim { from } => bulk::claim(conn, owner, from, now),
        Op::Import { session, after, rows } => grow::import(conn, owner, session, *after, rows, now),
        Op::Append { session, parent, rows, if_version, title, ttl } => {
            let more =
                append::More { parent: *parent, rows, if_version: *if_version, title: title.as_ref(), ttl: *ttl };
            append::append(conn, owner, session, &more, now)
        }
        Op::AddSummary { session, upto, over, body, model, usage } => {
            let summary = grow::Summary { upto: *upto, over: *over, body, model, usage: *usage };
            grow::add_summary(conn, owner, session, &summary, now)
        }
        Op::SetSummary { session, summary } => set_summary(conn, owner, session, *summary, now),
        Op::Index { session, from, upto, messages, title } => {
            search::index(conn, owner, session, (*from, *upto), messages, title.as_ref())
        }
        Op::Unindex { limit } => search::unindex(conn, owner, *limit),
        Op::Reseal { session, if_version, resealed } => reseal::reseal(conn, owner, session, *if_version, resealed),
        Op::Bill { session, model, purpose, usage, cost } => {
            let line = Line { session, model, purpose: *purpose };
            ledger::add(conn, owner, &line, *usage, *cost, now)?;
            Ok(Done::Nothing)
        }
        Op::Reserve { counters } => limits::reserve_beside(conn, counters, now),
        Op::Settle { settle } => {
            limits::settle(conn, settle)?;
            Ok(Done::Nothing)
        }
    }
}

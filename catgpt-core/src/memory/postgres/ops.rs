//! Operations: one call of a function in the database. Each is a JSON object; bytes go beside them as they are.

use serde_json::{Value, json};
use tokio_postgres::types::Type;
use uuid::Uuid;

use super::fault::damaged;
use super::link::Link;
use super::row::{TEXTS, count, int, list, millis, to_json, uuid};
use super::turn::{Asked, place, spent};
use crate::error::Result;
use crate::id::{OpId, Owner, Seq};
use crate::memory::{Done, Imported, NewRow, Op, Resealed, Row, Stored, Terms, TitleTerms};
use crate::message::Usage;

const APPLY: &str = "SELECT * FROM catgpt.apply_v2($1,$2,$3,$4,$5,$6::jsonb,$7)";

pub(super) async fn apply(link: &Link, owner: &Owner, id: OpId, ops: &[Op]) -> Result<Vec<Done>> {
    ops.iter().try_for_each(Op::check)?;
    let mut call = Call::default();
    let objects = ops.iter().map(|op| call.object(op)).collect::<Result<Vec<_>>>()?;
    let kept = !ops.iter().any(|op| matches!(op, Op::Erase { .. }));
    let given = [
        (&owner.as_str() as _, Type::TEXT),
        (&uuid(id.to_bytes()) as _, Type::UUID),
        (&kept as _, Type::BOOL),
        (&call.sessions as _, TEXTS),
        (&call.turns as _, Type::UUID_ARRAY),
        (&to_json(&objects)? as _, Type::TEXT),
        (&call.bytes as _, Type::BYTEA_ARRAY),
    ];
    let record = link.ask_one(APPLY, &given).await?;
    let numbers: Vec<Option<i64>> = list(&record, "numbers")?;
    // Schema 1 kept nothing but versions.
    let mut whats = list::<i16>(&record, "whats")?.into_iter();
    numbers.into_iter().map(|number| done(whats.next(), number)).collect()
}

fn done(what: Option<i16>, number: Option<i64>) -> Result<Done> {
    match (what.unwrap_or(1), number.map(count)) {
        (_, None) => Ok(Done::Nothing),
        (1, Some(version)) => Ok(Done::Version(version)),
        (2, Some(many)) => Ok(Done::Count(many)),
        (3, Some(seq)) => Ok(Done::Seq(seq)),
        _ => Err(damaged("an answer that means nothing")),
    }
}

/// What a call brings beside its objects.
#[derive(Default)]
struct Call<'a> {
    sessions: Vec<&'a str>,
    turns: Vec<Uuid>,
    bytes: Vec<&'a [u8]>,
}

impl<'a> Call<'a> {
    /// Where these bytes are, counted from 1.
    fn put(&mut self, bytes: &'a [u8]) -> usize {
        self.bytes.push(bytes);
        self.bytes.len()
    }

    /// The same for bytes that may be missing.
    fn may(&mut self, bytes: &'a Option<Vec<u8>>) -> Option<usize> {
        bytes.as_deref().map(|bytes| self.put(bytes))
    }

    fn object(&mut self, op: &'a Op) -> Result<Value> {
        self.names(op);
        Ok(match op {
            Op::Create { session, title, pin, meta, ttl } => json!({
                "kind": "create", "session": session, "title": self.may(title), "pin": self.may(pin),
                "meta": self.may(meta), "ttl": ttl.map(millis),
            }),
            Op::SetTitle { session, title, over } => {
                json!({ "kind": "title", "session": session, "bytes": self.may(title), "over": self.may(over) })
            }
            Op::SetMeta { session, meta } => json!({ "kind": "meta", "session": session, "bytes": self.may(meta) }),
            Op::SetPin { session, pin } => json!({ "kind": "pin", "session": session, "bytes": self.put(pin) }),
            Op::SetTtl { session, ttl } => json!({ "kind": "ttl", "session": session, "ttl": ttl.map(millis) }),
            Op::Mark { session, pinned, archived } => {
                json!({ "kind": "mark", "session": session, "pinned": pinned, "archived": archived })
            }
            Op::SetHead { session, head, if_version } => {
                json!({ "kind": "head", "session": session, "head": int(*head), "if_version": if_version.map(int) })
            }
            Op::Cancel { turn } => json!({ "kind": "cancel", "turn": uuid(turn.to_bytes()).to_string() }),
            Op::Delete { session } => json!({ "kind": "delete", "session": session }),
            Op::DeleteMany { sessions } => json!({ "kind": "delete_many", "sessions": sessions }),
            Op::DeleteEmpty { limit } => json!({ "kind": "delete_empty", "limit": limit }),
            Op::Erase { limit } => json!({ "kind": "erase", "limit": limit }),
            Op::Claim { from } => json!({ "kind": "claim", "from": from }),
            Op::Import { session, after, rows } => self.import(session, *after, rows)?,
            Op::Append { session, parent, rows, if_version, title, ttl } => json!({
                "kind": "append", "session": session, "place": place(*parent).0, "parent": place(*parent).1.map(int),
                "if_version": if_version.map(int), "title": self.may(title), "ttl": ttl.map(millis),
                "bodies": self.bytes.len(), "rows": self.rows(rows)?,
            }),
            Op::AddSummary { session, upto, over, body, model, usage } => json!({
                "kind": "add_summary", "session": session, "upto": int(*upto), "over": over.map(int),
                "body": self.put(body), "model": model, "usage": used(usage.as_ref())?,
            }),
            Op::SetSummary { session, summary } => {
                json!({ "kind": "set_summary", "session": session, "summary": summary.map(int) })
            }
            Op::Index { session, from, upto, messages, title } => json!({
                "kind": "index", "session": session, "from": int(*from), "upto": int(*upto),
                "messages": messages.iter().map(|Terms { seq, terms }| json!({ "seq": int(*seq), "terms": kept(terms) }))
                    .collect::<Vec<_>>(),
                "title": title.as_ref().map(|title| self.title(title)),
            }),
            Op::Unindex { limit } => json!({ "kind": "unindex", "limit": limit }),
            Op::Reseal { session, if_version, resealed } => json!({
                "kind": "reseal", "session": session, "if_version": if_version.map(int),
                "parts": resealed.iter().map(|resealed| self.resealed(resealed)).collect::<Vec<_>>(),
            }),
            Op::Bill { session, model, purpose, usage, cost } => json!({
                "kind": "bill", "session": session, "model": model, "purpose": purpose.code(),
                "spent": spent(usage, *cost),
            }),
            Op::Reserve { counters } => {
                json!({ "kind": "reserve", "counters": counters.iter().map(Asked::of).collect::<Vec<_>>() })
            }
            Op::Settle { settle } => json!({ "kind": "settle", "settle": settle }),
        })
    }

    /// The rows, whose bodies follow each other.
    fn rows(&mut self, rows: &'a [NewRow]) -> Result<Vec<Value>> {
        self.bytes.extend(rows.iter().map(|row| row.body.as_slice()));
        rows.iter().map(new_row).collect()
    }

    /// What the operation names, which is locked before the first is done.
    fn names(&mut self, op: &'a Op) {
        match op {
            Op::SetTitle { session, .. }
            | Op::SetMeta { session, .. }
            | Op::SetPin { session, .. }
            | Op::SetTtl { session, .. }
            | Op::Mark { session, .. }
            | Op::SetHead { session, .. }
            | Op::Create { session, .. }
            | Op::Delete { session }
            | Op::Append { session, .. }
            | Op::AddSummary { session, .. }
            | Op::SetSummary { session, .. }
            | Op::Index { session, .. }
            | Op::Reseal { session, .. } => self.sessions.push(session.as_str()),
            Op::Import { session, .. } => self.sessions.push(session.id.as_str()),
            Op::DeleteMany { sessions } => self.sessions.extend(sessions.iter().map(|session| session.as_str())),
            Op::Cancel { turn } => self.turns.push(uuid(turn.to_bytes())),
            Op::DeleteEmpty { .. }
            | Op::Erase { .. }
            | Op::Claim { .. }
            | Op::Bill { .. }
            | Op::Reserve { .. }
            | Op::Settle { .. }
            | Op::Unindex { .. } => {}
        }
    }

    fn title(&mut self, title: &'a TitleTerms) -> Value {
        json!({ "of": self.may(&title.of), "terms": kept(&title.terms) })
    }

    fn resealed(&mut self, resealed: &'a Resealed) -> Value {
        let Resealed { part, was, bytes } = resealed;
        let (part, seq) = match part {
            Stored::Title => ("title", 0),
            Stored::Pin => ("pin", 0),
            Stored::Meta => ("meta", 0),
            Stored::Message(seq) => ("message", int(*seq)),
        };
        json!({ "part": part, "seq": seq, "was": self.put(was), "bytes": self.put(bytes) })
    }

    fn import(&mut self, session: &'a Imported, after: Seq, rows: &'a [Row]) -> Result<Value> {
        let (title, pin, meta) = (self.may(&session.title), self.may(&session.pin), self.may(&session.meta));
        let bodies = self.bytes.len();
        self.bytes.extend(rows.iter().map(|row| row.body.as_slice()));
        let row = |row: &Row| {
            Ok(json!({
                "parent": row.parent.map(int), "role": row.role.code(), "status": row.status.code(),
                "created": row.created_ms, "model": row.model, "usage": used(row.usage.as_ref())?,
            }))
        };
        Ok(json!({
            "kind": "import", "session": session.id, "title": title, "pin": pin, "meta": meta, "pinned": session.pinned,
            "archived": session.archived, "head": session.head.map(int), "created": session.created_ms,
            "updated": session.updated_ms, "after": int(after), "bodies": bodies,
            "rows": rows.iter().map(row).collect::<Result<Vec<_>>>()?,
        }))
    }
}

fn new_row(row: &NewRow) -> Result<Value> {
    let (role, status, usage) = (row.role.code(), row.status.code(), used(row.usage.as_ref())?);
    Ok(json!({ "role": role, "status": status, "model": row.model, "usage": usage }))
}

/// A usage as it is kept.
fn used(usage: Option<&Usage>) -> Result<Option<String>> {
    usage.map(to_json).transpose()
}

/// The most bytes of words that the database keeps of one message, each with what says whose it is.
const WORDS: usize = 1_000_000;
const MARK: usize = 8;

/// As many of the words as the database can keep of one message: tens of thousands.
fn kept(terms: &[String]) -> &[String] {
    let mut room = WORDS;
    let fits = |term: &&String| {
        let left = room.checked_sub(term.len() + MARK);
        room = left.unwrap_or(0);
        left.is_some()
    };
    &terms[..terms.iter().take_while(fits).count()]
}

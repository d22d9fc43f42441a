//! Operations: one call of a function in the database, one array a column.

use tokio_postgres::types::Type;
use uuid::Uuid;

use super::link::Link;
use super::row::{TEXTS, count, get, int, uuid};
use crate::error::Result;
use crate::id::{OpId, Owner};
use crate::memory::check::unsupported;
use crate::memory::{Done, Op};

const APPLY: &str = "SELECT catgpt.apply_v1($1,$2,$3,$4,$5,$6,$7,$8,$9) AS done";

/// The operations of a call, one element a column each.
#[derive(Default)]
struct Columns<'a> {
    kinds: Vec<&'static str>,
    sessions: Vec<Option<&'a str>>,
    turns: Vec<Option<Uuid>>,
    bodies: Vec<Option<&'a [u8]>>,
    pins: Vec<Option<&'a [u8]>>,
    heads: Vec<Option<i64>>,
    versions: Vec<Option<i64>>,
}

impl<'a> Columns<'a> {
    fn add(&mut self, op: &'a Op) -> Result<()> {
        let (mut turn, mut body, mut pinned, mut to, mut version) = (None, None, None, None, None);
        let (kind, session) = match op {
            Op::Create { session, title, pin, .. } => {
                (body, pinned) = (title.as_deref(), pin.as_deref());
                ("create", Some(session))
            }
            Op::SetTitle { session, title, .. } => {
                body = title.as_deref();
                ("title", Some(session))
            }
            Op::SetPin { session, pin } => {
                body = Some(pin.as_slice());
                ("pin", Some(session))
            }
            Op::SetHead { session, head, if_version } => {
                (to, version) = (Some(int(*head)), if_version.map(int));
                ("head", Some(session))
            }
            Op::Cancel { turn: id } => {
                turn = Some(uuid(id.to_bytes()));
                ("cancel", None)
            }
            Op::Delete { session } => ("delete", Some(session)),
            _ => return Err(unsupported()),
        };
        self.kinds.push(kind);
        self.sessions.push(session.map(|session| session.as_str()));
        self.turns.push(turn);
        self.bodies.push(body);
        self.pins.push(pinned);
        self.heads.push(to);
        self.versions.push(version);
        Ok(())
    }
}

pub(super) async fn apply(link: &Link, owner: &Owner, id: OpId, ops: &[Op]) -> Result<Vec<Done>> {
    let mut columns = Columns::default();
    ops.iter().try_for_each(Op::check)?;
    ops.iter().try_for_each(|op| columns.add(op))?;
    let given = [
        (&owner.as_str() as _, Type::TEXT),
        (&uuid(id.to_bytes()) as _, Type::UUID),
        (&columns.kinds as _, TEXTS),
        (&columns.sessions as _, TEXTS),
        (&columns.turns as _, Type::UUID_ARRAY),
        (&columns.bodies as _, Type::BYTEA_ARRAY),
        (&columns.pins as _, Type::BYTEA_ARRAY),
        (&columns.heads as _, Type::INT8_ARRAY),
        (&columns.versions as _, Type::INT8_ARRAY),
    ];
    let record = link.ask_one(APPLY, &given).await?;
    let done: Vec<Option<i64>> = get(&record, "done")?;
    Ok(done.into_iter().map(|version| version.map_or(Done::Nothing, |version| Done::Version(count(version)))).collect())
}

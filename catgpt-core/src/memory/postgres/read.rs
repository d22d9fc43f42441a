//! Reading from one session or one turn, at one moment.

use tokio_postgres::types::Type;

use super::fault::damaged;
use super::link::Link;
use super::row::{chunks, get, int, messages, session, uuid};
use super::turn::{bounds, no_message};
use crate::error::{Error, Result};
use crate::id::{Owner, SessionId};
use crate::memory::{Limit, Read, View};

const READ: &str = "SELECT * FROM catgpt.read_v2($1,$2,$3,$4,$5,$6,$7)";
const TAIL: &str = "SELECT * FROM catgpt.tail_v2($1,$2,$3)";

pub(super) async fn read(link: &Link, owner: &Owner, read: &Read) -> Result<View> {
    let record = match read {
        Read::Branch { session, head, limit } => rows(link, owner, session, (head.map(int), None), *limit, true).await,
        Read::Tree { session, after, limit, bodies } => {
            rows(link, owner, session, (None, Some(int(*after))), *limit, *bodies).await
        }
        Read::Tail { turn, from } => {
            let given = [
                (&owner.as_str() as _, Type::TEXT),
                (&uuid(turn.to_bytes()) as _, Type::UUID),
                (&int(*from) as _, Type::INT8),
            ];
            link.ask_one(TAIL, &given).await
        }
    }?;
    match (get(&record, "outcome")?, read) {
        (None, _) => Ok(View {
            session: session(&record)?,
            rows: messages(&record)?,
            chunks: chunks(&record)?,
            more: get::<Option<bool>>(&record, "more")?.unwrap_or(false),
        }),
        (Some("no_session"), _) => Err(Error::not_found("session")),
        (Some("no_message"), _) => Err(no_message(&record)?),
        (Some("no_turn"), Read::Tail { turn, .. }) => Err(Error::not_found("turn").with_turn(*turn)),
        _ => Err(damaged("an answer that means nothing")),
    }
}

async fn rows(
    link: &Link,
    owner: &Owner,
    session: &SessionId,
    (head, after): (Option<i64>, Option<i64>),
    limit: Limit,
    bodies: bool,
) -> Result<tokio_postgres::Row> {
    let (messages, bytes) = bounds(limit);
    let given = [
        (&owner.as_str() as _, Type::TEXT),
        (&session.as_str() as _, Type::TEXT),
        (&head as _, Type::INT8),
        (&after as _, Type::INT8),
        (&messages as _, Type::INT8),
        (&bytes as _, Type::INT8),
        (&bodies as _, Type::BOOL),
    ];
    link.ask_one(READ, &given).await
}

//! The schema in the database: which version it has, whether this program may use it, how to bring it to ours.

use deadpool_postgres::Object;
use tokio_postgres::GenericClient;

use super::fault::Fault;
use crate::error::{Error, ErrorKind};

/// A schema: its version, and the oldest program's that may use it.
struct Migration {
    version: i32,
    min_reader: i32,
    sql: &'static [&'static str],
}

/// Every schema, oldest first. One that was released is never changed; functions bear a version in their names, so
/// that replicas of two releases run side by side.
const MIGRATIONS: &[Migration] = &[
    Migration {
        version: 1,
        min_reader: 1,
        sql: &[
            include_str!("v1/tables.sql"),
            include_str!("v1/turns.sql"),
            include_str!("v1/read.sql"),
            include_str!("v1/ops.sql"),
        ],
    },
    // Programs that know schema 1 go on beside it: what that means stands in the file of its tables.
    Migration {
        version: 2,
        min_reader: 1,
        sql: &[
            include_str!("v2/tables.sql"),
            include_str!("v2/limits.sql"),
            include_str!("v2/turns.sql"),
            include_str!("v2/read.sql"),
            include_str!("v2/search.sql"),
            include_str!("v2/tree.sql"),
            include_str!("v2/owners.sql"),
            include_str!("v2/ops.sql"),
            include_str!("v2/sweep.sql"),
        ],
    },
    // Functions only; what a program that knows an older schema calls does what it did.
    Migration {
        version: 3,
        min_reader: 1,
        sql: &[include_str!("v3/append.sql"), include_str!("v3/reseal.sql"), include_str!("v3/ops.sql")],
    },
];

/// `catgpt` in ASCII: whoever changes the schema holds this lock until its commit.
const LOCK: &str = "SELECT pg_advisory_xact_lock(109270215913588)";

/// Whether the schema is older than ours, or not there.
pub(super) async fn is_old(client: &Object) -> Result<bool, Fault> {
    Ok(needed(&***client).await?.is_some())
}

/// Brings the schema to the newest version, in one transaction. Openers at the same time wait for each other.
pub(super) async fn migrate(client: &mut Object) -> Result<(), Fault> {
    let transaction = client.transaction().await?;
    transaction.batch_execute(LOCK).await?;
    if let Some(found) = needed(&*transaction).await? {
        for step in MIGRATIONS.iter().filter(|step| step.version > found) {
            for sql in step.sql {
                transaction.batch_execute(sql).await?;
            }
            let (version, min_reader) = (step.version, step.min_reader);
            let note = format!("DELETE FROM catgpt.meta; INSERT INTO catgpt.meta VALUES ({version}, {min_reader})");
            transaction.batch_execute(&note).await?;
        }
    }
    Ok(transaction.commit().await?)
}

/// The version that is there, if it is older than ours; none is 0.
async fn needed(client: &impl GenericClient) -> Result<Option<i32>, Fault> {
    // From the catalogue itself: `to_regclass` may remember that there was nothing, from before we waited for the lock.
    let sql = "SELECT current_setting('server_encoding'), EXISTS(SELECT FROM pg_catalog.pg_class c
        JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = 'catgpt' AND c.relname = 'meta')";
    let records = client.query_typed(sql, &[]).await?;
    let record = records.first().ok_or_else(lost)?;
    let encoding: &str = record.try_get(0)?;
    if encoding != "UTF8" {
        let sentence = "the database cannot keep every text: make one with the encoding UTF8";
        return Err(Error::new(ErrorKind::Unsupported, sentence).with("encoding", encoding).into());
    }
    if !record.try_get::<_, bool>(1)? {
        return Ok(Some(0));
    }
    let records = client.query_typed("SELECT version, min_reader FROM catgpt.meta", &[]).await?;
    let record = records.first().ok_or_else(lost)?;
    let (version, min_reader): (i32, i32) = (record.try_get(0)?, record.try_get(1)?);
    if min_reader > newest() {
        let sentence = "the store was written by a newer version: upgrade this program, or choose another database";
        let error = Error::new(ErrorKind::Store, sentence).with_retryable(false);
        return Err(error.with("store_version", version).with("known_version", newest()).into());
    }
    Ok((version < newest()).then_some(version))
}

fn lost() -> Error {
    super::fault::damaged("a schema without its version")
}

/// The version that opening a store brings it to.
pub(super) fn newest() -> i32 {
    MIGRATIONS.last().map_or(0, |step| step.version)
}

//! The shape of the file: which application it belongs to, which version it has, how to bring it to ours.

use std::path::Path;

use rusqlite::Connection;

use super::fault::Outcome;
use crate::error::{Error, ErrorKind};

/// `CATG`, as `file` shows it.
const APPLICATION: i64 = 0x4341_5447;

/// Every schema, oldest first. A line that was released is never changed.
const MIGRATIONS: &[(i64, &str)] = &[(1, include_str!("v1.sql")), (2, include_str!("v2.sql"))];

/// What a file says about itself.
struct Identity {
    application: i64,
    version: i64,
    empty: bool,
}

/// Refuses files that are not ours or that are newer than this program. Writes nothing.
pub(super) fn check(conn: &Connection, path: &Path) -> Outcome<()> {
    conn.execute_batch("BEGIN")?;
    let judged = identity(conn).and_then(|found| judge(&found, path));
    let ended = conn.execute_batch("COMMIT");
    // First what is wrong: SQLite may have ended the transaction because of it, and then this end is an error, too.
    judged?;
    Ok(ended?)
}

/// Brings the file to the newest schema, in one transaction. Openers at the same time wait for each other.
pub(super) fn migrate(conn: &Connection, path: &Path) -> Outcome<()> {
    if identity(conn)?.version == newest() {
        return Ok(());
    }
    conn.execute_batch("BEGIN IMMEDIATE")?;
    let done = steps(conn, path).and_then(|()| Ok(conn.execute_batch("COMMIT")?));
    if done.is_err() && !conn.is_autocommit() {
        conn.execute_batch("ROLLBACK")?;
    }
    done
}

fn steps(conn: &Connection, path: &Path) -> Outcome<()> {
    let found = identity(conn)?;
    judge(&found, path)?;
    for (version, sql) in MIGRATIONS.iter().filter(|(version, _)| *version > found.version) {
        conn.execute_batch(sql)?;
        conn.execute_batch(&format!("PRAGMA application_id = {APPLICATION}; PRAGMA user_version = {version}"))?;
    }
    Ok(())
}

fn identity(conn: &Connection) -> Outcome<Identity> {
    let number = |sql: &str| conn.query_row(sql, [], |row| row.get::<_, i64>(0));
    Ok(Identity {
        application: number("PRAGMA application_id")?,
        version: number("PRAGMA user_version")?,
        empty: number("SELECT count(*) FROM sqlite_schema")? == 0,
    })
}

fn judge(found: &Identity, path: &Path) -> Outcome<()> {
    let ours = found.application == APPLICATION;
    let fresh = found.application == 0 && found.version == 0 && found.empty;
    if !ours && !fresh {
        return Err(refuse("the file belongs to another application: choose another path", path).into());
    }
    if found.version > newest() {
        let sentence = "the store was written by a newer version: upgrade this program, or choose another path";
        let error = refuse(sentence, path).with("store_version", found.version).with("known_version", newest());
        return Err(error.into());
    }
    Ok(())
}

fn refuse(sentence: &'static str, path: &Path) -> Error {
    Error::new(ErrorKind::Store, sentence).with_retryable(false).with("path", path.display())
}

/// The version that opening a file brings it to.
pub(super) fn newest() -> i64 {
    MIGRATIONS.last().map_or(0, |(version, _)| *version)
}

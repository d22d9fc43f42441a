//! Opening the file: its mode, its pragmas, and the wait for others who open it at the same moment.

use std::fs::OpenOptions;
use std::io;
use std::path::Path;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags};

use super::fault::Outcome;
use super::schema;
use crate::error::{Error, ErrorKind};

/// How long to wait for another program's write.
const BUSY: Duration = Duration::from_secs(5);

/// The first release without the WAL-reset bug, which damages files that two connections write.
const OLDEST_SQLITE: i32 = 3_051_003;

const PRAGMAS: &str = "PRAGMA synchronous = FULL; PRAGMA fullfsync = ON; PRAGMA foreign_keys = ON;
    PRAGMA temp_store = MEMORY; PRAGMA cache_size = -16384; PRAGMA journal_size_limit = 67108864;
    PRAGMA secure_delete = ON; PRAGMA trusted_schema = OFF;";

/// Opens the connection that writes; makes the file and brings it to the newest schema.
pub(super) fn writer(path: &Path) -> Outcome<Connection> {
    if rusqlite::version_number() < OLDEST_SQLITE {
        let sentence = "the SQLite library is too old: link 3.51.3 or newer, or use the bundled one";
        return Err(Error::new(ErrorKind::Unsupported, sentence).with("sqlite", rusqlite::version()).into());
    }
    create(path)?;
    let conn = connect(path)?;
    patiently(|| {
        schema::check(&conn, path)?;
        use_wal(&conn)?;
        conn.execute_batch(PRAGMAS)?;
        schema::migrate(&conn, path)
    })?;
    Ok(conn)
}

/// Opens a connection that only reads.
pub(super) fn reader(path: &Path) -> Outcome<Connection> {
    let conn = connect(path)?;
    patiently(|| {
        conn.execute_batch(PRAGMAS)?;
        Ok(conn.execute_batch("PRAGMA query_only = ON")?)
    })?;
    Ok(conn)
}

fn connect(path: &Path) -> Outcome<Connection> {
    // One thread uses a connection, and a path is never read as a URI.
    let conn = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX)?;
    conn.busy_timeout(BUSY)?;
    conn.set_prepared_statement_cache_capacity(128);
    // Else the bundled SQLite (it has STAT4) compiles many statements anew each time that other values are bound.
    conn.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
    Ok(conn)
}

/// Switching to WAL needs the file alone, and SQLite does not wait for that by itself.
fn use_wal(conn: &Connection) -> Outcome<()> {
    let mode = |sql: &str| conn.query_row(sql, [], |row| row.get::<_, String>(0));
    if mode("PRAGMA journal_mode")? != "wal" && mode("PRAGMA journal_mode = WAL")? != "wal" {
        let sentence = "the store cannot use write-ahead logging here: choose a local disk";
        return Err(Error::new(ErrorKind::Store, sentence).with_retryable(false).into());
    }
    Ok(())
}

/// Tries again while another opener stands in the way: opening is where SQLite does not always wait.
fn patiently(attempt: impl Fn() -> Outcome<()>) -> Outcome<()> {
    let deadline = Instant::now() + BUSY;
    loop {
        match attempt() {
            Err(fault) if fault.is_busy() && Instant::now() < deadline => {
                std::thread::sleep(Duration::from_millis(5));
            }
            outcome => return outcome,
        }
    }
}

/// Makes the file, readable by its owner alone; SQLite gives the files beside it the same mode.
fn create(path: &Path) -> Outcome<()> {
    // Closing any handle of a file drops the process's locks on it, SQLite's too. So nobody may open the new file
    // before this handle is closed, and a file that is there is not opened here at all.
    static ALONE: Mutex<()> = Mutex::new(());
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    match options.open(path) {
        Ok(_) => Ok(()),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        Err(error) => Err(cannot_create(error, path).into()),
    }
}

fn cannot_create(error: io::Error, path: &Path) -> Error {
    let (kind, sentence) = match error.kind() {
        io::ErrorKind::NotFound => (ErrorKind::Store, "the store's folder does not exist: make it first"),
        io::ErrorKind::PermissionDenied => {
            (ErrorKind::Store, "the store cannot be made here: allow writing to the folder, or choose another path")
        }
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
            (ErrorKind::StoreFull, "the store has no room left: free some disk space, then try again")
        }
        io::ErrorKind::ReadOnlyFilesystem => {
            (ErrorKind::StoreFull, "the store is read-only: make its file and folder writable")
        }
        _ => (ErrorKind::Store, "the store cannot be made: check its path"),
    };
    Error::new(kind, sentence).with_retryable(false).with("path", path.display()).caused_by(error)
}

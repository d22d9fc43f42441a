//! What goes wrong in a job, and how it is said to the caller.

use std::path::Path;

use rusqlite::ffi;
use rusqlite::types::FromSqlError;

use crate::error::{Error, ErrorKind};

pub(super) type Outcome<T> = std::result::Result<T, Fault>;

/// Why a job failed.
#[derive(Debug)]
pub(super) enum Fault {
    /// The contract says no.
    Refused(Error),
    /// SQLite says no.
    Sql(rusqlite::Error),
}

impl From<Error> for Fault {
    fn from(error: Error) -> Self {
        Self::Refused(error)
    }
}

impl From<rusqlite::Error> for Fault {
    fn from(error: rusqlite::Error) -> Self {
        Self::Sql(error)
    }
}

impl From<FromSqlError> for Fault {
    fn from(error: FromSqlError) -> Self {
        Self::Sql(error.into())
    }
}

impl Fault {
    /// The error that callers see.
    pub(super) fn into_error(self, path: &Path) -> Error {
        match self {
            Self::Refused(error) => error,
            Self::Sql(error) => explain(error).with("path", path.display()),
        }
    }

    /// Whether another connection stood in the way.
    pub(super) fn is_busy(&self) -> bool {
        matches!(self, Self::Sql(error) if matches!(
            error.sqlite_error_code(),
            Some(ffi::ErrorCode::DatabaseBusy | ffi::ErrorCode::DatabaseLocked)
        ))
    }
}

/// What the store holds cannot be: a row that is missing, a number without a meaning.
pub(super) fn damaged(what: &'static str) -> Fault {
    Fault::Refused(
        Error::new(ErrorKind::Store, "the store is damaged: restore it from a backup")
            .with_retryable(false)
            .with("found", what),
    )
}

fn explain(error: rusqlite::Error) -> Error {
    use ffi::ErrorCode as Code;
    let retryable = |sentence: &'static str| Error::new(ErrorKind::Store, sentence);
    let lasting = |sentence: &'static str| retryable(sentence).with_retryable(false);
    let extended = error.sqlite_error().map(|e| e.extended_code);
    let said = match error.sqlite_error_code() {
        // Growing the shared-memory file fails for one reason only.
        _ if extended == Some(ffi::SQLITE_IOERR_SHMSIZE) => no_room(),
        Some(Code::DiskFull) => no_room(),
        Some(Code::ReadOnly) => {
            Error::new(ErrorKind::StoreFull, "the store is read-only: make its file and folder writable")
        }
        Some(Code::DatabaseBusy | Code::DatabaseLocked | Code::FileLockingProtocolFailed) => {
            retryable("another program keeps the store locked: try again later")
        }
        Some(Code::DatabaseCorrupt) => lasting("the store is damaged: restore it from a backup"),
        Some(Code::NotADatabase) => lasting("the file is not a SQLite database: choose another path"),
        Some(Code::CannotOpen | Code::PermissionDenied) => {
            lasting("the store cannot be opened: check that its folder exists and that both may be read and written")
        }
        Some(Code::SystemIoFailure) => retryable("the disk under the store failed: check it, then try again"),
        Some(Code::OutOfMemory) => retryable("no memory is left for the store: try again later"),
        Some(Code::TooBig) => Error::invalid("this is larger than the store can keep"),
        _ => Error::new(ErrorKind::Unexpected, "the store refused a statement: please report this"),
    };
    said.caused_by(error)
}

fn no_room() -> Error {
    Error::new(ErrorKind::StoreFull, "the store has no room left: free some disk space, then try again")
}

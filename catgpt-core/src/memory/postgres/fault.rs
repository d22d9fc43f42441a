//! What goes wrong between the store and us, what may pass by itself, and how it is said to the caller.

use std::time::Duration;

use deadpool_postgres::PoolError;
use tokio_postgres::error::{DbError, SqlState};

use crate::error::{Error, ErrorKind};
use crate::id::TurnId;
use crate::memory::limits;

/// Why a try failed.
#[derive(Debug)]
pub(super) enum Fault {
    /// We say no.
    Refused(Error),
    /// The database or the way to it says no.
    Sql(tokio_postgres::Error),
    /// No answer in time.
    Late,
    /// The store is closed.
    Closed,
}

/// What the functions raise to undo their call: a word, and a fact as the detail.
const REFUSAL: &str = "CG001";

impl From<Error> for Fault {
    fn from(error: Error) -> Self {
        Self::Refused(error)
    }
}

impl From<tokio_postgres::Error> for Fault {
    fn from(error: tokio_postgres::Error) -> Self {
        Self::Sql(error)
    }
}

impl From<PoolError> for Fault {
    fn from(error: PoolError) -> Self {
        match error {
            PoolError::Backend(error) => Self::Sql(error),
            PoolError::Closed => Self::Closed,
            PoolError::Timeout(_) => Self::Late,
            PoolError::NoRuntimeSpecified | PoolError::PostCreateHook(_) => {
                Self::Refused(Error::new(ErrorKind::Unexpected, "the pool failed: please report this").caused_by(error))
            }
        }
    }
}

impl Fault {
    /// Whether the same statement may be answered a moment later, on another connection.
    pub(super) fn may_pass(&self) -> bool {
        match self {
            Self::Sql(error) => match error.code() {
                Some(code) => passes(code),
                // What is wrong with a certificate or a password stays wrong.
                None => error.is_closed() || is_io(error),
            },
            Self::Refused(_) | Self::Late | Self::Closed => false,
        }
    }

    /// Whether this server may not be written: an old primary after a failover, or one that was made so.
    pub(super) fn is_read_only(&self) -> bool {
        matches!(self, Self::Sql(error) if error.code() == Some(&SqlState::READ_ONLY_SQL_TRANSACTION))
    }

    /// Whether the connection is of no more use although it stands.
    pub(super) fn spoils_connection(&self) -> bool {
        let goes = |code: &SqlState| code.code().starts_with("08") || code.code().starts_with("57P");
        self.is_read_only() || matches!(self, Self::Sql(error) if error.code().is_none_or(goes))
    }

    /// The error that callers see.
    pub(super) fn into_error(self) -> Error {
        match self {
            Self::Refused(error) => error,
            Self::Late => {
                store("the database did not answer in time: look at its load and the network, then try again")
            }
            Self::Closed => Error::new(ErrorKind::Closed, "the store is closed: open it again"),
            Self::Sql(error) => match error.as_db_error() {
                Some(refusal) if refusal.code().code() == REFUSAL => refused(refusal),
                Some(said) => explain(said),
                None => unreachable(error),
            },
        }
    }
}

/// SQLSTATEs of what passes: lost connections, restarts, too many clients, locks, races.
fn passes(code: &SqlState) -> bool {
    code.code().starts_with("08")
        || [
            SqlState::ADMIN_SHUTDOWN,
            SqlState::CRASH_SHUTDOWN,
            SqlState::CANNOT_CONNECT_NOW,
            SqlState::TOO_MANY_CONNECTIONS,
            SqlState::LOCK_NOT_AVAILABLE,
            SqlState::T_R_SERIALIZATION_FAILURE,
            SqlState::T_R_DEADLOCK_DETECTED,
            // Two turns with one id at the same moment: the next look finds the winner.
            SqlState::UNIQUE_VIOLATION,
        ]
        .contains(code)
}

fn is_io(error: &tokio_postgres::Error) -> bool {
    let mut cause = std::error::Error::source(error);
    while let Some(this) = cause {
        if let Some(io) = this.downcast_ref::<std::io::Error>() {
            // TLS says so of certificates.
            return io.kind() != std::io::ErrorKind::InvalidData;
        }
        cause = this.source();
    }
    false
}

fn store(sentence: &'static str) -> Error {
    Error::new(ErrorKind::Store, sentence)
}

/// The session moved on since the caller looked.
pub(super) fn changed(version: impl std::fmt::Display) -> Error {
    Error::new(ErrorKind::Conflict, "the session has changed: read it again, then decide").with("version", version)
}

/// What the store holds cannot be: a number without a meaning.
pub(super) fn damaged(what: &'static str) -> Error {
    store("the store is damaged: restore it from a backup").with_retryable(false).with("found", what)
}

/// What the functions refuse.
fn refused(refusal: &DbError) -> Error {
    let fact = refusal.detail().unwrap_or_default().to_owned();
    match refusal.message() {
        "gap" => {
            let sentence = "the piece does not begin where the stored reply ends: send it from there";
            Error::new(ErrorKind::Conflict, sentence).with("stored", fact)
        }
        "no_session" => Error::not_found("session"),
        "no_turn" => match fact.parse::<TurnId>() {
            Ok(turn) => Error::not_found("turn").with_turn(turn),
            Err(_) => Error::not_found("turn"),
        },
        "no_message" => Error::not_found("message").with("seq", fact),
        "changed" => changed(fact),
        "limited" => limited(&fact).unwrap_or_else(|| damaged("a limit without a name")),
        "messages" => {
            let sentence = "the session does not end where the import goes on: look at it, then bring what it lacks";
            Error::new(ErrorKind::Conflict, sentence).with("messages", fact)
        }
        "both" => {
            let sentence = "both owners have sessions of the same id: delete one of each, then claim again";
            Error::new(ErrorKind::Conflict, sentence).with("sessions", fact)
        }
        "busy" => {
            let sentence = "a turn runs in the session: wait for it or cancel it, then try again";
            match fact.parse::<TurnId>() {
                Ok(turn) => Error::new(ErrorKind::Busy, sentence).with_turn(turn),
                Err(_) => damaged("a running turn without an id"),
            }
        }
        _ => Error::new(ErrorKind::Unexpected, "the store refused for a reason of its own: please report this"),
    }
}

/// A counter at its limit: the limit, and the milliseconds that are left of its window.
fn limited(fact: &str) -> Option<Error> {
    let (limit, left) = serde_json::from_str(fact).ok()?;
    Some(limits::refused(limit, Some(Duration::from_millis(left))))
}

/// Neither the detail nor a statement is shown: there may be somebody's words in them.
fn explain(said: &DbError) -> Error {
    let code = said.code().code();
    let lasting = |sentence: &'static str| store(sentence).with_retryable(false);
    let error = match code {
        "53100" => Error::new(ErrorKind::StoreFull, "the database has no room left: give it some, then try again"),
        "25006" => Error::new(ErrorKind::StoreFull, "the database is read-only: connect to one that may be written"),
        "57014" => store("the database stopped the statement, as it was told to: try again, or raise its timeout"),
        "42501" => lasting(
            "the database user may not do this: grant it CREATE on the database, or USAGE on the schema catgpt and all \
             rights on what is in it; only its owner can bring the schema to a newer version",
        ),
        "3D000" => lasting("there is no such database: make it first"),
        "42P01" | "42883" | "3F000" => {
            lasting("the schema catgpt is gone or incomplete: restore it, or open the store again")
        }
        "54000" | "54001" | "22001" => Error::invalid("this is larger than the store can keep"),
        "22021" | "22P05" => Error::invalid("the database cannot keep this text: send no NUL character"),
        _ if code.starts_with("28") => lasting("the database refused the user or the password: check the URL"),
        _ if code.starts_with("08") || code.starts_with("57P") => {
            store("the database is going down or coming up: try again later")
        }
        _ if code.starts_with("53") => {
            store("the database has too little of something: look at its log, then try again")
        }
        _ if code.starts_with("40") || code == "55P03" => {
            store("other work stood in the way in the database: try again")
        }
        _ if code.starts_with("XX") || code.starts_with("58") => {
            lasting("the database is damaged: look at its log, restore it from a backup")
        }
        _ => Error::new(ErrorKind::Unexpected, "the database refused a statement: please report this"),
    };
    // Of these the server's own words are about the server alone.
    let harmless = ["08", "28", "3D", "53", "57"].iter().any(|class| code.starts_with(class)) || code == "42501";
    let error = error.with("sqlstate", code);
    if harmless { error.with("server", said.message()) } else { error }
}

fn unreachable(error: tokio_postgres::Error) -> Error {
    let lasting = !(error.is_closed() || is_io(&error));
    let sentence = match lasting {
        true => "no connection to the database can be made: check the URL and what the server's certificate says",
        false => "the database cannot be reached: check that it runs and that the URL is right, then try again",
    };
    store(sentence).with_retryable(!lasting).caused_by(error)
}

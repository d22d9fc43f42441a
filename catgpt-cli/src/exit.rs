//! How the program ends: its exit codes, and what is said about an error.

use std::borrow::Cow;
use std::error::Error as _;
use std::fmt;
use std::io;

use catgpt_core::{Error, ErrorKind};

/// The exit codes. They are documented and never change their meaning.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Exit {
    /// Answered, also if the answer reached its limit of tokens.
    Ok = 0,
    /// Another failure.
    Failed = 1,
    /// Wrong usage, configuration or input.
    Usage = 2,
    /// A chat, persona or model is not there, or the name fits several.
    NotFound = 3,
    /// The key is missing or was refused.
    Key = 4,
    /// A rate limit or quota: try later.
    Limit = 5,
    /// The provider or the network does not answer, or not to the end.
    Unavailable = 6,
    /// The provider refuses to answer this, or it is too long.
    Refused = 7,
    /// The store cannot be used, or the chat is in use for too long.
    Store = 8,
    /// Ended by SIGHUP.
    Hangup = 129,
    /// Ended by SIGINT.
    Interrupt = 130,
    /// Whoever read stdout has gone.
    Pipe = 141,
    /// Ended by SIGTERM.
    Terminate = 143,
}

impl Exit {
    /// The code for a kind of error: the one place that decides it.
    pub(crate) fn of(kind: ErrorKind) -> Self {
        match kind {
            ErrorKind::InvalidInput => Self::Usage,
            ErrorKind::NotFound => Self::NotFound,
            ErrorKind::Unauthorized => Self::Key,
            ErrorKind::RateLimited | ErrorKind::Limited => Self::Limit,
            ErrorKind::Timeout | ErrorKind::Unavailable | ErrorKind::Truncated => Self::Unavailable,
            ErrorKind::Refused | ErrorKind::ContextTooLong => Self::Refused,
            ErrorKind::Busy | ErrorKind::Store | ErrorKind::StoreFull | ErrorKind::Unsupported => Self::Store,
            _ => Self::Failed,
        }
    }
}

/// Why a command could not do what it was asked.
#[derive(Debug)]
pub(crate) enum Failure {
    /// The engine, or what was given to it.
    Error(Error),
    /// Stdout takes no more.
    Output(io::Error),
    /// It is told already.
    Told(Exit),
}

impl Failure {
    pub(crate) fn exit(&self) -> Exit {
        match self {
            Self::Error(error) => Exit::of(error.kind()),
            Self::Output(error) if error.kind() == io::ErrorKind::BrokenPipe => Exit::Pipe,
            Self::Output(_) => Exit::Failed,
            Self::Told(exit) => *exit,
        }
    }

    /// Whether there is anything to tell: a reader that has gone does not want to know why.
    pub(crate) fn is_silent(&self) -> bool {
        matches!(self, Self::Told(_)) || self.exit() == Exit::Pipe
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Error(error) => f.write_str(&told(error)),
            Self::Output(error) => write!(f, "stdout cannot be written: {error}"),
            Self::Told(_) => Ok(()),
        }
    }
}

/// An error as a person reads it: also why the system refused, without which "cannot be read" helps nobody.
pub(crate) fn told(error: &Error) -> String {
    match error.source().and_then(|source| source.downcast_ref::<io::Error>()) {
        Some(cause) if error.context("cause").is_none() => format!("{error} (cause: {cause})"),
        _ => error.to_string(),
    }
}

/// What was given cannot be used.
pub(crate) fn invalid(sentence: impl Into<Cow<'static, str>>) -> Error {
    Error::new(ErrorKind::InvalidInput, sentence)
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::Error(error)
    }
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        Self::Output(error)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_of_error_has_its_documented_code() {
        let codes: Vec<_> = ErrorKind::ALL.iter().map(|kind| (kind.as_str(), Exit::of(*kind) as u8)).collect();
        let documented = [
            ("invalid_input", 2),
            ("not_found", 3),
            ("busy", 8),
            ("conflict", 1),
            ("unauthorized", 4),
            ("rate_limited", 5),
            ("limited", 5),
            ("timeout", 6),
            ("unavailable", 6),
            ("truncated", 6),
            ("refused", 7),
            ("context_too_long", 7),
            ("store", 8),
            ("store_full", 8),
            ("unsupported", 8),
            ("closed", 1),
            ("unexpected", 1),
        ];
        assert_eq!(codes, documented);
    }

    #[test]
    fn a_reader_that_has_gone_is_no_news() {
        let gone = Failure::from(io::Error::from(io::ErrorKind::BrokenPipe));
        assert_eq!((gone.exit(), gone.is_silent()), (Exit::Pipe, true));
        let full = Failure::from(io::Error::from(io::ErrorKind::StorageFull));
        assert_eq!((full.exit(), full.is_silent()), (Exit::Failed, false));
    }
}

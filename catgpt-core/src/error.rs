//! The one error of the crate: ask its [`kind`](Error::kind), show its text.

use std::borrow::Cow;
use std::error::Error as StdError;
use std::fmt;
use std::time::Duration;

use serde::de::{DeserializeOwned, Deserializer};
use serde::{Deserialize, Serialize};

use crate::id::TurnId;

/// What every fallible call of this crate returns.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What went wrong, as far as a program should care. The names are stable and shared by all front ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum ErrorKind {
    /// The caller gave something that cannot be used: a bad id, an empty prompt, a message that is too large.
    InvalidInput,
    /// No such session, turn, message or persona for this owner.
    NotFound,
    /// Another turn is running in the session; [`Error::turn`] names it.
    Busy,
    /// The session changed meanwhile, or an idempotency key was used for other content.
    Conflict,
    /// The model refused the credentials, or none were given.
    Unauthorized,
    /// The model's rate limit or quota; see [`Error::retry_after`].
    RateLimited,
    /// A limit of this engine's own is reached: [`Error::limit`] says which, [`Error::retry_after`] when it opens at the
    /// latest. It may open earlier, when a turn that runs ends with less than it has reserved.
    Limited,
    /// Nothing arrived in time.
    Timeout,
    /// The model could not be reached, or failed on its side.
    Unavailable,
    /// The answer ended before it was whole.
    Truncated,
    /// The model, its provider or a hook refused to answer this.
    Refused,
    /// The conversation does not fit into the model's context.
    ContextTooLong,
    /// The durable store cannot be reached, is locked, or is damaged.
    Store,
    /// The durable store has no room left, or may not be written.
    StoreFull,
    /// The backend cannot do this at all.
    Unsupported,
    /// The engine is closing.
    Closed,
    /// A defect or a state that should not exist; worth a report.
    Unexpected,
}

impl ErrorKind {
    /// Every kind, for tables and tests of the front ends.
    pub const ALL: [ErrorKind; 17] = [
        Self::InvalidInput,
        Self::NotFound,
        Self::Busy,
        Self::Conflict,
        Self::Unauthorized,
        Self::RateLimited,
        Self::Limited,
        Self::Timeout,
        Self::Unavailable,
        Self::Truncated,
        Self::Refused,
        Self::ContextTooLong,
        Self::Store,
        Self::StoreFull,
        Self::Unsupported,
        Self::Closed,
        Self::Unexpected,
    ];

    /// The stable name, as it stands in JSON: `rate_limited`, `not_found`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::InvalidInput => "invalid_input",
            Self::NotFound => "not_found",
            Self::Busy => "busy",
            Self::Conflict => "conflict",
            Self::Unauthorized => "unauthorized",
            Self::RateLimited => "rate_limited",
            Self::Limited => "limited",
            Self::Timeout => "timeout",
            Self::Unavailable => "unavailable",
            Self::Truncated => "truncated",
            Self::Refused => "refused",
            Self::ContextTooLong => "context_too_long",
            Self::Store => "store",
            Self::StoreFull => "store_full",
            Self::Unsupported => "unsupported",
            Self::Closed => "closed",
            Self::Unexpected => "unexpected",
        }
    }

    /// Whether the same call may succeed if it is made again later.
    pub fn is_retryable(self) -> bool {
        matches!(
            self,
            Self::Busy
                | Self::RateLimited
                | Self::Limited
                | Self::Timeout
                | Self::Unavailable
                | Self::Truncated
                | Self::Store
        )
    }

    /// The HTTP status with which a server tells its client. What went wrong between the server and its model is 502 to
    /// 504: neither the server's key nor its quota is the client's affair.
    pub fn http_status(self) -> u16 {
        match self {
            Self::InvalidInput => 400,
            Self::NotFound => 404,
            Self::Busy | Self::Conflict => 409,
            Self::ContextTooLong => 413,
            Self::Refused => 422,
            Self::Limited => 429,
            Self::Unexpected => 500,
            Self::Unsupported => 501,
            Self::Unauthorized | Self::Truncated => 502,
            Self::RateLimited | Self::Unavailable | Self::Store | Self::Closed => 503,
            Self::Timeout => 504,
            Self::StoreFull => 507,
        }
    }
}

impl fmt::Display for ErrorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// An error: its kind, a sentence that says what to do, and facts (`session`, `status`, `path`) beside it.
///
/// Neither a key nor the text of a message ever stands in it.
pub struct Error(Box<Inner>);

struct Inner {
    kind: ErrorKind,
    retryable: bool,
    message: Cow<'static, str>,
    context: Vec<(&'static str, String)>,
    retry_after: Option<Duration>,
    turn: Option<TurnId>,
    limit: Option<LimitInfo>,
    source: Option<Box<dyn StdError + Send + Sync>>,
}

impl Error {
    /// A new error.
    pub fn new(kind: ErrorKind, message: impl Into<Cow<'static, str>>) -> Self {
        Self(Box::new(Inner {
            kind,
            retryable: kind.is_retryable(),
            message: message.into(),
            context: Vec::new(),
            retry_after: None,
            turn: None,
            limit: None,
            source: None,
        }))
    }

    pub(crate) fn invalid(message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(ErrorKind::InvalidInput, message)
    }

    pub(crate) fn not_found(what: &'static str) -> Self {
        Self::new(ErrorKind::NotFound, format!("no such {what}"))
    }

    /// Adds a fact. Never the text of a message, never a secret.
    #[must_use]
    pub fn with(mut self, key: &'static str, value: impl fmt::Display) -> Self {
        self.0.context.push((key, value.to_string()));
        self
    }

    /// Names the turn that this is about.
    #[must_use]
    pub fn with_turn(mut self, turn: TurnId) -> Self {
        self.0.turn = Some(turn);
        self
    }

    /// Names the limit that is reached.
    #[must_use]
    pub fn with_limit(mut self, limit: LimitInfo) -> Self {
        let LimitInfo { name, unit, max } = &limit;
        let fact = format!("{name}, {max} {unit}");
        self.0.limit = Some(limit);
        self.with("limit", fact)
    }

    /// Says how long to wait before trying again.
    #[must_use]
    pub fn with_retry_after(mut self, after: Option<Duration>) -> Self {
        self.0.retry_after = after;
        self
    }

    /// Overrides whether the same call may succeed later, where the kind alone does not tell.
    #[must_use]
    pub fn with_retryable(mut self, retryable: bool) -> Self {
        self.0.retryable = retryable;
        self
    }

    /// Keeps the cause.
    #[must_use]
    pub fn caused_by(mut self, source: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        self.0.source = Some(source.into());
        self
    }

    /// What went wrong.
    pub fn kind(&self) -> ErrorKind {
        self.0.kind
    }

    /// The sentence without its facts.
    pub fn message(&self) -> &str {
        &self.0.message
    }

    /// A fact by its name, such as `status` or `session`.
    pub fn context(&self, key: &str) -> Option<&str> {
        self.0.context.iter().find(|(k, _)| *k == key).map(|(_, v)| v.as_str())
    }

    /// Whether the same call may succeed if it is made again later.
    pub fn is_retryable(&self) -> bool {
        self.0.retryable
    }

    /// How long the other side asked to wait.
    pub fn retry_after(&self) -> Option<Duration> {
        self.0.retry_after
    }

    /// The running turn that a busy session names.
    pub fn turn(&self) -> Option<TurnId> {
        self.0.turn
    }

    /// The limit that is reached.
    pub fn limit(&self) -> Option<&LimitInfo> {
        self.0.limit.as_ref()
    }

    /// The same as plain data, to be sent or stored.
    pub fn info(&self) -> ErrorInfo {
        ErrorInfo {
            kind: self.0.kind,
            message: self.to_string(),
            retryable: self.0.retryable,
            retry_after_ms: self.0.retry_after.map(|d| u64::try_from(d.as_millis()).unwrap_or(u64::MAX)),
            turn: self.0.turn,
            limit: self.0.limit.clone().map(Box::new),
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.message)?;
        // An error that was data has said it already.
        if let Some(turn) = self.0.turn.filter(|turn| !self.0.message.contains(&turn.to_string())) {
            write!(f, " (turn: {turn})")?;
        }
        for (key, value) in &self.0.context {
            write!(f, " ({key}: {value})")?;
        }
        Ok(())
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {self}", self.0.kind)?;
        match &self.0.source {
            Some(source) => write!(f, "; caused by: {source}"),
            None => Ok(()),
        }
    }
}

impl StdError for Error {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.0.source.as_ref().map(|s| &**s as &(dyn StdError + 'static))
    }
}

/// An [`Error`] as plain data: what events carry, what a failed message stores, what other languages get.
///
/// Applications make their own: what is not read of their facts, such as a turn that is none of ours, is not there.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ErrorInfo {
    /// What went wrong.
    pub kind: ErrorKind,
    /// A sentence for people.
    pub message: String,
    /// Whether the same call may succeed later.
    pub retryable: bool,
    /// Milliseconds that the other side asked to wait.
    #[serde(default, deserialize_with = "readable", skip_serializing_if = "Option::is_none")]
    pub retry_after_ms: Option<u64>,
    /// The turn that this is about.
    #[serde(default, deserialize_with = "readable", skip_serializing_if = "Option::is_none")]
    pub turn: Option<TurnId>,
    /// The limit that is reached.
    #[serde(default, deserialize_with = "readable", skip_serializing_if = "Option::is_none")]
    pub limit: Option<Box<LimitInfo>>,
}

fn readable<'de, D: Deserializer<'de>, T: DeserializeOwned>(given: D) -> Result<Option<T>, D::Error> {
    Ok(serde_json::from_value(serde_json::Value::deserialize(given)?).ok())
}

/// A limit that is reached.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LimitInfo {
    /// Its name; `running` for the number of turns that run at once.
    pub name: String,
    /// What it counts: `turns`, `tokens`, `cost` or `running`.
    pub unit: String,
    /// How much there may be.
    pub max: u64,
}

impl From<ErrorInfo> for Error {
    fn from(info: ErrorInfo) -> Self {
        let mut error = Error::new(info.kind, info.message)
            .with_retryable(info.retryable)
            .with_retry_after(info.retry_after_ms.map(Duration::from_millis));
        (error.0.turn, error.0.limit) = (info.turn, info.limit.map(|limit| *limit));
        error
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_has_the_same_name_in_code_and_json() {
        for kind in ErrorKind::ALL {
            assert_eq!(serde_json::to_string(&kind).unwrap(), format!("\"{kind}\""));
            assert!((400..600).contains(&kind.http_status()), "{kind}");
        }
    }

    #[test]
    fn an_error_survives_the_trip_through_data() {
        let error = Error::new(ErrorKind::RateLimited, "slow down")
            .with("status", 429)
            .with_retry_after(Some(Duration::from_secs(2)));
        let back = Error::from(error.info());
        assert_eq!(back.kind(), ErrorKind::RateLimited);
        assert_eq!(back.retry_after(), Some(Duration::from_secs(2)));
        assert_eq!(back.to_string(), "slow down (status: 429)");
        assert!(back.is_retryable());
    }

    #[test]
    fn a_turn_is_named_once_however_often_an_error_was_data() {
        let turn = TurnId::fresh();
        let error = Error::new(ErrorKind::Busy, "a turn runs").with_turn(turn).with("session", "a");
        let again = Error::from(Error::from(error.info()).info());
        assert_eq!(again.to_string(), format!("a turn runs (turn: {turn}) (session: a)"));
        assert_eq!(again.turn(), Some(turn));
    }

    #[test]
    fn facts_of_somebody_elses_error_that_cannot_be_read_are_not_there() {
        let theirs = r#"{"kind":"busy","message":"m","retryable":true,"turn":"job-42","retry_after_ms":-1,"limit":{"name":"x"}}"#;
        let read: ErrorInfo = serde_json::from_str(theirs).unwrap();
        assert_eq!((read.turn, read.retry_after_ms, read.limit), (None, None, None));
        assert_eq!((read.kind, read.message.as_str(), read.retryable), (ErrorKind::Busy, "m", true));
    }
}

//! Counting what turns use: limits before a turn, the ledger after it. Plain data.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::json::milliseconds;
use crate::error::{Error, ErrorKind, LimitInfo};
use crate::id::SessionId;
use crate::message::Usage;

/// A counter that a turn must find below its limit, and to which it adds before it begins.
///
/// It counts in windows of the store's clock that begin at multiples of `window` since 1970, each from 0. A turn passes
/// if the count is below `limit`; then `add` is added, whatever the sum, also 0, so that it can be settled. So turns that reserve as much as they use or
/// more overrun a limit by at most one turn, however many begin at once.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counter {
    /// Which limit: the same name and key is the same counter.
    pub name: String,
    /// Whose: an owner, an address.
    pub key: String,
    /// How long a window is; at least a millisecond.
    #[serde(rename = "window_ms", with = "milliseconds")]
    pub window: Duration,
    /// What the turn reserves.
    pub add: u64,
    /// Where it ends.
    pub limit: u64,
    /// What is counted, for whoever settles it.
    pub unit: Unit,
}

impl Counter {
    /// The error where it is at its limit, and how long its window still is.
    pub(crate) fn refused(&self, left: Option<Duration>) -> Error {
        let Self { name, unit, limit, .. } = self;
        refused(LimitInfo { name: name.clone(), unit: unit.as_str().to_owned(), max: *limit }, left)
    }
}

/// When the window of this moment began, in milliseconds since 1970.
pub(crate) fn began(window: Duration, now_ms: i64) -> i64 {
    now_ms - now_ms.rem_euclid(i64::try_from(window.as_millis()).unwrap_or(i64::MAX).max(1))
}

/// The error where a limit is reached.
pub(crate) fn refused(limit: LimitInfo, left: Option<Duration>) -> Error {
    let error = Error::new(ErrorKind::Limited, "a limit is reached and nothing was sent: try again later");
    error.with_limit(limit).with_retry_after(left)
}

/// What a [`Counter`] counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Unit {
    /// Turns.
    Turns,
    /// Tokens of prompts and answers.
    Tokens,
    /// Millionths of the unit of the prices.
    Cost,
}

impl Unit {
    /// The name, as it stands in JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Turns => "turns",
            Self::Tokens => "tokens",
            Self::Cost => "cost",
        }
    }
}

/// What a running turn has reserved; kept with it until it ends.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reserved {
    /// The counter's name.
    pub name: String,
    /// Its key.
    pub key: String,
    /// When the window began, in milliseconds since 1970.
    pub start_ms: i64,
    /// What was added.
    pub add: u64,
    /// What is counted.
    pub unit: Unit,
}

/// A correction of a counter, when a turn has ended. It never falls below 0; one whose window is swept is left alone.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Settle {
    /// The counter's name.
    pub name: String,
    /// Its key.
    pub key: String,
    /// When the window began, in milliseconds since 1970.
    pub start_ms: i64,
    /// What is added.
    pub by: i64,
}

/// Which counter to look at.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct CounterId {
    /// Its name.
    pub name: String,
    /// Its key.
    pub key: String,
    /// How long a window is.
    #[serde(rename = "window_ms", with = "milliseconds")]
    pub window: Duration,
}

/// What a model was asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Purpose {
    /// A turn.
    Turn,
    /// A session's title.
    Title,
    /// A summary.
    Summary,
}

impl Purpose {
    /// The number that stores keep. Never reused, never changed.
    pub fn code(self) -> u8 {
        match self {
            Self::Turn => 0,
            Self::Title => 1,
            Self::Summary => 2,
        }
    }

    /// Back from the number; `None` for one that this version does not know.
    pub fn from_code(code: u8) -> Option<Self> {
        [Self::Turn, Self::Title, Self::Summary].get(usize::from(code)).copied()
    }
}

/// By what the ledger is summed up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum GroupBy {
    /// By day, in UTC.
    Day,
    /// By session, also deleted ones.
    Session,
    /// By model.
    Model,
    /// By what the model was asked for.
    Purpose,
}

/// What was used, of one group of the ledger; what the groups do not tell apart is `None`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Spent {
    /// When the day began, in milliseconds since 1970 (UTC).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub day_ms: Option<i64>,
    /// The session.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session: Option<SessionId>,
    /// The model.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    /// What the model was asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub purpose: Option<Purpose>,
    /// How often a model was asked: turns, titles, summaries.
    pub calls: u64,
    /// The tokens; `estimated` if any of them are.
    pub usage: Usage,
    /// What it cost, in millionths of the unit of the prices.
    pub cost: u64,
}

//! What an owner has used, and how much may still be.

use std::time::{SystemTime, UNIX_EPOCH};

use serde::Deserialize;

use super::User;
use crate::error::Result;
use crate::id::SessionId;
use crate::limits::{Limit, LimitKeys, LimitState};
use crate::memory::{Answer, GroupBy, Query, Spent};
use crate::runner::wrong_answer;

/// Which part of an owner's ledger, and by what it is summed up.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct UsageQuery {
    /// From the day of this time on, in milliseconds since 1970; days are those of UTC.
    pub from_ms: Option<i64>,
    /// Up to the day before the day of this time.
    pub to_ms: Option<i64>,
    /// For this session alone.
    pub session: Option<SessionId>,
    /// What is told apart; nothing: one sum.
    pub by: Vec<GroupBy>,
}

impl User {
    /// The ledger: what the owner's turns used, however they ended, and what was used beside them, in the order of `by`.
    /// A turn is there once it has ended. What sessions used stays when they are deleted.
    ///
    /// # Errors
    /// The store cannot be reached.
    pub async fn usage(&self, query: UsageQuery) -> Result<Vec<Spent>> {
        let UsageQuery { from_ms, to_ms, session, by } = query;
        match self.query(Query::Usage { from_ms, to_ms, session, by }).await? {
            Answer::Usage(spent) => Ok(spent),
            _ => Err(wrong_answer()),
        }
    }

    /// How far the owner has come with these limits (`None`: the engine's). Those that count by a key are left out, but
    /// for the `keys` that are given.
    ///
    /// # Errors
    /// The store cannot be reached.
    pub async fn limits(&self, limits: Option<Vec<Limit>>, keys: LimitKeys) -> Result<Vec<LimitState>> {
        let limits = limits.as_deref().unwrap_or(&self.runner.policy.limits);
        let known: Vec<_> = limits.iter().filter_map(|limit| Some((limit, limit.id(&self.owner, &keys)?))).collect();
        let used = self.runner.counters(&self.owner, known.iter().map(|(_, id)| id.clone()).collect()).await?;
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let now_ms = i64::try_from(since.as_millis()).unwrap_or(i64::MAX);
        Ok(known.iter().zip(used).map(|((limit, _), used)| limit.state(used, now_ms)).collect())
    }
}

//! What a turn may use, what it did use, and what that costs: the rules of `limits` and `prices`, with this engine's own.

use std::time::Duration;

use super::begin::{Ask, Order};
use super::{Runner, wrong_answer};
use crate::error::{Error, LimitInfo, Result};
use crate::id::Owner;
use crate::limits::{Limit, LimitKeys, Most, check, reserve, reserved, settle};
use crate::memory::{Answer, Counter, CounterId, Done, Memory, Op, Query, Reserved, Settle, Unit, limits as counters};
use crate::message::Usage;
use crate::prices::Prices;
use crate::prompt::content_tokens;

/// How many tokens an answer is taken for beforehand, where neither the send nor the persona has a `max_tokens`.
pub(super) const ANSWER: u64 = 4_096;
/// The name and the unit of the limit on turns that run at once.
const RUNNING: &str = "running";

/// What an engine allows, and what models cost.
#[derive(Clone, Debug, Default)]
pub(crate) struct Policy {
    pub(crate) prices: Prices,
    pub(crate) limits: Vec<Limit>,
    pub(crate) max_running: Option<u32>,
}

/// By what it is counted that somebody has a model do.
#[derive(Clone, Debug, Default)]
pub(crate) struct Counted {
    /// `None`: the engine's.
    pub(crate) limits: Option<Vec<Limit>>,
    pub(crate) keys: LimitKeys,
}

/// What a turn must find and reserves.
#[derive(Clone, Debug, Default)]
pub(super) struct Gate {
    pub(super) reserve: Vec<Counter>,
    pub(super) max_running: Option<u32>,
}

/// By what a running turn is settled once it has ended.
#[derive(Debug)]
pub(super) struct Account {
    pub(super) model: String,
    pub(super) reserved: Vec<Reserved>,
}

impl Account {
    /// What the turn cost, if the model's price is known, and what becomes of its reservation.
    pub(super) fn settle(&self, prices: &Prices, usage: &Usage) -> (Option<u64>, Vec<Settle>) {
        let cost = prices.cost(&self.model, usage);
        (cost, settle(&self.reserved, usage, cost))
    }
}

impl Runner {
    /// What this send must find below its limits.
    pub(super) fn gate(&self, ask: &Ask, model: &str) -> Result<Gate> {
        let limits = ask.options.limits.as_deref().unwrap_or(&self.policy.limits);
        check(limits)?;
        let most = match limits.iter().all(|limit| limit.unit == Unit::Turns) {
            true => Most::default(),
            false => self.most(ask, model)?,
        };
        let reserve = reserve(limits, &ask.owner, &ask.options.limit_keys, most)?;
        Ok(Gate { reserve, max_running: ask.options.max_running.or(self.policy.max_running) })
    }

    /// What a turn may use at most, as far as that is known before the session is: all that its window holds, what the
    /// persona puts around it, and the longest answer.
    fn most(&self, ask: &Ask, model: &str) -> Result<Most> {
        let (options, counter) = (&ask.options, self.counter.as_ref());
        let persona = options.persona.as_deref().unwrap_or(&self.persona);
        let said = ask.content.as_ref().map_or(0, |content| content_tokens(content, counter));
        let examples = persona.examples.iter().flat_map(|example| [&example.user, &example.assistant]);
        let around = examples.chain(&persona.greeting).map(|text| content_tokens(&text.as_str().into(), counter));
        let system = content_tokens(&persona.render(&options.vars)?.into(), counter);
        let input_tokens = around.chain([system, self.window.tokens.max(said)]).fold(0, u64::saturating_add);
        let params = options.params.clone().over(&persona.params);
        let usage =
            Usage { input_tokens, output_tokens: params.max_tokens.map_or(ANSWER, u64::from), ..Usage::default() };
        let tokens = usage.input_tokens.saturating_add(usage.output_tokens);
        Ok(Most { tokens, cost: self.policy.prices.cost(model, &usage) })
    }

    /// Reserves what a job may use at most that somebody asked for: it counts as a turn.
    pub(super) async fn reserve(
        &self,
        owner: &Owner,
        counted: &Counted,
        model: &str,
        most: &Usage,
    ) -> Result<Vec<Reserved>> {
        let limits = counted.limits.as_deref().unwrap_or(&self.policy.limits);
        check(limits)?;
        let tokens = most.input_tokens.saturating_add(most.output_tokens);
        let most = Most { tokens, cost: self.policy.prices.cost(model, most) };
        let counters = reserve(limits, owner, &counted.keys, most)?;
        if counters.is_empty() {
            return Ok(Vec::new());
        }
        let at = match self.apply(owner, vec![Op::Reserve { counters: counters.clone() }]).await?.first() {
            Some(Done::Count(ms)) => i64::try_from(*ms).map_err(|_| wrong_answer())?,
            _ => return Err(wrong_answer()),
        };
        Ok(reserved(counters, at))
    }

    /// Refuses a send that could not begin even if the running turn were stopped for it: turns are not given back.
    pub(super) async fn may_begin(&self, order: &Order) -> Result<()> {
        let turns: Vec<_> = order.gate.reserve.iter().filter(|counter| counter.unit == Unit::Turns).collect();
        let used = self.counters(&order.ask.owner, turns.iter().map(|counter| id(counter)).collect()).await?;
        match turns.iter().zip(used).find(|(counter, used)| *used >= counter.limit) {
            Some((counter, _)) => Err(order.gate.refused(Some(&counter.name), None)),
            None => Ok(()),
        }
    }

    /// How far counters have come.
    pub(crate) async fn counters(&self, owner: &Owner, ids: Vec<CounterId>) -> Result<Vec<u64>> {
        if ids.is_empty() {
            return Ok(Vec::new());
        }
        match self.memory.query(owner, Query::Counters(ids)).await? {
            Answer::Counters(values) => Ok(values),
            _ => Err(wrong_answer()),
        }
    }
}

impl Gate {
    /// The error for the limit of this name; without one as many turns run as may.
    pub(super) fn refused(&self, name: Option<&str>, retry_after: Option<Duration>) -> Error {
        match self.reserve.iter().find(|counter| name == Some(&counter.name)) {
            Some(counter) => counter.refused(retry_after),
            None => {
                let (name, max) = (name.unwrap_or(RUNNING).to_owned(), self.max_running.map_or(0, u64::from));
                counters::refused(LimitInfo { name, unit: RUNNING.to_owned(), max }, retry_after)
            }
        }
    }
}

fn id(counter: &Counter) -> CounterId {
    CounterId { name: counter.name.clone(), key: counter.key.clone(), window: counter.window }
}

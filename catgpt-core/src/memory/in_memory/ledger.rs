//! The ledger: what was used, by day, owner, session, model and purpose.

use std::collections::BTreeMap;

use super::state::{DAY, REMEMBERED, millis};
use crate::id::{Owner, SessionId};
use crate::memory::{GroupBy, Purpose, Spent};
use crate::message::Usage;

/// The ledgers of all owners. There is a maximum of lines: where there are too many, those of the oldest day go.
#[derive(Debug, Default)]
pub(super) struct Ledger(BTreeMap<Line, Sum>);

/// What one line stands for.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Line {
    /// When the day began. The first field, so that the oldest lines stand first.
    day_ms: i64,
    owner: Owner,
    session: SessionId,
    model: String,
    purpose: Purpose,
}

/// What was used.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Sum {
    calls: u64,
    usage: Usage,
    cost: u64,
}

/// Which part of a ledger.
#[derive(Debug)]
pub(super) struct Span {
    pub(super) from_ms: Option<i64>,
    pub(super) to_ms: Option<i64>,
    pub(super) session: Option<SessionId>,
}

impl Line {
    pub(super) fn new(now_ms: i64, owner: &Owner, session: &SessionId, model: String, purpose: Purpose) -> Self {
        Self { day_ms: day(now_ms), owner: owner.clone(), session: session.clone(), model, purpose }
    }
}

impl Sum {
    /// One call.
    pub(super) fn once(usage: Usage, cost: u64) -> Self {
        Self { calls: 1, usage, cost }
    }

    fn add(&mut self, other: Self) {
        let (sum, more) = (&mut self.usage, other.usage);
        sum.input_tokens = sum.input_tokens.saturating_add(more.input_tokens);
        sum.output_tokens = sum.output_tokens.saturating_add(more.output_tokens);
        sum.cached_tokens = sum.cached_tokens.saturating_add(more.cached_tokens);
        sum.reasoning_tokens = sum.reasoning_tokens.saturating_add(more.reasoning_tokens);
        sum.estimated |= more.estimated;
        self.calls = self.calls.saturating_add(other.calls);
        self.cost = self.cost.saturating_add(other.cost);
    }
}

impl Ledger {
    pub(super) fn add(&mut self, line: Line, sum: Sum) {
        self.0.entry(line).or_default().add(sum);
        if self.0.len() > REMEMBERED {
            self.0.pop_first();
        }
    }

    /// Adds one owner's lines to those of another.
    pub(super) fn give(&mut self, from: &Owner, to: &Owner) {
        for (line, sum) in self.take(from) {
            self.add(Line { owner: to.clone(), ..line }, sum);
        }
    }

    /// Takes out an owner's lines.
    pub(super) fn take(&mut self, owner: &Owner) -> Vec<(Line, Sum)> {
        let lines: Vec<_> = self.0.keys().filter(|line| line.owner == *owner).cloned().collect();
        lines.into_iter().filter_map(|line| self.0.remove_entry(&line)).collect()
    }

    /// Sums of an owner's lines, in the order of what tells them apart.
    pub(super) fn sums(&self, owner: &Owner, span: &Span, by: &[GroupBy]) -> Vec<Spent> {
        let (from, to) = (span.from_ms.map(day), span.to_ms.map(day));
        let asked = |line: &Line| {
            line.owner == *owner
                && from.is_none_or(|from| line.day_ms >= from)
                && to.is_none_or(|to| line.day_ms < to)
                && span.session.as_ref().is_none_or(|session| line.session == *session)
        };
        let mut groups = BTreeMap::<Vec<Value>, (Spent, Sum)>::new();
        if by.is_empty() {
            groups.insert(Vec::new(), Default::default());
        }
        for (line, sum) in self.0.iter().filter(|(line, _)| asked(line)) {
            let key = by.iter().map(|by| Value::of(*by, line)).collect();
            groups.entry(key).or_insert_with(|| (group(by, line), Sum::default())).1.add(*sum);
        }
        let spent = |(spent, Sum { calls, usage, cost }): (Spent, Sum)| Spent { calls, usage, cost, ..spent };
        groups.into_values().map(spent).collect()
    }
}

/// What a group is ordered by.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Value {
    Number(i64),
    Text(String),
}

impl Value {
    fn of(by: GroupBy, line: &Line) -> Self {
        match by {
            GroupBy::Day => Self::Number(line.day_ms),
            GroupBy::Session => Self::Text(line.session.to_string()),
            GroupBy::Model => Self::Text(line.model.clone()),
            GroupBy::Purpose => Self::Number(line.purpose.code().into()),
        }
    }
}

/// The group of a line, without sums.
fn group(by: &[GroupBy], line: &Line) -> Spent {
    let has = |group| by.contains(&group);
    Spent {
        day_ms: has(GroupBy::Day).then_some(line.day_ms),
        session: has(GroupBy::Session).then(|| line.session.clone()),
        model: has(GroupBy::Model).then(|| line.model.clone()),
        purpose: has(GroupBy::Purpose).then_some(line.purpose),
        ..Spent::default()
    }
}

/// When the day of this time began.
fn day(ms: i64) -> i64 {
    ms.saturating_sub(ms.rem_euclid(millis(DAY)))
}

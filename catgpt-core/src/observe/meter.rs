//! An engine's numbers: counted as things happen, read as plain data.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde::Serialize;

use super::instrument::{Kind, Of};
use crate::error::ErrorKind;

/// How many models are told apart by name.
const MODELS: usize = 32;
/// OpenTelemetry's name for what has none of its own.
const OTHER: &str = "_OTHER";

/// What tells the numbers of one metric apart.
pub(crate) type Labels = Vec<(&'static str, Cow<'static, str>)>;

/// A metric with its numbers. Its JSON describes itself, so that an exporter is one loop and knows no name.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Metric {
    /// Its name: `catgpt.turns`.
    pub name: &'static str,
    /// What its numbers are.
    pub kind: Kind,
    /// Their unit, as UCUM writes it: `s`, `{turn}`.
    pub unit: &'static str,
    /// What it says.
    pub help: &'static str,
    /// Its numbers, one for each set of labels that was seen.
    pub points: Vec<Point>,
}

/// The number of one set of labels.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Point {
    /// What tells it from the others: `status` → `complete`.
    pub labels: BTreeMap<&'static str, String>,
    /// The number.
    #[serde(flatten)]
    pub value: Value,
}

/// A number, or many.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(untagged)]
pub enum Value {
    /// A counter's or a gauge's.
    Number {
        /// It.
        value: i64,
    },
    /// A histogram's.
    Histogram {
        /// How many there were.
        count: u64,
        /// What they are together.
        sum: f64,
        /// Upper bounds, and how many were not above each.
        buckets: Vec<(f64, u64)>,
    },
}

/// Counts.
#[derive(Default)]
pub(crate) struct Meter(Mutex<Inner>);

#[derive(Default)]
struct Inner {
    values: BTreeMap<(Of, Labels), Value>,
    models: BTreeSet<String>,
}

impl Meter {
    /// All at nothing.
    pub(crate) fn new() -> Arc<Self> {
        #[cfg(feature = "metrics")]
        facade::describe();
        let plain = Of::ALL.into_iter().filter(|of| of.instrument().plain);
        let values = plain.map(|of| ((of, Labels::new()), zero(of))).collect();
        Arc::new(Self(Mutex::new(Inner { values, ..Inner::default() })))
    }

    /// So many more of a counter; a gauge may also go down.
    pub(crate) fn add(&self, of: Of, labels: Labels, by: i64) {
        #[cfg(feature = "metrics")]
        facade::add(of, &labels, by);
        if let Value::Number { value } = self.inner().values.entry((of, labels)).or_insert_with(|| zero(of)) {
            *value += by;
        }
    }

    /// One more of a histogram.
    pub(crate) fn observe(&self, of: Of, labels: Labels, seen: f64) {
        #[cfg(feature = "metrics")]
        facade::observe(of, &labels, seen);
        if let Value::Histogram { count, sum, buckets } =
            self.inner().values.entry((of, labels)).or_insert_with(|| zero(of))
        {
            *count += 1;
            *sum += seen;
            buckets.iter_mut().filter(|(bound, _)| seen <= *bound).for_each(|(_, count)| *count += 1);
        }
    }

    pub(crate) fn count(&self, of: Of) {
        self.add(of, Labels::new(), 1);
    }

    pub(crate) fn time(&self, of: Of, took: Duration) {
        self.observe(of, Labels::new(), took.as_secs_f64());
    }

    /// A call that failed. Answers are no failures: not found, busy, a conflict.
    pub(crate) fn failed(&self, of: Of, kind: ErrorKind) {
        if matches!(
            kind,
            ErrorKind::Store
                | ErrorKind::StoreFull
                | ErrorKind::Timeout
                | ErrorKind::Unavailable
                | ErrorKind::Unexpected
        ) {
            self.add(of, vec![("error.type", kind.as_str().into())], 1);
        }
    }

    /// A model's name as a label: the first ones that are seen keep it.
    pub(crate) fn model(&self, name: &str) -> Cow<'static, str> {
        let mut inner = self.inner();
        if inner.models.contains(name) {
            return name.to_owned().into();
        }
        if inner.models.len() == MODELS {
            return OTHER.into();
        }
        inner.models.insert(name.to_owned());
        name.to_owned().into()
    }

    /// All that was counted.
    pub(crate) fn read(&self) -> Vec<Metric> {
        let inner = self.inner();
        let metric = |of: Of| {
            let instrument = of.instrument();
            let own = inner.values.range((of, Labels::new())..).take_while(|((other, _), _)| *other == of);
            let points = own.map(|((_, labels), value)| Point {
                labels: labels.iter().map(|(name, value)| (*name, value.clone().into_owned())).collect(),
                value: value.clone(),
            });
            Metric {
                name: instrument.name,
                kind: instrument.kind,
                unit: instrument.unit,
                help: instrument.help,
                points: points.collect(),
            }
        };
        Of::ALL.into_iter().map(metric).collect()
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Meter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Meter").finish_non_exhaustive()
    }
}

fn zero(of: Of) -> Value {
    let instrument = of.instrument();
    match instrument.kind {
        Kind::Histogram => {
            let buckets = instrument.bounds.iter().map(|bound| (*bound, 0)).collect();
            Value::Histogram { count: 0, sum: 0.0, buckets }
        }
        Kind::Counter | Kind::Gauge => Value::Number { value: 0 },
    }
}

/// A subscription that is held.
pub(crate) struct Attached(Arc<Meter>);

impl Attached {
    pub(crate) fn new(meter: &Arc<Meter>) -> Self {
        meter.add(Of::Attachments, Labels::new(), 1);
        Self(Arc::clone(meter))
    }
}

impl Drop for Attached {
    fn drop(&mut self) {
        self.0.add(Of::Attachments, Labels::new(), -1);
    }
}

/// The same numbers, as they come, for the recorder that the program installed. Without one it does nothing.
#[cfg(feature = "metrics")]
mod facade {
    use metrics::{Label, Unit, counter, describe_counter, describe_gauge, describe_histogram, gauge, histogram};

    use super::{Kind, Labels, Of};

    pub(super) fn describe() {
        for instrument in Of::ALL.map(Of::instrument) {
            let unit = if instrument.unit == "s" { Unit::Seconds } else { Unit::Count };
            match instrument.kind {
                Kind::Counter => describe_counter!(instrument.name, unit, instrument.help),
                Kind::Gauge => describe_gauge!(instrument.name, unit, instrument.help),
                Kind::Histogram => describe_histogram!(instrument.name, unit, instrument.help),
            }
        }
    }

    #[allow(clippy::cast_precision_loss, reason = "a gauge here goes up and down by one")]
    pub(super) fn add(of: Of, labels: &Labels, by: i64) {
        let instrument = of.instrument();
        match (instrument.kind, u64::try_from(by)) {
            (Kind::Counter, Ok(by)) => counter!(instrument.name, own(labels)).increment(by),
            _ => gauge!(instrument.name, own(labels)).increment(by as f64),
        }
    }

    pub(super) fn observe(of: Of, labels: &Labels, seen: f64) {
        histogram!(of.instrument().name, own(labels)).record(seen);
    }

    fn own(labels: &Labels) -> Vec<Label> {
        labels.iter().map(|(name, value)| Label::new(*name, value.clone())).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn points(meter: &Meter, name: &str) -> Vec<Point> {
        meter.read().into_iter().find(|metric| metric.name == name).unwrap().points
    }

    #[test]
    fn what_has_no_label_is_there_from_the_beginning() {
        let meter = Meter::new();
        assert_eq!(points(&meter, "catgpt.turns.running")[0].value, Value::Number { value: 0 });
        assert_eq!(points(&meter, "catgpt.turns"), []);
    }

    #[test]
    fn a_histogram_counts_up_to_each_bound() {
        let meter = Meter::new();
        [0.0, 0.3, 99.0].into_iter().for_each(|seen| meter.observe(Of::CheckpointLag, Labels::new(), seen));
        let Value::Histogram { count, sum, buckets } = points(&meter, "catgpt.checkpoint.lag")[0].value.clone() else {
            panic!("not a histogram")
        };
        assert_eq!((count, sum), (3, 99.3));
        assert_eq!((buckets[0].1, buckets[5], buckets[6]), (1, (0.25, 1), (0.5, 2)));
        assert_eq!(buckets.last(), Some(&(30.0, 2)));
    }

    #[test]
    fn a_subscription_is_counted_while_it_is_held() {
        let meter = Meter::new();
        let held = [Attached::new(&meter), Attached::new(&meter)];
        assert_eq!(points(&meter, "catgpt.attachments")[0].value, Value::Number { value: 2 });
        drop(held);
        assert_eq!(points(&meter, "catgpt.attachments")[0].value, Value::Number { value: 0 });
    }

    #[test]
    fn any_number_of_models_are_few_labels() {
        let meter = Meter::new();
        let labels: BTreeSet<_> = (0..1000).map(|n| meter.model(&format!("model-{n}"))).collect();
        assert_eq!(labels.len(), MODELS + 1);
        assert_eq!((meter.model("model-0"), meter.model("new")), ("model-0".into(), OTHER.into()));
    }

    #[test]
    fn answers_are_no_failures() {
        let meter = Meter::new();
        ErrorKind::ALL.into_iter().for_each(|kind| meter.failed(Of::StoreErrors, kind));
        let seen: Vec<_> =
            points(&meter, "catgpt.store.errors").iter().map(|p| p.labels["error.type"].clone()).collect();
        assert_eq!(seen, ["store", "store_full", "timeout", "unavailable", "unexpected"]);
    }
}

//! What is measured: each name with its kind, its unit and what it says.

use serde::Serialize;

/// What a metric's numbers are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// How often something happened since the engine was made.
    Counter,
    /// How many there are now.
    Gauge,
    /// How things are distributed: how many there were up to each bound.
    Histogram,
}

/// A metric.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Of {
    Duration,
    FirstChunk,
    Tokens,
    Turns,
    Running,
    Retries,
    QueueWait,
    CheckpointLag,
    Attachments,
    Attaches,
    StoreErrors,
    LiveErrors,
    LeasesLost,
    Buried,
}

/// What stands in front of a metric's numbers.
pub(crate) struct Instrument {
    pub(crate) name: &'static str,
    pub(crate) kind: Kind,
    pub(crate) unit: &'static str,
    pub(crate) help: &'static str,
    /// The upper bounds of a histogram's buckets.
    pub(crate) bounds: &'static [f64],
    /// Whether its numbers bear no label, and so are there from the beginning.
    pub(crate) plain: bool,
}

/// As OpenTelemetry has them for the durations of model calls.
const SECONDS: &[f64] = &[0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.28, 2.56, 5.12, 10.24, 20.48, 40.96, 81.92];
/// A store answers sooner than a model.
const SHORT: &[f64] = &[0.000_25, 0.001, 0.004, 0.016, 0.064, 0.25, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0];
/// As OpenTelemetry has them for tokens.
const TOKENS: &[f64] = &[
    1.0,
    4.0,
    16.0,
    64.0,
    256.0,
    1_024.0,
    4_096.0,
    16_384.0,
    65_536.0,
    262_144.0,
    1_048_576.0,
    4_194_304.0,
    16_777_216.0,
    67_108_864.0,
];

impl Of {
    pub(crate) const ALL: [Of; 14] = [
        Self::Duration,
        Self::FirstChunk,
        Self::Tokens,
        Self::Turns,
        Self::Running,
        Self::Retries,
        Self::QueueWait,
        Self::CheckpointLag,
        Self::Attachments,
        Self::Attaches,
        Self::StoreErrors,
        Self::LiveErrors,
        Self::LeasesLost,
        Self::Buried,
    ];

    #[rustfmt::skip]
    pub(crate) fn instrument(self) -> Instrument {
        match self {
            Self::Duration => labelled(histogram("gen_ai.client.operation.duration", "s", SECONDS, "How long model calls took.")),
            Self::FirstChunk => labelled(histogram("gen_ai.client.operation.time_to_first_chunk", "s", SECONDS, "How long model calls took to say their first word.")),
            Self::Tokens => labelled(histogram("gen_ai.client.token.usage", "{token}", TOKENS, "Tokens that model calls used, as the provider counts them.")),
            Self::Turns => labelled(counter("catgpt.turns", "{turn}", "Turns that ended here.")),
            Self::Running => gauge("catgpt.turns.running", "{turn}", "Turns that run here."),
            Self::Retries => labelled(counter("catgpt.retries", "{retry}", "Model calls that failed before anything was shown and are made again.")),
            Self::QueueWait => histogram("catgpt.queue.wait", "s", SHORT, "How long sends waited for their session and their commit."),
            Self::CheckpointLag => histogram("catgpt.checkpoint.lag", "s", SHORT, "How long after it was cut a checkpoint was in the store."),
            Self::Attachments => gauge("catgpt.attachments", "{subscription}", "Replies that are held, by whoever sent or attached."),
            Self::Attaches => counter("catgpt.attaches", "{subscription}", "Replies that were attached to."),
            Self::StoreErrors => labelled(counter("catgpt.store.errors", "{error}", "Calls that the store failed.")),
            Self::LiveErrors => labelled(counter("catgpt.live.errors", "{error}", "Calls that the live log failed.")),
            Self::LeasesLost => counter("catgpt.leases.lost", "{turn}", "Turns that ran here and were ended by somebody else."),
            Self::Buried => counter("catgpt.buried", "{turn}", "Turns that nobody drove and that were ended here."),
        }
    }
}

fn histogram(name: &'static str, unit: &'static str, bounds: &'static [f64], help: &'static str) -> Instrument {
    Instrument { name, kind: Kind::Histogram, unit, help, bounds, plain: true }
}

fn counter(name: &'static str, unit: &'static str, help: &'static str) -> Instrument {
    Instrument { name, kind: Kind::Counter, unit, help, bounds: &[], plain: true }
}

fn gauge(name: &'static str, unit: &'static str, help: &'static str) -> Instrument {
    Instrument { kind: Kind::Gauge, ..counter(name, unit, help) }
}

fn labelled(instrument: Instrument) -> Instrument {
    Instrument { plain: false, ..instrument }
}

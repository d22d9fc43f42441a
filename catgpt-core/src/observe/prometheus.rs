//! Metrics as Prometheus reads them: its text format, version 0.0.4.

use std::fmt::Write;

use super::instrument::Kind;
use super::meter::{Metric, Point, Value};

/// The text that a `/metrics` answers with, as `text/plain; version=0.0.4`. Names are as OpenTelemetry translates them:
/// `catgpt.queue.wait` in seconds is `catgpt_queue_wait_seconds`, a counter ends with `_total`.
pub fn prometheus(metrics: &[Metric]) -> String {
    let mut text = String::new();
    for metric in metrics {
        let name = name(metric);
        let kind = match metric.kind {
            Kind::Counter => "counter",
            Kind::Gauge => "gauge",
            Kind::Histogram => "histogram",
        };
        let _ = writeln!(text, "# HELP {name} {}\n# TYPE {name} {kind}", metric.help);
        metric.points.iter().for_each(|point| write_point(&mut text, &name, point));
    }
    text
}

fn name(metric: &Metric) -> String {
    let seconds = if metric.unit == "s" { "_seconds" } else { "" };
    let total = if metric.kind == Kind::Counter { "_total" } else { "" };
    format!("{}{seconds}{total}", plain(metric.name))
}

fn plain(name: &str) -> String {
    name.replace('.', "_")
}

fn write_point(text: &mut String, name: &str, point: &Point) {
    let labels: Vec<_> =
        point.labels.iter().map(|(name, value)| format!("{}=\"{}\"", plain(name), escaped(value))).collect();
    let braced = |more: Option<String>| {
        let all: Vec<_> = labels.iter().cloned().chain(more).collect();
        if all.is_empty() { String::new() } else { format!("{{{}}}", all.join(",")) }
    };
    let bare = braced(None);
    let _ = match &point.value {
        Value::Number { value } => writeln!(text, "{name}{bare} {value}"),
        Value::Histogram { count, sum, buckets } => {
            for (bound, count) in buckets {
                let _ = writeln!(text, "{name}_bucket{} {count}", braced(Some(format!("le=\"{bound}\""))));
            }
            let all = braced(Some("le=\"+Inf\"".to_owned()));
            writeln!(text, "{name}_bucket{all} {count}\n{name}_sum{bare} {sum}\n{name}_count{bare} {count}")
        }
    };
}

fn escaped(value: &str) -> String {
    value.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::observe::{Meter, Of};

    #[test]
    fn it_is_the_text_that_prometheus_reads() {
        let meter = Meter::new();
        meter.add(Of::Turns, vec![("status", "complete".into())], 2);
        meter.observe(Of::Tokens, vec![("gen_ai.request.model", "a \"b\"\\\n".into())], 5.0);
        let text = prometheus(&meter.read());
        for line in [
            "# TYPE catgpt_turns_total counter",
            "catgpt_turns_total{status=\"complete\"} 2",
            "# TYPE catgpt_turns_running gauge",
            "catgpt_turns_running 0",
            "# TYPE catgpt_queue_wait_seconds histogram",
            "catgpt_queue_wait_seconds_bucket{le=\"+Inf\"} 0",
            "gen_ai_client_token_usage_bucket{gen_ai_request_model=\"a \\\"b\\\"\\\\\\n\",le=\"4\"} 0",
            "gen_ai_client_token_usage_bucket{gen_ai_request_model=\"a \\\"b\\\"\\\\\\n\",le=\"16\"} 1",
            "gen_ai_client_token_usage_sum{gen_ai_request_model=\"a \\\"b\\\"\\\\\\n\"} 5",
        ] {
            assert!(text.lines().any(|other| other == line), "{line} is not in\n{text}");
        }
    }
}

//! Hears everything that `tracing` and `metrics` are told, and shows it as a tree.

use std::fmt::{self, Debug, Write};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use metrics::{Counter, CounterFn, Gauge, GaugeFn, Histogram, HistogramFn, Key, KeyName, Metadata, SharedString, Unit};
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Subscriber};
use tracing_core::span::Current;

/// One span or event.
#[derive(Clone, Debug, Default)]
pub(crate) struct Told {
    pub(crate) id: u64,
    pub(crate) parent: Option<u64>,
    pub(crate) follows: Option<u64>,
    /// `INFO catgpt.turn`; of an event also its text.
    pub(crate) what: String,
    pub(crate) fields: Vec<(String, String)>,
    metadata: Option<&'static tracing::Metadata<'static>>,
}

#[derive(Clone, Default)]
pub(crate) struct Capture(Arc<Inner>);

#[derive(Default)]
struct Inner {
    told: Mutex<Vec<Told>>,
    next: AtomicU64,
    stack: Mutex<Vec<u64>>,
    measured: Mutex<Vec<String>>,
}

struct Fields<'a>(&'a mut Told);

impl Visit for Fields<'_> {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        self.0.fields.push((field.name().to_owned(), format!("{value:?}")));
    }
    fn record_f64(&mut self, field: &Field, _: f64) {
        self.0.fields.push((field.name().to_owned(), "[seconds]".to_owned()));
    }
    fn record_str(&mut self, field: &Field, value: &str) {
        self.0.fields.push((field.name().to_owned(), value.to_owned()));
    }
}

impl Capture {
    /// Of our own crate; what others tell is not ours.
    pub(crate) fn told(&self) -> Vec<Told> {
        self.0.told.lock().unwrap().clone()
    }

    /// Whether an event of this level says this.
    pub(crate) fn heard(&self, what: &str) -> bool {
        self.told().iter().any(|told| told.what == what)
    }

    /// What the facade was told: one line each time.
    pub(crate) fn measured(&self) -> Vec<String> {
        self.0.measured.lock().unwrap().clone()
    }

    /// Every string that was heard.
    pub(crate) fn everything(&self) -> String {
        format!("{:?}{:?}", self.told(), self.measured())
    }

    /// Spans and events, each below what it belongs to.
    pub(crate) fn tree(&self) -> String {
        let (told, mut text) = (self.told(), String::new());
        for root in told.iter().filter(|one| one.parent.is_none()) {
            branch(&told, root, 0, &mut text);
        }
        text
    }

    fn tell(&self, mut told: Told, record: impl FnOnce(&mut Fields<'_>)) -> u64 {
        told.id = self.0.next.fetch_add(1, Ordering::Relaxed) + 1;
        record(&mut Fields(&mut told));
        let id = told.id;
        self.0.told.lock().unwrap().push(told);
        id
    }

    fn with(&self, id: &Id, change: impl FnOnce(&mut Told)) {
        self.0.told.lock().unwrap().iter_mut().filter(|told| told.id == id.into_u64()).for_each(change_once(change));
    }

    fn above(&self, root: bool, explicit: Option<&Id>) -> Option<u64> {
        let current = || self.0.stack.lock().unwrap().last().copied();
        explicit.map(Id::into_u64).or_else(|| if root { None } else { current() })
    }
}

fn change_once(change: impl FnOnce(&mut Told)) -> impl FnMut(&mut Told) {
    let mut change = Some(change);
    move |told| {
        if let Some(change) = change.take() {
            change(told);
        }
    }
}

fn branch(all: &[Told], one: &Told, depth: usize, text: &mut String) {
    let indent = "  ".repeat(depth);
    let _ = writeln!(text, "{indent}{}", one.what);
    if let Some(follows) = one.follows.and_then(|id| all.iter().find(|other| other.id == id)) {
        let _ = writeln!(text, "{indent}  follows from: {}", follows.what);
    }
    for (name, value) in &one.fields {
        let value = if uuid::Uuid::parse_str(value).is_ok() { "[turn]" } else { value };
        let _ = writeln!(text, "{indent}  {name} = {value}");
    }
    all.iter().filter(|other| other.parent == Some(one.id)).for_each(|below| branch(all, below, depth + 1, text));
}

impl Subscriber for Capture {
    fn enabled(&self, metadata: &tracing::Metadata<'_>) -> bool {
        metadata.target().starts_with("catgpt") || metadata.target().starts_with("observe")
    }
    fn new_span(&self, span: &Attributes<'_>) -> Id {
        let metadata = span.metadata();
        let parent = self.above(span.is_root(), span.parent());
        let what = format!("{} {}", metadata.level(), metadata.name());
        let told = Told { parent, what, metadata: Some(metadata), ..Told::default() };
        Id::from_u64(self.tell(told, |fields| span.record(fields)))
    }
    fn record(&self, span: &Id, values: &Record<'_>) {
        self.with(span, |told| values.record(&mut Fields(told)));
    }
    fn record_follows_from(&self, span: &Id, follows: &Id) {
        self.with(span, |told| told.follows = Some(follows.into_u64()));
    }
    fn event(&self, event: &Event<'_>) {
        let metadata = event.metadata();
        let parent = self.above(event.is_root(), event.parent());
        let mut told = Told { parent, ..Told::default() };
        event.record(&mut Fields(&mut told));
        let text = told.fields.iter().position(|(name, _)| name == "message").map(|at| told.fields.remove(at).1);
        told.what = format!("{} {}", metadata.level(), text.unwrap_or_default());
        self.tell(told, |_| ());
    }
    fn current_span(&self) -> Current {
        let current = self.0.stack.lock().unwrap().last().copied();
        let span = self.told().into_iter().find(|told| current == Some(told.id));
        match span.and_then(|span| Some((span.id, span.metadata?))) {
            Some((id, metadata)) => Current::new(Id::from_u64(id), metadata),
            None => Current::none(),
        }
    }
    fn enter(&self, span: &Id) {
        self.0.stack.lock().unwrap().push(span.into_u64());
    }
    fn exit(&self, _: &Id) {
        self.0.stack.lock().unwrap().pop();
    }
}

/// One number of the facade.
struct One(Capture, String);

impl One {
    fn tell(&self, what: fmt::Arguments<'_>) {
        self.0.0.measured.lock().unwrap().push(format!("{} {what}", self.1));
    }
}

impl CounterFn for One {
    fn increment(&self, value: u64) {
        self.tell(format_args!("+{value}"));
    }
    fn absolute(&self, value: u64) {
        self.tell(format_args!("={value}"));
    }
}

impl GaugeFn for One {
    fn increment(&self, value: f64) {
        self.tell(format_args!("+{value}"));
    }
    fn decrement(&self, value: f64) {
        self.tell(format_args!("-{value}"));
    }
    fn set(&self, value: f64) {
        self.tell(format_args!("={value}"));
    }
}

impl HistogramFn for One {
    fn record(&self, _: f64) {
        self.tell(format_args!("one"));
    }
}

impl Capture {
    fn one(&self, key: &Key) -> Arc<One> {
        let labels: Vec<_> = key.labels().map(|label| format!("{}={}", label.key(), label.value())).collect();
        Arc::new(One(self.clone(), format!("{}{labels:?}", key.name())))
    }
}

impl metrics::Recorder for Capture {
    fn describe_counter(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}
    fn describe_gauge(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}
    fn describe_histogram(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}
    fn register_counter(&self, key: &Key, _: &Metadata<'_>) -> Counter {
        Counter::from_arc(self.one(key))
    }
    fn register_gauge(&self, key: &Key, _: &Metadata<'_>) -> Gauge {
        Gauge::from_arc(self.one(key))
    }
    fn register_histogram(&self, key: &Key, _: &Metadata<'_>) -> Histogram {
        Histogram::from_arc(self.one(key))
    }
}

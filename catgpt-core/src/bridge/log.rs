//! The core's log, for hosts that have a log of their own: records come to a [`Hub`] like any other news.
//!
//! Until the first [`listen`] nothing is set up and nothing costs. A program in Rust that has set a `tracing` subscriber
//! of its own keeps it, and then nothing comes here.

use std::cell::RefCell;
use std::fmt::{Debug, Display};
use std::sync::{Arc, Once, PoisonError, RwLock, RwLockWriteGuard, Weak};

use serde::Serialize;
use serde_json::{Map, Value};
use tracing::field::{Field, Visit};
use tracing::metadata::LevelFilter;
use tracing::span::{Attributes, Id};
use tracing::subscriber::Interest;
use tracing::{Event, Metadata, Subscriber};

use super::hub::{Hub, Notice};

/// One line of the log.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct LogRecord {
    /// `error`, `warn`, `info` or `debug`.
    pub level: &'static str,
    /// Which part of the core speaks: `catgpt_core::runner`.
    pub target: &'static str,
    /// The sentence.
    pub message: String,
    /// The facts beside it: `turn`, `status`, `error.type`.
    pub fields: Map<String, Value>,
}

/// From where on a host wants to hear.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
#[allow(missing_docs, reason = "each is the level of its name")]
pub enum LogLevel {
    Error,
    Warn,
    Info,
    Debug,
}

struct Listener {
    hub: Weak<Hub>,
    level: LevelFilter,
}

static LISTENERS: RwLock<Vec<Listener>> = RwLock::new(Vec::new());

thread_local! {
    /// Held while this thread forks, so that no other thread holds it in the copy, where that thread does not exist.
    static FORKING: RefCell<Option<RwLockWriteGuard<'static, Vec<Listener>>>> = const { RefCell::new(None) };
}

/// Hands records of this level and above to `hub`, as [`Notice::Log`], instead of those that it was handed before;
/// `None` ends it. What a hub cannot take, since too much waits there already, is lost.
pub fn listen(hub: &Arc<Hub>, level: Option<LogLevel>) {
    static SUBSCRIBER: Once = Once::new();
    SUBSCRIBER.call_once(|| _ = tracing::subscriber::set_global_default(Listening));
    let mut listeners = LISTENERS.write().unwrap_or_else(PoisonError::into_inner);
    listeners.retain(|other| other.hub.strong_count() > 0 && !std::ptr::eq(other.hub.as_ptr(), Arc::as_ptr(hub)));
    listeners.extend(level.map(|level| Listener { hub: Arc::downgrade(hub), level: level.filter() }));
    drop(listeners);
    // Whether a line is made at all is remembered where it stands.
    tracing::callsite::rebuild_interest_cache();
}

pub(super) fn before_fork() {
    FORKING.set(Some(LISTENERS.write().unwrap_or_else(PoisonError::into_inner)));
}

pub(super) fn after_fork() {
    FORKING.set(None);
}

/// The parent's hubs are not heard from here.
pub(super) fn forked() {
    FORKING.with_borrow_mut(|held| held.take().into_iter().for_each(|mut listeners| listeners.clear()));
}

impl LogLevel {
    fn filter(self) -> LevelFilter {
        match self {
            Self::Error => LevelFilter::ERROR,
            Self::Warn => LevelFilter::WARN,
            Self::Info => LevelFilter::INFO,
            Self::Debug => LevelFilter::DEBUG,
        }
    }
}

fn most() -> LevelFilter {
    let listeners = LISTENERS.read().unwrap_or_else(PoisonError::into_inner);
    listeners.iter().map(|listener| listener.level).max().unwrap_or(LevelFilter::OFF)
}

/// Takes our own events, and neither spans nor what other crates say.
struct Listening;

impl Subscriber for Listening {
    fn register_callsite(&self, metadata: &'static Metadata<'static>) -> Interest {
        if self.enabled(metadata) { Interest::always() } else { Interest::never() }
    }
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.is_event() && metadata.target().starts_with("catgpt") && *metadata.level() <= most()
    }
    fn max_level_hint(&self) -> Option<LevelFilter> {
        Some(most())
    }
    fn event(&self, event: &Event<'_>) {
        let level = *event.metadata().level();
        let listeners = LISTENERS.read().unwrap_or_else(PoisonError::into_inner);
        let hubs = listeners.iter().filter(|listener| level <= listener.level);
        let hubs: Vec<_> = hubs.filter_map(|listener| listener.hub.upgrade()).collect();
        drop(listeners);
        for hub in hubs {
            hub.tell(Notice::Log(Box::new(record(event))));
        }
    }
    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }
    fn record(&self, _: &Id, _: &tracing::span::Record<'_>) {}
    fn record_follows_from(&self, _: &Id, _: &Id) {}
    fn enter(&self, _: &Id) {}
    fn exit(&self, _: &Id) {}
}

fn record(event: &Event<'_>) -> LogRecord {
    let (mut facts, metadata) = (Facts::default(), event.metadata());
    event.record(&mut facts);
    let level = match *metadata.level() {
        tracing::Level::ERROR => "error",
        tracing::Level::WARN => "warn",
        tracing::Level::INFO => "info",
        _ => "debug",
    };
    LogRecord { level, target: metadata.target(), message: facts.message, fields: facts.fields }
}

#[derive(Default)]
struct Facts {
    message: String,
    fields: Map<String, Value>,
}

impl Facts {
    fn put(&mut self, field: &Field, value: impl Into<Value>) {
        self.fields.insert(field.name().to_owned(), value.into());
    }
}

impl Visit for Facts {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        match field.name() {
            "message" => self.message = format!("{value:?}"),
            _ => self.put(field, format!("{value:?}")),
        }
    }
    fn record_error(&mut self, field: &Field, value: &(dyn std::error::Error + 'static)) {
        let shown: &dyn Display = &value;
        self.put(field, shown.to_string());
    }
    fn record_str(&mut self, field: &Field, value: &str) {
        self.put(field, value);
    }
    fn record_f64(&mut self, field: &Field, value: f64) {
        self.put(field, value);
    }
    fn record_i64(&mut self, field: &Field, value: i64) {
        self.put(field, value);
    }
    fn record_u64(&mut self, field: &Field, value: u64) {
        self.put(field, value);
    }
    fn record_bool(&mut self, field: &Field, value: bool) {
        self.put(field, value);
    }
}

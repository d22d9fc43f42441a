//! The core's log as a host hears it. One test in a process of its own, since a process has one log.

#![allow(clippy::unwrap_used, reason = "tests")]

use std::sync::Arc;

use catgpt_core::bridge::{Bridge, Hub, LogLevel, LogRecord, Notice, after_fork, before_fork, forked, listen};

fn heard(hub: &Hub) -> Vec<LogRecord> {
    let logs = hub.drain().into_iter().map(|notice| match notice {
        Notice::Log(record) => *record,
        other => panic!("{other:?}"),
    });
    logs.collect()
}

fn speak() {
    tracing::warn!(target: "catgpt_test", turn = 7, "error.type" = "store", "a warning");
    tracing::debug!(target: "catgpt_test", "a detail");
    tracing::warn!(target: "hyper", "somebody else's");
    tracing::warn_span!(target: "catgpt_test", "a span").in_scope(|| ());
}

#[test]
fn a_host_hears_what_it_asked_for_and_no_more() {
    let (one, two) = (Hub::new(|| ()), Hub::new(|| ()));
    speak();
    assert!(one.drain().is_empty());
    listen(&one, Some(LogLevel::Warn));
    listen(&two, Some(LogLevel::Debug));
    speak();
    let lines = heard(&one);
    assert_eq!(lines.iter().map(|line| (line.level, &*line.message)).collect::<Vec<_>>(), [("warn", "a warning")]);
    assert_eq!(serde_json::to_string(&lines[0].fields).unwrap(), r#"{"error.type":"store","turn":7}"#);
    assert_eq!(heard(&two).len(), 2);
    listen(&two, None);
    listen(&one, Some(LogLevel::Debug));
    speak();
    assert_eq!((heard(&one).len(), heard(&two).len()), (2, 0));
    // A parent goes on hearing after a fork; its child hears nothing.
    before_fork();
    after_fork();
    speak();
    assert_eq!(heard(&one).len(), 2);
    before_fork();
    forked();
    speak();
    assert!(one.drain().is_empty());
    // A hub that nobody drains holds so much and no more.
    listen(&one, Some(LogLevel::Warn));
    (0..10_000).for_each(|_| speak());
    assert!((100..10_000).contains(&one.drain().len()));
    a_turn_is_one_line(&one);
}

fn a_turn_is_one_line(hub: &Arc<Hub>) {
    listen(hub, Some(LogLevel::Debug));
    let bridge = Arc::new(Bridge::new(r#"{"model":"offline"}"#, &[], None).unwrap());
    let (calls, parked) = Hub::parked();
    let send = r#"{"do":"send","owner":null,"session":"s","content":"Hello"}"#;
    for call in [send, r#"{"do":"close"}"#] {
        bridge.call(&calls, call).unwrap();
        assert!(parked.wait(std::time::Duration::from_secs(10)));
        assert_eq!(calls.drain().len(), 1);
    }
    let lines = heard(hub);
    assert_eq!(lines.len(), 1, "{lines:?}");
    assert_eq!((lines[0].level, &*lines[0].message), ("debug", "a turn ended"));
    assert_eq!((&lines[0].fields["status"], &lines[0].fields["session"]), (&"complete".into(), &"s".into()));
    listen(hub, None);
}

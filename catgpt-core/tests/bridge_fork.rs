//! What the bridge does around a fork. Alone in its file, because it speaks for the whole process.

#![allow(clippy::unwrap_used, reason = "tests")]

#[cfg(all(feature = "sqlite", target_os = "linux"))]
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use catgpt_core::ErrorKind;
use catgpt_core::bridge::{Answer, Bridge, Hub, Notice, Parked, Polled, Subscription, after_fork, before_fork, forked};

/// A process forks once at a time.
static ALONE: Mutex<()> = Mutex::new(());

fn begin(bridge: &Arc<Bridge>) -> (Arc<Hub>, Parked) {
    let (hub, parked) = Hub::parked();
    bridge
        .call(&hub, r#"{"do":"send","owner":"alice","session":"chat","content":"Hi","options":{"busy":"queue"}}"#)
        .unwrap();
    (hub, parked)
}

fn end((hub, parked): (Arc<Hub>, Parked)) -> Box<Subscription> {
    assert!(parked.wait(Duration::from_secs(10)), "the send never ended");
    match hub.drain().pop() {
        Some(Notice::Done { outcome: Ok(Answer::Reply(reply)), .. }) => reply,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_forked_child_is_told_about_what_it_inherited_and_begins_anew() {
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    let bridge = Arc::new(Bridge::new(r#"{"model":"offline"}"#, &[], None).unwrap());
    let reply = end(begin(&bridge));
    forked();
    let error = reply.poll().unwrap_err();
    assert_eq!((error.kind(), error.turn()), (ErrorKind::Closed, Some(reply.turn())));
    assert_ne!(end(begin(&bridge)).poll().unwrap(), Polled::Over);
}

/// How many descriptors of this process are files of the store.
#[cfg(all(feature = "sqlite", target_os = "linux"))]
fn descriptors(store: &Path) -> usize {
    let open = std::fs::read_dir("/proc/self/fd").unwrap().flatten();
    let names = open.filter_map(|entry| std::fs::read_link(entry.path()).ok());
    names.filter(|name| name.to_string_lossy().starts_with(&*store.to_string_lossy())).count()
}

#[cfg(all(feature = "sqlite", target_os = "linux"))]
#[test]
fn a_fork_finds_no_file_open_and_the_parent_goes_on() {
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    let folder = tempfile::tempdir().unwrap();
    let store = folder.path().join("chat.db");
    let config = serde_json::json!({ "model": "offline", "memory": format!("sqlite:{}", store.display()) });
    let bridge = Arc::new(Bridge::new(&config.to_string(), &[], None).unwrap());
    end(begin(&bridge));
    assert_ne!(descriptors(&store), 0);
    before_fork();
    assert_eq!(descriptors(&store), 0);
    let meanwhile = begin(&bridge);
    after_fork();
    end(meanwhile);
}

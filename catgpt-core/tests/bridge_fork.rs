//! What the bridge does after a fork. Alone in its file, because it tells the whole process that it is a child.

#![allow(clippy::unwrap_used, reason = "tests")]

use std::sync::Arc;
use std::time::Duration;

use catgpt_core::ErrorKind;
use catgpt_core::bridge::{Answer, Bridge, Hub, Notice, Polled, Subscription, forked};

fn send(bridge: &Arc<Bridge>) -> Box<Subscription> {
    let (hub, parked) = Hub::parked();
    bridge.call(&hub, r#"{"do":"send","owner":"alice","session":"chat","text":"Hi"}"#).unwrap();
    assert!(parked.wait(Duration::from_secs(10)), "the send never ended");
    match hub.drain().pop() {
        Some(Notice::Done { outcome: Ok(Answer::Reply(reply)), .. }) => reply,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_forked_child_is_told_about_what_it_inherited_and_begins_anew() {
    let bridge = Arc::new(Bridge::new(r#"{"model":"offline"}"#, None, None).unwrap());
    let reply = send(&bridge);
    forked();
    let error = reply.poll().unwrap_err();
    assert_eq!((error.kind(), error.turn()), (ErrorKind::Closed, Some(reply.turn())));
    assert_ne!(send(&bridge).poll().unwrap(), Polled::Over);
}

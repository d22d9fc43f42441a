//! A turn ends once, in one known state, and that is what everybody reads.

use super::kit::{end, fails, id, piece, say, user};
use super::{Checked, Store};
use crate::error::ErrorKind::{InvalidInput, NotFound};
use crate::id::TurnId;
use crate::memory::{Finish, MAX_BODY, Sealed};
use crate::message::{Status, Usage};

pub(super) async fn it_ends_the_turn_and_frees_the_session(store: &dyn Store) -> Checked {
    let ann = user(store);
    let (turn, opened) = ann.run(say("s", "hi")).await;
    assert_eq!(ann.turns().await, [(id("s"), turn)]);
    assert_eq!(ann.finish(end(turn, "hello")).await.unwrap(), Sealed::Now);
    let view = ann.branch("s", None).await;
    assert_eq!((view.session.running, view.session.head, view.session.expired), (None, Some(2), false));
    assert!(view.session.version > opened.session.version);
    assert_eq!((view.rows[1].status, view.rows[1].body.as_slice()), (Status::Complete, b"hello".as_slice()));
    assert_eq!(view.rows[1].model.as_deref(), Some("tabby"));
    assert_eq!(ann.turns().await, []);
    ann.start(say("s", "more")).await;
    Ok(())
}

pub(super) async fn every_final_status_comes_back(store: &dyn Store) -> Checked {
    let ann = user(store);
    let usage =
        Usage { input_tokens: 40, output_tokens: 2, cached_tokens: 32, reasoning_tokens: 1, ..Usage::default() };
    let cases = [
        (Status::Complete, "all of it", Some(usage)),
        (Status::Cancelled, "some of it", Some(Usage { estimated: true, ..usage })),
        (Status::Interrupted, "a", None),
        (Status::Failed, "", None),
        (Status::Paused, "may I?", Some(Usage::default())),
    ];
    for (status, text, usage) in cases {
        let (turn, opened) = ann.run(say("s", "hi")).await;
        ann.finish(Finish { status, usage, ..end(turn, text) }).await.unwrap();
        let row = ann.tail(turn, 0).await.unwrap().rows.remove(0);
        assert_eq!((row.seq, row.status, row.usage), (opened.reply_seq, status, usage));
        assert_eq!(row.body, text.as_bytes());
    }
    Ok(())
}

pub(super) async fn a_retried_finish_is_one(store: &dyn Store) -> Checked {
    let ann = user(store);
    let (turn, _) = ann.run(say("s", "hi")).await;
    ann.finish(end(turn, "hello")).await.unwrap();
    let before = ann.everything().await;
    let stored = ann.tail(turn, 0).await.unwrap().rows.remove(0);
    for finish in [end(turn, "hello"), end(turn, "other"), Finish { if_expired: true, ..end(turn, "") }] {
        assert_eq!(ann.finish(finish).await.unwrap(), Sealed::Before(Box::new(stored.clone())));
    }
    assert_eq!(ann.everything().await, before);
    // Also when the session has gone on.
    ann.start(say("s", "more")).await;
    assert_eq!(ann.finish(end(turn, "hello")).await.unwrap(), Sealed::Before(Box::new(stored)));
    Ok(())
}

pub(super) async fn running_is_not_an_end(store: &dyn Store) -> Checked {
    let ann = user(store);
    let (turn, _) = ann.run(say("s", "hi")).await;
    let before = ann.everything().await;
    fails(ann.finish(Finish { status: Status::Running, ..end(turn, "hello") }).await, InvalidInput);
    assert_eq!(ann.everything().await, before);
    Ok(())
}

pub(super) async fn an_unknown_turn_is_not_found(store: &dyn Store) -> Checked {
    let ann = user(store);
    ann.talk("s", "hi").await;
    fails(ann.finish(end(TurnId::fresh(), "hello")).await, NotFound);
    Ok(())
}

pub(super) async fn an_end_that_is_too_large_leaves_the_turn_running(store: &dyn Store) -> Checked {
    let ann = user(store);
    let (turn, _) = ann.run(say("s", "hi")).await;
    ann.keep(piece(turn, 0, "Hel")).await.unwrap();
    let before = ann.everything().await;
    fails(ann.finish(Finish { body: vec![b'x'; MAX_BODY + 1], ..end(turn, "") }).await, InvalidInput);
    assert_eq!(ann.everything().await, before);
    assert_eq!(ann.finish(end(turn, "Hel")).await.unwrap(), Sealed::Now);
    Ok(())
}

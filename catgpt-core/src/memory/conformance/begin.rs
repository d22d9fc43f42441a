//! `begin_turn` is the gate: what starts, what is told to wait, what is a repetition.

use super::kit::{LONG, SHORT, bury, end, fails, id, opened, piece, say, user};
use super::{Checked, Store};
use crate::error::ErrorKind::{Conflict, InvalidInput};
use crate::id::TurnId;
use crate::memory::{Begin, Begun, Checkpoint, Finish, MAX_BODY, Op, Pin, Sealed};
use crate::message::{Role, Status};

fn keyed(key: &str, hash: u8, begin: Begin) -> Begin {
    Begin { key: Some((key.into(), [hash; 32])), ..begin }
}

pub(super) async fn the_first_send_makes_the_session(store: &dyn Store) -> Checked {
    let ann = user(store);
    let (turn, first) = ann.run(say("s", "hi")).await;
    assert!(first.created);
    assert_eq!((first.user_seq, first.reply_seq), (Some(1), 2));
    assert_eq!((first.session.id.as_str(), first.session.head, first.session.messages), ("s", Some(2), 2));
    assert_eq!(first.session.running, Some(turn));
    assert_eq!(ann.session("s").await.unwrap(), first.session);
    ann.finish(end(turn, "hello")).await.unwrap();
    let second = ann.start(say("s", "more")).await;
    assert!(!second.created);
    assert_eq!((second.user_seq, second.reply_seq), (Some(3), 4));
    assert_eq!(second.window.iter().map(|row| row.seq).collect::<Vec<_>>(), [1, 2, 3]);
    Ok(())
}

pub(super) async fn the_rows_say_what_was_asked(store: &dyn Store) -> Checked {
    let ann = user(store);
    let (turn, opened) = ann.run(say("s", "hi")).await;
    let rows = ann.branch("s", None).await.rows;
    let [asked, reply] = &rows[..] else { panic!("two rows, not {rows:?}") };
    assert_eq!(opened.window, std::slice::from_ref(asked));
    assert_eq!((asked.seq, asked.parent, asked.role, asked.status), (1, None, Role::User, Status::Complete));
    assert_eq!((asked.turn, asked.body.as_slice(), asked.usage), (Some(turn), b"hi".as_slice(), None));
    assert_eq!((reply.seq, reply.parent, reply.role, reply.status), (2, Some(1), Role::Assistant, Status::Running));
    assert_eq!((reply.turn, reply.body.as_slice(), reply.usage), (Some(turn), b"".as_slice(), None));
    assert_eq!(reply.model.as_deref(), Some("tabby"));
    assert!(asked.created_ms > 1_600_000_000_000 && reply.created_ms >= asked.created_ms);
    Ok(())
}

pub(super) async fn a_retried_begin_is_one(store: &dyn Store) -> Checked {
    let ann = user(store);
    ann.talk("s", "before").await;
    for begin in [say("s", "hi"), keyed("k", 1, say("new", "hi"))] {
        let first = ann.start(begin.clone()).await;
        let before = ann.everything().await;
        assert_eq!(ann.start(begin.clone()).await, first);
        assert_eq!(ann.start(begin).await, first);
        assert_eq!(ann.everything().await, before);
    }
    Ok(())
}

pub(super) async fn a_retried_begin_takes_its_lease_again(store: &dyn Store) -> Checked {
    let ann = user(store);
    let begin = Begin { lease: SHORT, ..say("s", "hi") };
    ann.start(begin.clone()).await;
    ann.outlive(begin.turn).await;
    assert!(!ann.start(Begin { lease: LONG, ..begin.clone() }).await.session.expired);
    assert!(!ann.tail(begin.turn, 0).await.unwrap().session.expired);
    assert!(matches!(ann.begin(say("s", "me too")).await.unwrap(), Begun::Busy { turn, .. } if turn == begin.turn));
    Ok(())
}

pub(super) async fn the_begin_of_a_turn_that_ended_is_a_replay(store: &dyn Store) -> Checked {
    let ann = user(store);
    let begin = say("s", "hi");
    ann.whole(begin.clone()).await;
    let before = ann.everything().await;
    assert_eq!(ann.begin(begin.clone()).await.unwrap(), Begun::Replay { turn: begin.turn });
    assert_eq!(ann.everything().await, before);
    ann.talk("s", "and then").await;
    assert_eq!(ann.begin(begin.clone()).await.unwrap(), Begun::Replay { turn: begin.turn });
    Ok(())
}

pub(super) async fn a_turn_id_stays_in_its_session(store: &dyn Store) -> Checked {
    let ann = user(store);
    let (turn, _) = ann.run(say("s", "hi")).await;
    let before = ann.everything().await;
    fails(ann.begin(Begin { turn, ..say("other", "hi") }).await, Conflict);
    assert_eq!(ann.everything().await, before);
    Ok(())
}

pub(super) async fn a_key_replays_its_turn_running_or_not(store: &dyn Store) -> Checked {
    let ann = user(store);
    let (turn, _) = ann.run(keyed("k", 1, say("s", "hi"))).await;
    let before = ann.everything().await;
    assert_eq!(ann.begin(keyed("k", 1, say("s", "hi"))).await.unwrap(), Begun::Replay { turn });
    assert_eq!(ann.everything().await, before);
    ann.finish(end(turn, "hello")).await.unwrap();
    ann.talk("s", "more").await;
    let before = ann.everything().await;
    assert_eq!(ann.begin(keyed("k", 1, say("s", "hi"))).await.unwrap(), Begun::Replay { turn });
    assert_eq!(ann.everything().await, before);
    Ok(())
}

pub(super) async fn a_key_used_for_something_else_is_a_conflict(store: &dyn Store) -> Checked {
    let ann = user(store);
    ann.whole(keyed("k", 1, say("s", "hi"))).await;
    let before = ann.everything().await;
    fails(ann.begin(keyed("k", 2, say("s", "other"))).await, Conflict);
    assert_eq!(ann.everything().await, before);
    Ok(())
}

pub(super) async fn a_key_belongs_to_its_session(store: &dyn Store) -> Checked {
    let ann = user(store);
    ann.whole(keyed("k", 1, say("s", "hi"))).await;
    assert!(ann.whole(keyed("k", 2, say("t", "hi"))).await.created);
    Ok(())
}

pub(super) async fn a_begin_that_did_not_start_keeps_no_key(store: &dyn Store) -> Checked {
    let ann = user(store);
    let (running, _) = ann.run(say("s", "hi")).await;
    assert!(matches!(ann.begin(keyed("k", 1, say("s", "wait"))).await.unwrap(), Begun::Busy { .. }));
    ann.finish(end(running, "hello")).await.unwrap();
    ann.start(keyed("k", 2, say("s", "other"))).await;
    Ok(())
}

pub(super) async fn a_wrong_version_is_a_conflict(store: &dyn Store) -> Checked {
    let ann = user(store);
    fails(ann.begin(Begin { if_version: Some(7), ..say("none", "hi") }).await, Conflict);
    assert_eq!(ann.sessions().await, []);
    ann.talk("s", "hi").await;
    let version = ann.session("s").await.unwrap().version;
    ann.apply(vec![Op::SetTitle { session: id("s"), title: None, over: None }]).await.unwrap();
    let before = ann.everything().await;
    fails(ann.begin(Begin { if_version: Some(version), ..say("s", "more") }).await, Conflict);
    assert_eq!(ann.everything().await, before);
    let version = ann.session("s").await.unwrap().version;
    ann.start(Begin { if_version: Some(version), ..say("s", "more") }).await;
    Ok(())
}

pub(super) async fn a_second_turn_is_busy_and_writes_nothing(store: &dyn Store) -> Checked {
    let ann = user(store);
    let (running, _) = ann.run(say("s", "hi")).await;
    let before = ann.everything().await;
    match ann.begin(say("s", "me too")).await.unwrap() {
        Begun::Busy { turn, lease_left } => {
            assert_eq!(turn, running);
            assert!(!lease_left.is_zero() && lease_left <= LONG);
        }
        other => panic!("expected Busy, got {other:?}"),
    }
    assert_eq!(ann.everything().await, before);
    assert!(ann.start(say("elsewhere", "hi")).await.created);
    Ok(())
}

pub(super) async fn an_outlived_turn_is_stale_and_nothing_is_written(store: &dyn Store) -> Checked {
    let ann = user(store);
    let (dead, _) = ann.run(Begin { lease: SHORT, ..say("s", "hi") }).await;
    ann.keep(Checkpoint { lease: SHORT, ..piece(dead, 0, "He") }).await.unwrap();
    ann.outlive(dead).await;
    let before = ann.everything().await;
    let next = keyed("k", 1, say("s", "still there?"));
    assert_eq!(ann.begin(next.clone()).await.unwrap(), Begun::Stale { turn: dead });
    assert_eq!(ann.everything().await, before);
    assert_eq!(ann.finish(bury(dead, "He")).await.unwrap(), Sealed::Now);
    ann.start(next).await;
    Ok(())
}

pub(super) async fn it_decides_by_turn_then_key_then_version_then_lease(store: &dyn Store) -> Checked {
    let ann = user(store);
    let begin = keyed("k", 1, say("s", "hi"));
    let first = ann.start(begin.clone()).await;
    let wrong = Some(first.session.version + 9);
    // Its own turn comes before a key with another hash and a version that is wrong.
    let again = Begin { if_version: wrong, ..keyed("k", 2, begin.clone()) };
    assert_eq!(opened(ann.begin(again).await).reply_seq, first.reply_seq);
    // The key comes before the version and the lease.
    let other = Begin { turn: TurnId::fresh(), if_version: wrong, ..begin.clone() };
    assert_eq!(ann.begin(other.clone()).await.unwrap(), Begun::Replay { turn: begin.turn });
    fails(ann.begin(keyed("k", 2, other)).await, Conflict);
    // The version comes before the lease.
    fails(ann.begin(Begin { if_version: wrong, ..say("s", "me") }).await, Conflict);
    let right = Begin { if_version: Some(first.session.version), ..say("s", "me") };
    assert!(matches!(ann.begin(right).await.unwrap(), Begun::Busy { .. }));
    Ok(())
}

pub(super) async fn a_title_is_for_the_session_that_is_made(store: &dyn Store) -> Checked {
    let ann = user(store);
    let titled = |title: &str| Begin { title: Some(title.into()), ..say("s", "hi") };
    for title in ["first", "second"] {
        assert_eq!(ann.whole(titled(title)).await.session.title.as_deref(), Some(b"first".as_slice()));
        assert_eq!(ann.session("s").await.unwrap().title.as_deref(), Some(b"first".as_slice()));
    }
    Ok(())
}

pub(super) async fn a_persona_stays_until_it_is_replaced(store: &dyn Store) -> Checked {
    let ann = user(store);
    let pinned = |name: &str, replace| Begin { pin: Pin { body: name.into(), replace }, ..say("s", "hi") };
    for (begin, stays) in [
        (pinned("cat", false), "cat"),
        (pinned("dog", false), "cat"),
        (pinned("dog", true), "dog"),
        (pinned("owl", false), "dog"),
    ] {
        assert_eq!(ann.whole(begin).await.session.pin.as_deref(), Some(stays.as_bytes()));
        assert_eq!(ann.session("s").await.unwrap().pin.as_deref(), Some(stays.as_bytes()));
    }
    // A session that was made without one takes the first.
    ann.apply(vec![Op::create(id("bare"))]).await.unwrap();
    assert_eq!(ann.start(say("bare", "hi")).await.session.pin.as_deref(), Some(b"persona".as_slice()));
    Ok(())
}

pub(super) async fn bytes_come_back_as_they_went(store: &dyn Store) -> Checked {
    let ann = user(store);
    let bytes: Vec<u8> = (0..=255).collect();
    let pin = Pin { body: bytes.clone(), replace: false };
    let begin = Begin { message: Some(bytes.clone()), pin, model: "m\u{1f431}'\"".into(), ..say("s", "") };
    ann.start(begin.clone()).await;
    ann.apply(vec![Op::SetTitle { session: id("s"), title: Some(bytes.clone()), over: None }]).await.unwrap();
    ann.keep(Checkpoint { to: 256, body: bytes.clone(), ..piece(begin.turn, 0, "") }).await.unwrap();
    let view = ann.branch("s", None).await;
    assert_eq!((view.session.title, view.session.pin), (Some(bytes.clone()), Some(bytes.clone())));
    assert_eq!((&view.rows[0].body, &view.chunks[0].body), (&bytes, &bytes));
    assert_eq!(view.rows[1].model, Some(begin.model));
    ann.finish(Finish { body: bytes.clone(), ..end(begin.turn, "") }).await.unwrap();
    assert_eq!(ann.tail(begin.turn, 0).await.unwrap().rows[0].body, bytes);
    // An empty message is a message.
    let empty = ann.whole(say("s", "")).await;
    assert_eq!(empty.window.last().map(|row| (row.seq, row.body.len())), Some((3, 0)));
    Ok(())
}

pub(super) async fn what_is_too_large_is_refused(store: &dyn Store) -> Checked {
    let ann = user(store);
    let large = vec![b'x'; MAX_BODY + 1];
    fails(ann.begin(Begin { message: Some(large.clone()), ..say("s", "") }).await, InvalidInput);
    fails(ann.begin(Begin { pin: Pin { body: large, replace: false }, ..say("s", "hi") }).await, InvalidInput);
    assert_eq!(ann.sessions().await, []);
    let most = vec![b'x'; MAX_BODY];
    let opened = ann.start(Begin { message: Some(most.clone()), ..say("s", "") }).await;
    assert!(opened.window[0].body == most, "the largest message comes back whole");
    Ok(())
}

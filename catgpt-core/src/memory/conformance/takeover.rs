//! The dead are buried once, by whoever comes; the living are not.

use super::kit::{LONG, SHORT, User, bury, end, fails, id, piece, say, until, user};
use super::{Checked, Store};
use crate::error::ErrorKind::NotFound;
use crate::id::TurnId;
use crate::memory::{Begin, Begun, Checkpoint, Kept, Sealed};
use crate::message::Status;

/// A turn with a piece of text whose writer is gone.
async fn dead(user: &User, session: &str) -> TurnId {
    let (turn, _) = user.run(Begin { lease: SHORT, ..say(session, "hi") }).await;
    user.keep(Checkpoint { lease: SHORT, ..piece(turn, 0, "Hel") }).await.unwrap();
    user.outlive(turn).await;
    turn
}

pub(super) async fn who_waits_too_long_is_buried(store: &dyn Store) -> Checked {
    let ann = user(store);
    let turn = dead(&ann, "s").await;
    let view = ann.tail(turn, 0).await.unwrap();
    assert_eq!((view.rows[0].status, view.session.running, view.session.expired), (Status::Running, Some(turn), true));
    assert_eq!(view.chunks[0].body, b"Hel");
    assert!(ann.branch("s", None).await.session.expired && ann.tree("s").await.session.expired);
    assert_eq!(ann.finish(bury(turn, "Hel")).await.unwrap(), Sealed::Now);
    let view = ann.branch("s", None).await;
    assert_eq!((view.session.expired, view.session.running, view.chunks.len()), (false, None, 0));
    assert_eq!((view.rows[1].status, view.rows[1].body.as_slice()), (Status::Interrupted, b"Hel".as_slice()));
    ann.start(say("s", "still there?")).await;
    Ok(())
}

pub(super) async fn every_reader_is_told_at_once(store: &dyn Store) -> Checked {
    let ann = user(store);
    let (alive, _) = ann.run(say("alive", "hi")).await;
    let turn = dead(&ann, "s").await;
    assert!(ann.session("s").await.unwrap().expired && !ann.session("alive").await.unwrap().expired);
    let listed: Vec<_> = ann.sessions().await.into_iter().map(|row| (row.running, row.expired)).collect();
    assert_eq!(listed, [(Some(turn), true), (Some(alive), false)]);
    assert_eq!(ann.turns().await, [(id("alive"), alive)]);
    // A sign of life is told at once too.
    ann.keep(piece(turn, 3, "lo")).await.unwrap();
    assert!(!ann.session("s").await.unwrap().expired && !ann.tail(turn, 0).await.unwrap().session.expired);
    assert_eq!(ann.turns().await, [(id("alive"), alive), (id("s"), turn)]);
    Ok(())
}

pub(super) async fn a_live_turn_is_not_buried(store: &dyn Store) -> Checked {
    let ann = user(store);
    let (turn, _) = ann.run(say("s", "hi")).await;
    ann.keep(piece(turn, 0, "Hel")).await.unwrap();
    let before = ann.everything().await;
    match ann.finish(bury(turn, "Hel")).await.unwrap() {
        Sealed::Alive { lease_left } => assert!(!lease_left.is_zero() && lease_left <= LONG),
        other => panic!("expected Alive, got {other:?}"),
    }
    assert_eq!(ann.everything().await, before);
    assert_eq!(ann.finish(end(turn, "Hello")).await.unwrap(), Sealed::Now);
    Ok(())
}

pub(super) async fn a_checkpoint_brings_a_turn_back(store: &dyn Store) -> Checked {
    let ann = user(store);
    let turn = dead(&ann, "s").await;
    assert_eq!(ann.keep(piece(turn, 3, "lo")).await.unwrap(), Kept::Renewed { cancel: false });
    assert!(matches!(ann.finish(bury(turn, "Hel")).await.unwrap(), Sealed::Alive { .. }));
    assert!(matches!(ann.begin(say("s", "me")).await.unwrap(), Begun::Busy { .. }));
    assert_eq!(ann.finish(end(turn, "Hello")).await.unwrap(), Sealed::Now);
    Ok(())
}

pub(super) async fn the_late_writer_gets_what_is_stored(store: &dyn Store) -> Checked {
    let ann = user(store);
    let turn = dead(&ann, "s").await;
    assert_eq!(ann.finish(bury(turn, "Hel")).await.unwrap(), Sealed::Now);
    let (next, _) = ann.run(say("s", "more")).await;
    let before = ann.everything().await;
    assert_eq!(ann.keep(piece(turn, 3, "lo")).await.unwrap(), Kept::Refused);
    match ann.finish(end(turn, "Hello, all of it")).await.unwrap() {
        Sealed::Before(row) => {
            assert_eq!(
                (row.status, row.turn, row.body.as_slice()),
                (Status::Interrupted, Some(turn), b"Hel".as_slice())
            );
        }
        other => panic!("expected Before, got {other:?}"),
    }
    assert_eq!(ann.everything().await, before);
    assert_eq!(ann.session("s").await.unwrap().running, Some(next));
    fails(ann.finish(end(TurnId::fresh(), "never begun")).await, NotFound);
    Ok(())
}

pub(super) async fn sweep_names_the_dead_of_every_owner(store: &dyn Store) -> Checked {
    let memory = store.memory();
    let (ann, bob) = (User::of(&memory, "ann"), User::of(&memory, "bob"));
    let (hers, his) = (dead(&ann, "s").await, dead(&bob, "s").await);
    ann.start(say("alive", "hi")).await;
    ann.talk("ended", "hi").await;
    let before = ann.everything().await;
    let swept = memory.sweep(100).await.unwrap();
    let mut found = swept.expired;
    found.sort();
    assert_eq!(found, [(ann.owner.clone(), hers), (bob.owner.clone(), his)]);
    assert!(!swept.more);
    // Sweeping names them; burying is the core's.
    assert_eq!(ann.everything().await, before);
    let part = memory.sweep(1).await.unwrap();
    assert!(part.expired.len() == 1 && part.more);
    until("both are buried", || async {
        for (owner, turn) in memory.sweep(1).await.unwrap().expired {
            memory.finish_turn(&owner, bury(turn, "Hel")).await.unwrap();
        }
        memory.sweep(100).await.unwrap().expired.is_empty()
    })
    .await;
    assert_eq!(ann.tail(hers, 0).await.unwrap().rows[0].status, Status::Interrupted);
    Ok(())
}

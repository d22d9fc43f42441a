//! A running reply is kept piece by piece, and every piece says that its writer lives.

use super::kit::{LONG, SHORT, end, fails, piece, say, user};
use super::{Checked, Store};
use crate::error::ErrorKind::{Conflict, InvalidInput};
use crate::id::TurnId;
use crate::memory::{Checkpoint, Chunk, Kept, MAX_BODY, Op};
use crate::message::Status;

const RENEWED: Kept = Kept::Renewed { cancel: false };

fn chunk(from: u64, text: &str) -> Chunk {
    Chunk { from, to: from + text.len() as u64, body: text.into() }
}

pub(super) async fn pieces_are_kept_until_the_end(store: &dyn Store) -> Checked {
    let ann = user(store);
    let (turn, _) = ann.run(say("s", "hi")).await;
    for (from, text, sync) in [(0, "Hel", false), (3, "lo, ", true), (7, "Ann", false)] {
        assert_eq!(ann.keep(Checkpoint { sync, ..piece(turn, from, text) }).await.unwrap(), RENEWED);
    }
    let view = ann.tail(turn, 0).await.unwrap();
    assert_eq!(view.chunks, [chunk(0, "Hel"), chunk(3, "lo, "), chunk(7, "Ann")]);
    assert_eq!((view.rows[0].status, view.rows[0].body.as_slice()), (Status::Running, b"".as_slice()));
    ann.finish(end(turn, "Hello, Ann")).await.unwrap();
    let view = ann.tail(turn, 0).await.unwrap();
    assert_eq!(view.chunks, []);
    assert_eq!(view.rows[0].body, b"Hello, Ann");
    Ok(())
}

pub(super) async fn a_retried_piece_is_one(store: &dyn Store) -> Checked {
    let ann = user(store);
    let (turn, _) = ann.run(say("s", "hi")).await;
    for _ in 0..3 {
        assert_eq!(ann.keep(piece(turn, 0, "Hel")).await.unwrap(), RENEWED);
    }
    ann.keep(piece(turn, 3, "lo")).await.unwrap();
    for (from, text) in [(0, "Hel"), (3, "lo")] {
        assert_eq!(ann.keep(piece(turn, from, text)).await.unwrap(), RENEWED);
    }
    assert_eq!(ann.tail(turn, 0).await.unwrap().chunks, [chunk(0, "Hel"), chunk(3, "lo")]);
    Ok(())
}

pub(super) async fn a_gap_is_a_conflict(store: &dyn Store) -> Checked {
    let ann = user(store);
    let (turn, _) = ann.run(say("s", "hi")).await;
    fails(ann.keep(piece(turn, 1, "el")).await, Conflict);
    ann.keep(piece(turn, 0, "Hel")).await.unwrap();
    // Behind the end, and across it.
    for from in [4, 100, 2] {
        let error = ann.keep(piece(turn, from, "lo, Ann")).await.unwrap_err();
        assert_eq!((error.kind(), error.context("stored")), (Conflict, Some("3")), "{error:?}");
    }
    assert_eq!(ann.tail(turn, 0).await.unwrap().chunks, [chunk(0, "Hel")]);
    assert_eq!(ann.keep(piece(turn, 3, "lo")).await.unwrap(), RENEWED);
    Ok(())
}

pub(super) async fn a_malformed_piece_is_refused(store: &dyn Store) -> Checked {
    let ann = user(store);
    let (turn, _) = ann.run(say("s", "hi")).await;
    let good = piece(turn, 0, "Hel");
    let bad = [
        Checkpoint { to: 0, ..good.clone() },
        Checkpoint { body: Vec::new(), ..good.clone() },
        Checkpoint { from: 3, to: 2, ..good.clone() },
        Checkpoint { body: vec![b'x'; MAX_BODY + 1], ..good.clone() },
    ];
    for piece in bad {
        fails(ann.keep(piece).await, InvalidInput);
    }
    assert_eq!(ann.tail(turn, 0).await.unwrap().chunks, []);
    Ok(())
}

pub(super) async fn an_empty_piece_renews_the_lease_only(store: &dyn Store) -> Checked {
    let ann = user(store);
    let (turn, _) = ann.run(say("s", "hi")).await;
    ann.keep(piece(turn, 0, "Hel")).await.unwrap();
    let before = ann.everything().await;
    assert_eq!(ann.keep(Checkpoint { lease: SHORT, ..piece(turn, 3, "") }).await.unwrap(), RENEWED);
    ann.outlive(turn).await;
    assert_eq!(ann.keep(Checkpoint { lease: LONG, ..piece(turn, 3, "") }).await.unwrap(), RENEWED);
    assert!(!ann.tail(turn, 0).await.unwrap().session.expired);
    assert_eq!(ann.everything().await, before);
    Ok(())
}

pub(super) async fn it_hears_of_a_cancel(store: &dyn Store) -> Checked {
    let ann = user(store);
    let (turn, _) = ann.run(say("s", "hi")).await;
    assert_eq!(ann.keep(piece(turn, 0, "Hel")).await.unwrap(), RENEWED);
    ann.apply(vec![Op::Cancel { turn }]).await.unwrap();
    for from in [3, 3, 5] {
        assert_eq!(ann.keep(piece(turn, from, "lo")).await.unwrap(), Kept::Renewed { cancel: true });
    }
    ann.finish(end(turn, "Hello")).await.unwrap();
    // The wish ends with its turn.
    let (next, _) = ann.run(say("s", "again")).await;
    assert_eq!(ann.keep(piece(next, 0, "Hi")).await.unwrap(), RENEWED);
    Ok(())
}

pub(super) async fn it_is_refused_after_the_end(store: &dyn Store) -> Checked {
    let ann = user(store);
    let (turn, _) = ann.run(say("s", "hi")).await;
    ann.keep(piece(turn, 0, "Hel")).await.unwrap();
    ann.finish(end(turn, "Hello")).await.unwrap();
    ann.start(say("s", "next")).await;
    let before = ann.everything().await;
    for (from, text) in [(3, "lo"), (0, "Hel"), (9, "gap"), (3, "")] {
        assert_eq!(ann.keep(piece(turn, from, text)).await.unwrap(), Kept::Refused);
    }
    assert_eq!(ann.everything().await, before);
    Ok(())
}

pub(super) async fn an_unknown_turn_is_refused(store: &dyn Store) -> Checked {
    let ann = user(store);
    assert_eq!(ann.keep(piece(TurnId::fresh(), 0, "Hel")).await.unwrap(), Kept::Refused);
    Ok(())
}

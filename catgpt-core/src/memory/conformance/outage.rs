//! Two handles, the end of a process, no room, no right to write, closed: every call has a typed answer.

use super::concurrency::{at_once, started};
use super::kit::{All, LONG, SHORT, User, bury, count, end, ever, fails, id, piece, say, terms, user};
use super::{Checked, Store};
use crate::error::ErrorKind::{Closed, StoreFull};
use crate::id::{OpId, Seq};
use crate::memory::{Begin, Begun, Checkpoint, Done, Finish, Kept, Op, Purpose, Query, Sealed};
use crate::message::{Status, Usage};

pub(super) async fn two_handles_are_one_store(store: &dyn Store) -> Checked {
    let ann = user(store);
    let other = User::of(&store.second().await?, "ann");
    let begin = Begin { key: Some(("k".into(), [1; 32])), ..say("s", "hi") };
    let first = ann.start(begin.clone()).await;
    ann.keep(piece(begin.turn, 0, "Hel")).await.unwrap();
    assert_eq!(other.everything().await, ann.everything().await);
    assert_eq!(other.start(begin.clone()).await, first);
    assert!(matches!(other.begin(say("s", "me")).await.unwrap(), Begun::Busy { turn, .. } if turn == begin.turn));
    let keyed = Begin { key: begin.key.clone(), ..say("s", "hi") };
    assert_eq!(other.begin(keyed).await.unwrap(), Begun::Replay { turn: begin.turn });
    assert_eq!(other.finish(end(begin.turn, "Hello")).await.unwrap(), Sealed::Now);
    assert_eq!(ann.keep(piece(begin.turn, 3, "lo")).await.unwrap(), Kept::Refused);
    assert!(matches!(ann.finish(end(begin.turn, "Hello")).await.unwrap(), Sealed::Before(_)));
    let op = OpId::fresh();
    let ops = vec![Op::create(id("t"))];
    let done = ann.memory.apply(&ann.owner, op, ops.clone()).await.unwrap();
    assert_eq!(other.memory.apply(&ann.owner, op, ops).await.unwrap(), done);
    assert_eq!(other.everything().await, ann.everything().await);
    Ok(())
}

pub(super) async fn two_handles_have_one_winner_of_64(store: &dyn Store) -> Checked {
    let handles = [user(store), User::of(&store.second().await?, "ann")];
    for session in ["a", "b", "c"] {
        // `unwrap`: a store that is locked for a moment is no reason to fail.
        let begun = at_once(64, |k| {
            let ann = handles[k % 2].clone();
            async move { ann.begin(say(session, &k.to_string())).await.unwrap() }
        })
        .await;
        let winners: Vec<_> = begun.iter().filter_map(started).collect();
        assert_eq!(winners.len(), 1);
        let busy = begun.iter().filter(|begun| matches!(begun, Begun::Busy { turn, .. } if *turn == winners[0]));
        assert_eq!(busy.count(), 63);
        for ann in &handles {
            assert_eq!(ann.tree(session).await.rows.len(), 2);
        }
    }
    Ok(())
}

pub(super) async fn a_cancel_is_heard_by_the_other_handle(store: &dyn Store) -> Checked {
    let ann = user(store);
    let other = User::of(&store.second().await?, "ann");
    let (turn, _) = ann.run(say("s", "hi")).await;
    other.apply(vec![Op::Cancel { turn }]).await.unwrap();
    assert_eq!(ann.keep(piece(turn, 0, "Hel")).await.unwrap(), Kept::Renewed { cancel: true });
    Ok(())
}

pub(super) async fn what_was_answered_survives_a_reopen(store: &dyn Store) -> Checked {
    let ann = user(store);
    let kept = write_some(&ann).await;
    let ann = User::of(&store.reopen().await?, "ann");
    find_all(&ann, kept).await;
    Ok(())
}

pub(super) async fn what_was_answered_survives_a_crash(store: &dyn Store) -> Checked {
    let ann = user(store);
    let kept = write_some(&ann).await;
    let ann = User::of(&store.crash().await?, "ann");
    find_all(&ann, kept).await;
    Ok(())
}

struct Written {
    all: All,
    found: Vec<(String, Option<Seq>)>,
    counted: u64,
    keyed: Begin,
    running: Begin,
    op: OpId,
    ops: Vec<Op>,
    done: Vec<Done>,
}

/// Something of everything: turns that ended, one that runs with a piece, a key, a title, a deleted session, one that is
/// put away, a summary, words, a bill, a counter.
async fn write_some(ann: &User) -> Written {
    let keyed = Begin { key: Some(("k".into(), [1; 32])), ..say("s", "hi") };
    ann.whole(keyed.clone()).await;
    ann.talk("gone", "hi").await;
    let op = OpId::fresh();
    let ops = vec![
        Op::SetTitle { session: id("s"), title: Some(b"t".to_vec()), over: None },
        Op::Delete { session: id("gone") },
        Op::Create { session: id("away"), title: None, pin: None, meta: Some(b"m".to_vec()), ttl: Some(LONG) },
        Op::Mark { session: id("away"), pinned: Some(true), archived: Some(true) },
        Op::AddSummary { session: id("s"), upto: 2, over: None, body: vec![1], model: "m".into(), usage: None },
        Op::Index { session: id("s"), from: 0, upto: 2, messages: vec![terms(1, "hi")], title: None },
        Op::Bill { session: id("s"), model: "m".into(), purpose: Purpose::Title, usage: Usage::default(), cost: 1 },
    ];
    let ops = ann.able(ops);
    let done = ann.memory.apply(&ann.owner, op, ops.clone()).await.unwrap();
    let running = Begin { lease: SHORT, reserve: vec![ever("turns", "ann")], ..say("s", "more") };
    ann.start(running.clone()).await;
    ann.keep(Checkpoint { lease: SHORT, ..piece(running.turn, 0, "Hel") }).await.unwrap();
    ann.outlive(running.turn).await;
    let (found, counted) = (ann.found("hi").await, count(ann, &ever("turns", "ann")).await);
    assert_eq!((found.len(), counted), (ann.hits(1), 1));
    Written { all: ann.all().await, found, counted, keyed, running, op, ops, done }
}

async fn find_all(ann: &User, written: Written) {
    let Written { all, found, counted, keyed, running, op, ops, done } = written;
    assert_eq!((ann.all().await, ann.found("hi").await), (all, found));
    assert_eq!(count(ann, &ever("turns", "ann")).await, counted);
    let again = Begin { key: keyed.key.clone(), ..say("s", "hi") };
    assert_eq!(ann.begin(again).await.unwrap(), Begun::Replay { turn: keyed.turn });
    assert_eq!(ann.memory.apply(&ann.owner, op, ops).await.unwrap(), done);
    assert_eq!(ann.begin(say("s", "next")).await.unwrap(), Begun::Stale { turn: running.turn });
    assert_eq!(ann.finish(bury(running.turn, "Hel")).await.unwrap(), Sealed::Now);
    assert_eq!(ann.tail(running.turn, 0).await.unwrap().rows[0].status, Status::Interrupted);
    let next = ann.talk("s", "next").await;
    assert_eq!((next.user_seq, next.window.len(), next.summary.map(|row| row.seq)), (Some(6), 5, Some(3)));
    let changes = ann.changes(0, 1000).await;
    assert_eq!(
        changes.iter().map(|change| change.n).collect::<Vec<_>>(),
        (1..=changes.len() as u64).collect::<Vec<_>>()
    );
}

fn huge(session: &str) -> Begin {
    Begin { message: Some(vec![b'x'; 1 << 20]), ..say(session, "") }
}

pub(super) async fn a_full_store_says_so_and_recovers(store: &dyn Store) -> Checked {
    let ann = user(store);
    let (turn, _) = ann.run(say("s", "hi")).await;
    ann.keep(piece(turn, 0, "Hel")).await.unwrap();
    let before = ann.everything().await;
    store.set_full(true).await?;
    let begin = huge("t");
    fails(ann.begin(begin.clone()).await, StoreFull);
    fails(ann.apply(vec![Op::SetPin { session: id("s"), pin: vec![b'x'; 1 << 20] }]).await, StoreFull);
    let piece_of_1_mib = Checkpoint { to: 4, body: vec![b'x'; 1 << 20], ..piece(turn, 3, "") };
    fails(ann.keep(piece_of_1_mib).await, StoreFull);
    fails(ann.finish(Finish { body: vec![b'x'; 1 << 20], ..end(turn, "") }).await, StoreFull);
    assert_eq!(ann.everything().await, before, "reads go on, and nothing was written");
    store.set_full(false).await?;
    ann.start(begin).await;
    assert_eq!(ann.keep(piece(turn, 3, "lo")).await.unwrap(), Kept::Renewed { cancel: false });
    assert_eq!(ann.finish(end(turn, "Hello")).await.unwrap(), Sealed::Now);
    Ok(())
}

pub(super) async fn a_read_only_store_says_so_and_recovers(store: &dyn Store) -> Checked {
    let ann = user(store);
    let (turn, _) = ann.run(say("s", "hi")).await;
    ann.keep(piece(turn, 0, "Hel")).await.unwrap();
    let before = ann.everything().await;
    store.set_read_only(true).await?;
    let begin = say("t", "hi");
    fails(ann.begin(begin.clone()).await, StoreFull);
    fails(ann.apply(vec![Op::Cancel { turn }]).await, StoreFull);
    fails(ann.keep(piece(turn, 3, "lo")).await, StoreFull);
    fails(ann.finish(end(turn, "Hello")).await, StoreFull);
    assert_eq!(ann.everything().await, before, "reads go on, and nothing was written");
    store.set_read_only(false).await?;
    ann.start(begin).await;
    assert_eq!(ann.keep(piece(turn, 3, "lo")).await.unwrap(), Kept::Renewed { cancel: false });
    assert_eq!(ann.finish(end(turn, "Hello")).await.unwrap(), Sealed::Now);
    Ok(())
}

pub(super) async fn a_closed_store_says_so(store: &dyn Store) -> Checked {
    let ann = user(store);
    let (turn, _) = ann.run(say("s", "hi")).await;
    ann.memory.close().await.unwrap();
    ann.memory.close().await.unwrap();
    fails(ann.begin(say("s", "hi")).await, Closed);
    fails(ann.keep(piece(turn, 0, "Hel")).await, Closed);
    fails(ann.finish(end(turn, "Hello")).await, Closed);
    fails(ann.apply(Vec::new()).await, Closed);
    fails(ann.tail(turn, 0).await, Closed);
    fails(ann.query(Query::Turns).await, Closed);
    fails(ann.memory.sweep(1).await, Closed);
    Ok(())
}

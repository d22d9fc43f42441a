//! Summaries: what stands for the beginning of a branch, made beside it, undone at will.

use super::kit::{User, answer_again, end, fails, id, opened, piece, say, user};
use super::{Checked, Store};
use crate::error::ErrorKind::{InvalidInput, NotFound};
use crate::event::ChangeKind::Updated;
use crate::id::{OpId, Seq};
use crate::memory::{Begin, Done, Op, Parent};
use crate::message::{Role, Status, Usage};

fn add(upto: Seq, over: Option<Seq>, text: &str) -> Op {
    let usage = Some(Usage { input_tokens: 90, output_tokens: 9, ..Usage::default() });
    Op::AddSummary { session: id("s"), upto, over, body: text.into(), model: "short".into(), usage }
}

fn set(summary: Option<Seq>) -> Op {
    Op::SetSummary { session: id("s"), summary }
}

async fn shown(ann: &User) -> Vec<Seq> {
    ann.branch("s", None).await.rows.iter().map(|row| row.seq).collect()
}

pub(super) async fn it_hangs_under_what_it_covers_and_moves_no_head(store: &dyn Store) -> Checked {
    let ann = user(store);
    ann.talk("s", "one").await;
    ann.talk("s", "two").await;
    let before = ann.session("s").await.unwrap();
    assert_eq!(ann.apply(vec![add(2, None, "in short")]).await.unwrap(), [Done::Seq(5)]);
    let after = ann.session("s").await.unwrap();
    assert_eq!((after.head, after.summary, after.messages), (Some(4), Some(5), 5));
    assert!(after.version > before.version);
    assert_eq!(ann.changes(0, 100).await.last().map(|change| change.kind), Some(Updated));
    let row = ann.tree("s").await.rows.remove(4);
    assert_eq!((row.seq, row.parent, row.turn), (5, Some(2), None));
    assert_eq!((row.role, row.status, row.model.as_deref()), (Role::Summary, Status::Complete, Some("short")));
    assert_eq!((row.body.as_slice(), row.usage.map(|usage| usage.input_tokens)), (b"in short".as_slice(), Some(90)));
    assert!(row.created_ms >= before.created_ms);
    assert_eq!(shown(&ann).await, [1, 2, 3, 4]);
    // What it used is billed by itself.
    assert!(ann.ledger().await.iter().all(|spent| spent.usage.input_tokens == 0));
    Ok(())
}

pub(super) async fn a_turn_is_given_the_summary(store: &dyn Store) -> Checked {
    let ann = user(store);
    assert_eq!(ann.talk("s", "one").await.summary, None);
    ann.apply(vec![add(2, None, "in short")]).await.unwrap();
    let row = ann.tree("s").await.rows.remove(2);
    let begin = say("s", "two");
    let opened = ann.start(begin.clone()).await;
    assert_eq!((opened.user_seq, opened.reply_seq), (Some(4), 5));
    assert_eq!(opened.window.iter().map(|row| row.seq).collect::<Vec<_>>(), [1, 2, 4]);
    assert_eq!(opened.summary, Some(row.clone()));
    assert_eq!(ann.start(begin.clone()).await, opened);
    ann.finish(end(begin.turn, "hello")).await.unwrap();
    // Also on a branch of which it is not.
    let other = ann.whole(Begin { parent: Parent::Beside(Some(1)), ..say("s", "other") }).await;
    assert_eq!(other.summary, Some(row));
    ann.apply(vec![set(None)]).await.unwrap();
    assert_eq!(ann.talk("s", "three").await.summary, None);
    Ok(())
}

pub(super) async fn it_may_come_while_a_turn_runs(store: &dyn Store) -> Checked {
    let ann = user(store);
    ann.talk("s", "one").await;
    let (turn, first) = ann.run(say("s", "two")).await;
    ann.keep(piece(turn, 0, "Hel")).await.unwrap();
    assert_eq!(ann.apply(vec![add(2, None, "in short")]).await.unwrap(), [Done::Seq(5)]);
    ann.keep(piece(turn, 3, "lo")).await.unwrap();
    let view = ann.tail(turn, 0).await.unwrap();
    assert_eq!((view.rows[0].seq, view.chunks.len(), view.session.running), (first.reply_seq, 2, Some(turn)));
    ann.finish(end(turn, "Hello")).await.unwrap();
    let next = ann.whole(say("s", "three")).await;
    assert_eq!((next.user_seq, next.reply_seq), (Some(6), 7));
    assert_eq!(
        next.window.iter().map(|row| (row.seq, row.parent)).collect::<Vec<_>>(),
        [(1, None), (2, Some(1)), (3, Some(2)), (4, Some(3)), (6, Some(4))]
    );
    Ok(())
}

pub(super) async fn it_takes_only_the_place_of_the_one_it_knows(store: &dyn Store) -> Checked {
    let ann = user(store);
    ann.talk("s", "one").await;
    ann.talk("s", "two").await;
    ann.apply(vec![add(2, None, "first")]).await.unwrap();
    let before = ann.all().await;
    for over in [None, Some(2), Some(6)] {
        assert_eq!(ann.apply(vec![add(4, over, "late")]).await.unwrap(), [Done::Nothing], "over {over:?}");
    }
    assert_eq!(ann.all().await, before);
    assert_eq!(ann.apply(vec![add(4, Some(5), "second")]).await.unwrap(), [Done::Seq(6)]);
    assert_eq!(ann.session("s").await.unwrap().summary, Some(6));
    ann.apply(vec![set(None)]).await.unwrap();
    assert_eq!(ann.apply(vec![add(4, Some(6), "late")]).await.unwrap(), [Done::Nothing]);
    assert_eq!(ann.apply(vec![add(4, None, "third")]).await.unwrap(), [Done::Seq(7)]);
    Ok(())
}

pub(super) async fn it_is_undone_and_done_again(store: &dyn Store) -> Checked {
    let ann = user(store);
    ann.talk("s", "one").await;
    ann.apply(vec![add(2, None, "first"), add(2, Some(3), "second")]).await.unwrap();
    let rows = ann.tree("s").await.rows;
    for summary in [Some(3), None, Some(4)] {
        let before = ann.session("s").await.unwrap();
        let done = ann.apply(vec![set(summary)]).await.unwrap();
        let after = ann.session("s").await.unwrap();
        assert_eq!((after.summary, done), (summary, vec![Done::Version(after.version)]));
        assert!(after.version > before.version);
        assert_eq!(ann.changes(0, 100).await.last().map(|change| change.kind), Some(Updated));
    }
    assert_eq!(ann.tree("s").await.rows, rows, "the originals are kept, and the summaries");
    Ok(())
}

pub(super) async fn what_is_not_there_is_not_found(store: &dyn Store) -> Checked {
    let ann = user(store);
    ann.talk("s", "one").await;
    ann.apply(vec![Op::create(id("empty"))]).await.unwrap();
    let before = ann.all().await;
    for seq in [0, 3, Seq::MAX] {
        fails(ann.apply(vec![add(seq, None, "x")]).await, NotFound);
        fails(ann.apply(vec![set(Some(seq))]).await, NotFound);
    }
    // A message that is not a summary is no summary.
    for seq in [1, 2] {
        fails(ann.apply(vec![set(Some(seq))]).await, NotFound);
    }
    let elsewhere = |session| Op::AddSummary {
        session,
        upto: 1,
        over: None,
        body: b"x".to_vec(),
        model: String::new(),
        usage: None,
    };
    fails(ann.apply(vec![elsewhere(id("empty"))]).await, NotFound);
    fails(ann.apply(vec![elsewhere(id("none"))]).await, NotFound);
    fails(ann.apply(vec![Op::SetSummary { session: id("none"), summary: None }]).await, NotFound);
    assert_eq!(ann.all().await, before);
    Ok(())
}

pub(super) async fn it_is_neither_answered_nor_gone_on_from(store: &dyn Store) -> Checked {
    let ann = user(store);
    ann.talk("s", "one").await;
    ann.apply(vec![add(2, None, "in short")]).await.unwrap();
    let before = ann.all().await;
    for parent in [Parent::Under(3), Parent::Beside(Some(3))] {
        fails(ann.begin(answer_again("s", parent)).await, InvalidInput);
    }
    assert_eq!(ann.all().await, before);
    assert_eq!(opened(ann.begin(answer_again("s", Parent::Head)).await).reply_seq, 4);
    Ok(())
}

pub(super) async fn a_retried_summary_is_one(store: &dyn Store) -> Checked {
    let ann = user(store);
    ann.talk("s", "one").await;
    let (op, ops) = (OpId::fresh(), vec![add(2, None, "in short")]);
    ann.memory.apply(&ann.owner, op, ops.clone()).await.unwrap();
    ann.apply(vec![set(None)]).await.unwrap();
    let before = ann.all().await;
    assert_eq!(ann.memory.apply(&ann.owner, op, ops).await.unwrap(), [Done::Seq(3)]);
    assert_eq!(ann.all().await, before);
    Ok(())
}

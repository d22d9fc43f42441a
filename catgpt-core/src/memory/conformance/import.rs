//! Conversations from elsewhere: in their order, with their times and branches, once.

use super::kit::{THEN, User, end, fails, id, imported, row, say, user};
use super::{Checked, Store};
use crate::error::ErrorKind::{Busy, Conflict, InvalidInput, NotFound};
use crate::event::ChangeKind::{Created, Updated};
use crate::id::{OpId, Seq, TurnId};
use crate::memory::{Begin, Done, Imported, MAX_BODY, Op, Parent, Row};
use crate::message::{Role, Status, Usage};

fn session(head: Option<Seq>) -> Imported {
    let (title, meta) = (Some(b"old".to_vec()), Some(b"from elsewhere".to_vec()));
    Imported { title, meta, pinned: true, updated_ms: THEN + 5000, ..imported("s", head) }
}

/// Two branches, and something of every kind.
fn rows() -> Vec<Row> {
    let usage = Some(Usage { input_tokens: 7, output_tokens: 8, ..Usage::default() });
    vec![
        row(1, None, Role::System),
        row(2, Some(1), Role::User),
        Row { status: Status::Interrupted, usage, ..row(3, Some(2), Role::Assistant) },
        Row { body: (0..=255).collect(), ..row(4, Some(2), Role::Assistant) },
        row(5, Some(3), Role::User),
        Row { status: Status::Failed, model: None, ..row(6, Some(5), Role::Assistant) },
        row(7, Some(4), Role::User),
        row(8, None, Role::User),
    ]
}

fn import(session: Imported, after: Seq, rows: Vec<Row>) -> Op {
    Op::Import { session: Box::new(session), after, rows }
}

pub(super) async fn it_can_be_read_as_it_came(store: &dyn Store) -> Checked {
    let ann = user(store);
    let done = ann.apply(vec![import(session(Some(6)), 0, rows())]).await.unwrap();
    let there = ann.session("s").await.unwrap();
    assert_eq!(done, [Done::Version(there.version)]);
    assert_eq!(
        (there.title.as_deref(), there.meta.as_deref()),
        (Some(b"old".as_slice()), Some(b"from elsewhere".as_slice()))
    );
    assert_eq!((there.pinned, there.archived, there.head, there.messages), (true, false, Some(6), 8));
    assert_eq!((there.created_ms, there.updated_ms, there.running), (THEN, THEN + 5000, None));
    assert_eq!(ann.tree("s").await.rows, rows());
    for (head, seqs) in [(None, vec![1, 2, 3, 5, 6]), (Some(7), vec![1, 2, 4, 7]), (Some(8), vec![8])] {
        assert_eq!(ann.branch("s", head).await.rows.iter().map(|row| row.seq).collect::<Vec<_>>(), seqs);
    }
    let changes = ann.changes(0, 100).await;
    assert_eq!(changes.iter().map(|change| change.kind).collect::<Vec<_>>(), [Created]);
    // It was paid for elsewhere.
    assert_eq!(ann.ledger().await, []);
    Ok(())
}

pub(super) async fn its_turns_are_not_kept(store: &dyn Store) -> Checked {
    let ann = user(store);
    let turn = TurnId::fresh();
    let turned: Vec<_> = rows().into_iter().map(|row| Row { turn: Some(turn), ..row }).collect();
    ann.apply(vec![import(session(Some(6)), 0, turned)]).await.unwrap();
    assert_eq!(ann.tree("s").await.rows, rows());
    fails(ann.tail(turn, 0).await, NotFound);
    // The id is free: here no such turn has begun.
    ann.whole(Begin { turn, ..say("other", "hi") }).await;
    Ok(())
}

pub(super) async fn turns_go_on_from_it(store: &dyn Store) -> Checked {
    let ann = user(store);
    ann.apply(vec![import(session(Some(6)), 0, rows())]).await.unwrap();
    let seqs = |rows: &[Row]| rows.iter().map(|row| row.seq).collect::<Vec<_>>();
    let opened = ann.whole(say("s", "more")).await;
    assert_eq!((opened.created, opened.user_seq, seqs(&opened.window)), (false, Some(9), vec![1, 2, 3, 5, 6, 9]));
    let other = Begin { parent: Parent::Under(4), ..say("s", "other") };
    assert_eq!(seqs(&ann.whole(other).await.window), [1, 2, 4, 11]);
    // What came without an answer gets one.
    let answer = Begin { parent: Parent::Under(8), message: None, ..say("s", "") };
    let opened = ann.whole(answer).await;
    assert_eq!((opened.user_seq, opened.reply_seq, seqs(&opened.window)), (None, 13, vec![8]));
    Ok(())
}

pub(super) async fn more_of_it_follows_what_is_there(store: &dyn Store) -> Checked {
    let ann = user(store);
    ann.apply(vec![import(session(Some(2)), 0, rows()[..3].to_vec())]).await.unwrap();
    let first = ann.session("s").await.unwrap();
    let then = Imported {
        title: None,
        pin: Some(b"p".to_vec()),
        meta: None,
        pinned: false,
        archived: true,
        updated_ms: THEN + 9000,
        ..session(Some(8))
    };
    let done = ann.apply(vec![import(then, 3, rows()[3..].to_vec())]).await.unwrap();
    let row = ann.session("s").await.unwrap();
    assert_eq!(done, [Done::Version(row.version)]);
    assert!(row.version > first.version);
    assert_eq!((row.title, row.pin.as_deref(), row.meta), (None, Some(b"p".as_slice()), None));
    assert_eq!((row.pinned, row.archived, row.head, row.updated_ms), (false, true, Some(8), THEN + 9000));
    assert_eq!(ann.tree("s").await.rows, rows());
    assert_eq!(ann.changes(0, 100).await.iter().map(|change| change.kind).collect::<Vec<_>>(), [Created, Updated]);
    // Without messages it changes what the session is like.
    ann.apply(vec![import(session(None), 8, Vec::new())]).await.unwrap();
    let row = ann.session("s").await.unwrap();
    assert_eq!((row.title.as_deref(), row.head, row.messages), (Some(b"old".as_slice()), None, 8));
    Ok(())
}

pub(super) async fn what_does_not_follow_is_a_conflict(store: &dyn Store) -> Checked {
    let ann = user(store);
    ann.talk("s", "hi").await;
    ann.apply(vec![Op::create(id("empty"))]).await.unwrap();
    let before = ann.all().await;
    let empty = || Imported { id: id("empty"), ..session(None) };
    let three = || vec![row(4, None, Role::User)];
    let cases = [
        (import(session(None), 0, rows()), "2"),
        (import(session(None), 0, Vec::new()), "2"),
        (import(session(None), 1, vec![row(2, None, Role::User)]), "2"),
        (import(session(None), 3, three()), "2"),
        (import(empty(), 0, rows()), "0"),
        (import(empty(), 3, three()), "0"),
    ];
    for (op, messages) in cases {
        let error = ann.apply(vec![op]).await.unwrap_err();
        assert_eq!((error.kind(), error.context("messages")), (Conflict, Some(messages)));
    }
    let none = Imported { id: id("none"), ..session(None) };
    fails(ann.apply(vec![import(none, 3, three())]).await, NotFound);
    assert_eq!(ann.all().await, before);
    Ok(())
}

pub(super) async fn what_is_malformed_is_refused(store: &dyn Store) -> Checked {
    let ann = user(store);
    let user_row = |seq, parent| row(seq, parent, Role::User);
    let running = Row { status: Status::Running, ..user_row(1, None) };
    let large = Row { body: vec![b'x'; MAX_BODY + 1], ..user_row(1, None) };
    let cases = [
        (session(None), 0, vec![user_row(2, None)]),
        (session(None), 0, vec![user_row(1, None), user_row(3, Some(1))]),
        (session(None), 0, vec![user_row(1, None), user_row(1, None)]),
        (session(None), 0, vec![user_row(1, Some(1))]),
        (session(None), 0, vec![user_row(1, Some(0))]),
        (session(None), 0, vec![user_row(1, Some(2)), user_row(2, None)]),
        (session(None), 0, vec![running]),
        (session(None), 0, vec![large]),
        (session(None), Seq::MAX, vec![user_row(1, None)]),
        (session(Some(2)), 0, vec![user_row(1, None)]),
        (session(Some(0)), 0, vec![user_row(1, None)]),
        (session(Some(1)), 0, Vec::new()),
    ];
    for (session, after, rows) in cases {
        fails(ann.apply(vec![import(session, after, rows)]).await, InvalidInput);
    }
    assert_eq!(ann.all().await, User::of(&store.memory(), "nobody").all().await);
    Ok(())
}

pub(super) async fn it_waits_until_no_turn_runs(store: &dyn Store) -> Checked {
    let ann = user(store);
    let (turn, _) = ann.run(say("s", "hi")).await;
    let before = ann.everything().await;
    let more = || vec![import(session(None), 2, vec![row(3, Some(2), Role::User)])];
    let error = ann.apply(more()).await.unwrap_err();
    assert_eq!((error.kind(), error.turn()), (Busy, Some(turn)));
    assert_eq!(ann.everything().await, before);
    ann.finish(end(turn, "hello")).await.unwrap();
    ann.apply(more()).await.unwrap();
    assert_eq!(ann.tree("s").await.rows.len(), 3);
    Ok(())
}

pub(super) async fn a_retried_import_is_one(store: &dyn Store) -> Checked {
    let ann = user(store);
    let op = OpId::fresh();
    let ops = vec![import(session(Some(6)), 0, rows())];
    let done = ann.memory.apply(&ann.owner, op, ops.clone()).await.unwrap();
    ann.talk("s", "more").await;
    let before = ann.all().await;
    assert_eq!(ann.memory.apply(&ann.owner, op, ops.clone()).await.unwrap(), done);
    fails(ann.apply(ops).await, Conflict);
    assert_eq!(ann.all().await, before);
    Ok(())
}

pub(super) async fn an_import_that_fails_leaves_nothing(store: &dyn Store) -> Checked {
    let ann = user(store);
    ann.talk("other", "hi").await;
    let before = ann.all().await;
    let bad = Op::Delete { session: id("none") };
    fails(ann.apply(vec![import(session(Some(6)), 0, rows()), bad]).await, NotFound);
    assert_eq!(ann.all().await, before);
    Ok(())
}

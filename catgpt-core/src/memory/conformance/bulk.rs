//! Many at once: deletion, what was never used, and all that bears an owner's name.

use super::kit::{User, count, end, ever, fails, id, piece, say, terms, user};
use super::{Checked, Store};
use crate::error::ErrorKind::{InvalidInput, NotFound};
use crate::event::ChangeKind::Deleted;
use crate::id::{OpId, TurnId};
use crate::memory::{Begin, Begun, Done, Kept, Op, Purpose};
use crate::message::Usage;

fn many(sessions: &[&str]) -> Op {
    Op::DeleteMany { sessions: sessions.iter().copied().map(id).collect() }
}

async fn names(user: &User) -> Vec<String> {
    let mut names: Vec<_> = user.everything().await.sessions.iter().map(|row| row.id.to_string()).collect();
    names.sort();
    names
}

async fn deleted(user: &User) -> Vec<String> {
    let changes = user.changes(0, 10_000).await;
    let mut gone: Vec<_> =
        changes.iter().filter(|change| change.kind == Deleted).map(|change| change.session.to_string()).collect();
    gone.sort();
    gone
}

pub(super) async fn those_that_are_there_are_deleted(store: &dyn Store) -> Checked {
    let (ann, bob) = (user(store), User::of(&store.memory(), "bob"));
    for session in ["a", "b", "c"] {
        ann.talk(session, "hi").await;
        bob.talk(session, "hi").await;
    }
    let his = bob.everything().await;
    let (turn, _) = ann.run(say("running", "hi")).await;
    let (op, ops) = (OpId::fresh(), vec![many(&["a", "none", "running", "a", "b"])]);
    let done = ann.memory.apply(&ann.owner, op, ops.clone()).await.unwrap();
    assert_eq!(done, [Done::Count(3)]);
    assert_eq!(
        (names(&ann).await, deleted(&ann).await),
        (vec!["c".to_owned()], vec!["a".into(), "b".into(), "running".into()])
    );
    assert_eq!(ann.keep(piece(turn, 0, "Hel")).await.unwrap(), Kept::Refused);
    fails(ann.finish(end(turn, "Hello")).await, NotFound);
    // Again: as it was, whatever has come since.
    ann.talk("a", "again").await;
    let before = ann.everything().await;
    assert_eq!(ann.memory.apply(&ann.owner, op, ops).await.unwrap(), done);
    assert_eq!(ann.apply(vec![many(&["none", "b"]), many(&[])]).await.unwrap(), [Done::Count(0); 2]);
    assert_eq!(ann.everything().await, before);
    assert_eq!(bob.everything().await, his);
    Ok(())
}

pub(super) async fn only_what_is_empty_goes_as_empty(store: &dyn Store) -> Checked {
    let (ann, bob) = (user(store), User::of(&store.memory(), "bob"));
    ann.talk("talk", "hi").await;
    let (turn, _) = ann.run(say("running", "hi")).await;
    let titled = Op::Create { session: id("e0"), title: Some(b"t".to_vec()), pin: None, meta: None, ttl: None };
    ann.apply(vec![titled, Op::create(id("e1")), Op::create(id("e2"))]).await.unwrap();
    ann.apply(vec![Op::Mark { session: id("e1"), pinned: Some(true), archived: Some(true) }]).await.unwrap();
    bob.apply(vec![Op::create(id("e0"))]).await.unwrap();
    let empty = |limit| vec![Op::DeleteEmpty { limit }];
    assert_eq!(ann.apply(empty(0)).await.unwrap(), [Done::Count(0)]);
    let (op, mut done) = (OpId::fresh(), Vec::new());
    for _ in 0..2 {
        done.push(ann.memory.apply(&ann.owner, op, empty(2)).await.unwrap());
    }
    assert_eq!(done, [[Done::Count(2)], [Done::Count(2)]]);
    assert_eq!(ann.apply(empty(100)).await.unwrap(), [Done::Count(1)]);
    assert_eq!(ann.apply(empty(100)).await.unwrap(), [Done::Count(0)]);
    assert_eq!(
        (names(&ann).await, deleted(&ann).await),
        (vec!["running".to_owned(), "talk".into()], vec!["e0".into(), "e1".into(), "e2".into()])
    );
    assert_eq!(ann.turns().await, [(id("running"), turn)]);
    assert_eq!(names(&bob).await, ["e0"]);
    Ok(())
}

/// Something of everything that can bear the owner's name.
async fn live(user: &User) -> Begin {
    let keyed = Begin { key: Some(("k".into(), [1; 32])), ..say("a", "kyoto") };
    user.whole(Begin { reserve: vec![ever("turns", user.owner.as_str())], ..keyed.clone() }).await;
    for session in ["b", "c", "d"] {
        user.talk(session, "kyoto").await;
    }
    let usage = Usage { input_tokens: 5, ..Usage::default() };
    let bill = Op::Bill { session: id("b"), model: "tabby".into(), purpose: Purpose::Title, usage, cost: 3 };
    let messages = vec![terms(1, "kyoto")];
    let index = Op::Index { session: id("a"), from: 0, upto: 2, messages, title: None };
    let archive = Op::Mark { session: id("d"), pinned: None, archived: Some(true) };
    user.apply(user.able(vec![bill, index, archive, Op::Delete { session: id("c") }])).await.unwrap();
    keyed
}

pub(super) async fn an_owner_is_erased_step_by_step(store: &dyn Store) -> Checked {
    let (ann, bob) = (user(store), User::of(&store.memory(), "bob"));
    let keyed = live(&ann).await;
    live(&bob).await;
    let (turn, _) = ann.run(say("running", "hi")).await;
    let his = bob.all().await;
    for left in [2, 2, 0] {
        assert_eq!(ann.apply(vec![Op::Erase { limit: 2 }]).await.unwrap(), [Done::Count(left)]);
    }
    assert_eq!(ann.keep(piece(turn, 0, "Hel")).await.unwrap(), Kept::Refused);
    fails(ann.tail(turn, 0).await, NotFound);
    // Nothing bears the name any more.
    assert_eq!(ann.all().await, User::of(&store.memory(), "nobody").all().await);
    assert_eq!((ann.ledger().await, ann.found("kyoto").await), (vec![], vec![]));
    assert_eq!(count(&ann, &ever("turns", "ann")).await, 0);
    assert_eq!(count(&ann, &ever("turns", "bob")).await, 1);
    assert_eq!(bob.all().await, his);
    // Keys are forgotten too: the same send is a new one.
    let again = Begin { turn: TurnId::fresh(), ..keyed };
    assert!(matches!(ann.begin(again).await.unwrap(), Begun::Started(opened) if opened.created));
    assert_eq!(ann.changes(0, 100).await.len(), 2);
    Ok(())
}

pub(super) async fn an_erasure_keeps_no_answer(store: &dyn Store) -> Checked {
    let ann = user(store);
    let (old, create) = (OpId::fresh(), vec![Op::create(id("s"))]);
    ann.memory.apply(&ann.owner, old, create.clone()).await.unwrap();
    ann.talk("t", "hi").await;
    let op = OpId::fresh();
    for left in [1, 1, 0, 0] {
        let done = ann.memory.apply(&ann.owner, op, vec![Op::Erase { limit: 1 }]).await.unwrap();
        assert_eq!(done, [Done::Count(left)]);
    }
    // Nor are older answers kept: this one would say that it was made before.
    ann.apply(vec![Op::create(id("s"))]).await.unwrap();
    assert_eq!(ann.memory.apply(&ann.owner, old, create).await.unwrap(), [Done::Nothing]);
    fails(ann.apply(vec![Op::Erase { limit: 0 }]).await, InvalidInput);
    Ok(())
}

pub(super) async fn an_erasure_that_fails_leaves_all(store: &dyn Store) -> Checked {
    let ann = user(store);
    live(&ann).await;
    let before = ann.all().await;
    let erase = || [Op::Erase { limit: 100 }, Op::Erase { limit: 100 }].to_vec();
    let bad = Op::Delete { session: id("none") };
    fails(ann.apply([erase(), vec![bad]].concat()).await, NotFound);
    assert_eq!(ann.all().await, before);
    assert_eq!(ann.found("kyoto").await.len(), ann.hits(1));
    assert_eq!(count(&ann, &ever("turns", "ann")).await, 1);
    assert_eq!(ann.apply(erase()).await.unwrap(), [Done::Count(3), Done::Count(0)]);
    assert_eq!(ann.all().await, User::of(&store.memory(), "nobody").all().await);
    Ok(())
}

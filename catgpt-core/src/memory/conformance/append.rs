//! Finished messages that another program adds: in their order, at their place, all or none, once.

use std::time::Duration;

use futures_util::future::join_all;

use super::kit::{THEN, User, end, fails, id, row, say, user};
use super::{Checked, Store};
use crate::error::ErrorKind::{Busy, Conflict, InvalidInput, NotFound};
use crate::event::ChangeKind::{Created, Updated};
use crate::id::{OpId, Seq};
use crate::memory::{Done, MAX_BODY, NewRow, Op, Parent};
use crate::message::{Role, Status, Usage};

fn new(role: Role, text: &str) -> NewRow {
    NewRow { role, status: Status::Complete, body: text.into(), model: None, usage: None }
}

fn rows(texts: &[&str]) -> Vec<NewRow> {
    texts.iter().map(|text| new(Role::User, text)).collect()
}

fn at(session: &str, parent: Parent, rows: Vec<NewRow>) -> Op {
    Op::Append { session: id(session), parent, rows, if_version: None, title: None, ttl: None }
}

fn add(session: &str, texts: &[&str]) -> Op {
    at(session, Parent::Head, rows(texts))
}

fn only_at(version: u64, rows: Vec<NewRow>) -> Op {
    Op::Append { session: id("s"), parent: Parent::Head, rows, if_version: Some(version), title: None, ttl: None }
}

async fn shown(ann: &User) -> Vec<(Seq, Option<Seq>, String)> {
    let view = ann.branch("s", None).await;
    view.rows.into_iter().map(|row| (row.seq, row.parent, String::from_utf8(row.body).unwrap())).collect()
}

pub(super) async fn it_can_be_read_as_it_came(store: &dyn Store) -> Checked {
    let ann = user(store);
    let usage = Some(Usage { input_tokens: 7, output_tokens: 8, ..Usage::default() });
    let given = vec![
        new(Role::System, "be brief"),
        NewRow { body: (0..=255).collect(), ..new(Role::User, "") },
        NewRow { status: Status::Interrupted, model: Some("tabby".into()), usage, ..new(Role::Assistant, "Mi") },
    ];
    assert_eq!(ann.apply(vec![at("s", Parent::Head, given.clone())]).await.unwrap(), [Done::Seq(3)]);
    let there = ann.session("s").await.unwrap();
    assert_eq!((there.head, there.messages, there.running, there.summary), (Some(3), 3, None, None));
    let view = ann.branch("s", None).await;
    let parents: Vec<_> = view.rows.iter().map(|row| (row.seq, row.parent, row.turn)).collect();
    assert_eq!(parents, [(1, None, None), (2, Some(1), None), (3, Some(2), None)]);
    for (row, new) in view.rows.into_iter().zip(given) {
        assert!(row.created_ms > THEN, "the store's clock");
        let (role, status, body, model, usage) = (row.role, row.status, row.body, row.model, row.usage);
        assert_eq!(NewRow { role, status, body, model, usage }, new);
    }
    assert_eq!(ann.changes(0, 100).await.iter().map(|change| change.kind).collect::<Vec<_>>(), [Created]);
    assert_eq!(ann.ledger().await, []);
    Ok(())
}

pub(super) async fn it_goes_on_where_the_branch_ends(store: &dyn Store) -> Checked {
    let ann = user(store);
    ann.talk("s", "one").await;
    let before = ann.session("s").await.unwrap();
    assert_eq!(ann.apply(vec![add("s", &["a", "b"])]).await.unwrap(), [Done::Seq(4)]);
    let after = ann.session("s").await.unwrap();
    assert!(after.version > before.version && after.updated_ms >= before.updated_ms);
    assert_eq!(after.created_ms, before.created_ms);
    assert_eq!(ann.changes(0, 100).await.last().map(|change| change.kind), Some(Updated));
    let next = ann.talk("s", "two").await;
    assert_eq!((next.user_seq, next.window.len()), (Some(5), 5));
    assert_eq!(shown(&ann).await.iter().map(|(seq, ..)| *seq).collect::<Vec<_>>(), [1, 2, 3, 4, 5, 6]);
    Ok(())
}

pub(super) async fn it_goes_under_and_beside_any_message(store: &dyn Store) -> Checked {
    let ann = user(store);
    ann.apply(vec![add("s", &["1", "2", "3"])]).await.unwrap();
    let places = [
        (Parent::Under(1), vec![1, 4]),
        (Parent::Beside(Some(2)), vec![1, 5]),
        (Parent::Beside(None), vec![1, 6]),
        (Parent::Beside(Some(1)), vec![7]),
        (Parent::Under(3), vec![1, 2, 3, 8]),
    ];
    for (parent, line) in places {
        ann.apply(vec![at("s", parent, rows(&["new"]))]).await.unwrap();
        assert_eq!(shown(&ann).await.iter().map(|(seq, ..)| *seq).collect::<Vec<_>>(), line, "{parent:?}");
    }
    assert_eq!(ann.tree("s").await.rows.len(), 8, "what was left is kept");
    Ok(())
}

pub(super) async fn without_messages_it_moves_the_head(store: &dyn Store) -> Checked {
    let ann = user(store);
    ann.apply(vec![add("s", &["1", "2"])]).await.unwrap();
    for (parent, head) in [
        (Parent::Beside(None), Some(1)),
        (Parent::Beside(Some(1)), None),
        (Parent::Head, None),
        (Parent::Under(2), Some(2)),
        (Parent::Head, Some(2)),
    ] {
        let done = ann.apply(vec![at("s", parent, vec![])]).await.unwrap();
        let there = ann.session("s").await.unwrap();
        assert_eq!((there.head, there.messages, done), (head, 2, vec![Done::Version(there.version)]), "{parent:?}");
        assert_eq!(shown(&ann).await.len() as u64, head.unwrap_or(0));
    }
    ann.apply(vec![at("s", Parent::Beside(Some(1)), vec![]), add("s", &["other"])]).await.unwrap();
    assert_eq!(shown(&ann).await, [(3, None, "other".to_owned())]);
    // An empty one makes the session, as any does.
    assert_eq!(ann.apply(vec![at("empty", Parent::Head, vec![])]).await.unwrap(), [Done::Version(1)]);
    assert_eq!(ann.session("empty").await.unwrap().messages, 0);
    Ok(())
}

pub(super) async fn only_the_version_that_is_named_is_changed(store: &dyn Store) -> Checked {
    let ann = user(store);
    fails(ann.apply(vec![only_at(1, rows(&["x"]))]).await, Conflict);
    fails(ann.memory.apply(&ann.owner, OpId::fresh(), vec![only_at(7, vec![])]).await, Conflict);
    ann.apply(vec![only_at(0, rows(&["a"]))]).await.unwrap();
    let version = ann.session("s").await.unwrap().version;
    let before = ann.all().await;
    for wrong in [0, version + 1, version.wrapping_sub(1)] {
        fails(ann.apply(vec![only_at(wrong, rows(&["x"]))]).await, Conflict);
        // What stands behind it in the call is not done either.
        fails(ann.apply(vec![only_at(wrong, vec![]), Op::Delete { session: id("s") }]).await, Conflict);
    }
    assert_eq!(ann.all().await, before);
    ann.apply(vec![only_at(version, rows(&["b"]))]).await.unwrap();
    let version = ann.session("s").await.unwrap().version;
    ann.apply(vec![only_at(version, vec![]), Op::Delete { session: id("s") }]).await.unwrap();
    fails(ann.session("s").await, NotFound);
    Ok(())
}

pub(super) async fn it_waits_until_no_turn_runs(store: &dyn Store) -> Checked {
    let ann = user(store);
    let (turn, _) = ann.run(say("s", "one")).await;
    let before = ann.all().await;
    for op in [add("s", &["x"]), at("s", Parent::Beside(Some(1)), vec![])] {
        let error = ann.apply(vec![op]).await.unwrap_err();
        assert_eq!((error.kind(), error.turn()), (Busy, Some(turn)));
    }
    assert_eq!(ann.all().await, before);
    ann.finish(end(turn, "hello")).await.unwrap();
    assert_eq!(ann.apply(vec![add("s", &["x"])]).await.unwrap(), [Done::Seq(3)]);
    Ok(())
}

pub(super) async fn what_cannot_be_added_is_refused(store: &dyn Store) -> Checked {
    let ann = user(store);
    for parent in [Parent::Under(1), Parent::Beside(Some(1)), Parent::Beside(None)] {
        fails(ann.apply(vec![at("none", parent, rows(&["x"]))]).await, NotFound);
    }
    ann.apply(vec![add("s", &["1"])]).await.unwrap();
    let before = ann.all().await;
    for seq in [0, 2, Seq::MAX] {
        for parent in [Parent::Under(seq), Parent::Beside(Some(seq))] {
            fails(ann.apply(vec![at("s", parent, rows(&["x"]))]).await, NotFound);
        }
    }
    let large = NewRow { body: vec![b'x'; MAX_BODY + 1], ..new(Role::User, "") };
    for wrong in [new(Role::Summary, "x"), NewRow { status: Status::Running, ..new(Role::Assistant, "x") }, large] {
        fails(ann.apply(vec![at("s", Parent::Head, vec![new(Role::User, "ok"), wrong])]).await, InvalidInput);
    }
    fails(ann.apply(vec![at("s", Parent::Head, vec![new(Role::User, "x"); 10_001])]).await, InvalidInput);
    assert_eq!(ann.all().await, before);
    Ok(())
}

pub(super) async fn the_first_words_are_a_title(store: &dyn Store) -> Checked {
    let ann = user(store);
    let titled = |title: &[u8], ttl| Op::Append {
        session: id("s"),
        parent: Parent::Head,
        rows: rows(&["x"]),
        if_version: None,
        title: Some(title.to_vec()),
        ttl,
    };
    let day = Some(Duration::from_secs(86_400));
    ann.apply(vec![titled(b"first", day)]).await.unwrap();
    ann.apply(vec![titled(b"second", None)]).await.unwrap();
    let there = ann.session("s").await.unwrap();
    assert_eq!((there.title.as_deref(), there.ttl), (Some(&b"first"[..]), day));
    // A title that somebody gave stays, and one that was taken away stays away.
    ann.apply(vec![Op::SetTitle { session: id("s"), title: None, over: None }]).await.unwrap();
    ann.apply(vec![titled(b"third", None)]).await.unwrap();
    assert_eq!(ann.session("s").await.unwrap().title, None);
    assert_eq!(ann.unindexed().await.len(), ann.hits(1));
    Ok(())
}

pub(super) async fn a_retried_append_is_one(store: &dyn Store) -> Checked {
    let ann = user(store);
    ann.apply(vec![Op::Import {
        session: Box::new(super::kit::imported("s", Some(1))),
        after: 0,
        rows: vec![row(1, None, Role::User)],
    }])
    .await
    .unwrap();
    let (op, ops) = (OpId::fresh(), vec![add("s", &["a", "b"])]);
    assert_eq!(ann.memory.apply(&ann.owner, op, ops.clone()).await.unwrap(), [Done::Seq(3)]);
    let before = ann.all().await;
    assert_eq!(ann.memory.apply(&ann.owner, op, ops).await.unwrap(), [Done::Seq(3)]);
    assert_eq!(ann.all().await, before);
    Ok(())
}

pub(super) async fn of_64_at_once_none_is_lost_and_none_is_torn(store: &dyn Store) -> Checked {
    let ann = user(store);
    let texts: Vec<String> = (0..64).map(|n| format!("batch {n}")).collect();
    let calls = texts.iter().map(|text| ann.apply(vec![add("s", &[text, text, text])]));
    for done in join_all(calls).await {
        assert!(matches!(done.unwrap()[..], [Done::Seq(last)] if last % 3 == 0));
    }
    let shown = shown(&ann).await;
    let mut batches: Vec<&str> = shown.chunks(3).map(|three| three[0].2.as_str()).collect();
    assert!(shown.chunks(3).all(|three| three.iter().all(|(_, _, text)| *text == three[0].2)));
    assert!((1..).zip(&shown).all(|(n, (seq, parent, _))| *seq == n && parent.unwrap_or(0) == n - 1));
    batches.sort_unstable();
    batches.dedup();
    assert_eq!((shown.len(), batches.len()), (192, 64));
    Ok(())
}

pub(super) async fn of_64_that_name_a_version_one_wins(store: &dyn Store) -> Checked {
    let ann = user(store);
    let calls = (0..64).map(|_| ann.apply(vec![only_at(0, rows(&["x"]))]));
    let (won, lost): (Vec<_>, Vec<_>) = join_all(calls).await.into_iter().partition(Result::is_ok);
    assert_eq!((won.len(), lost.len(), shown(&ann).await.len()), (1, 63, 1));
    lost.into_iter().for_each(|error| fails(error, Conflict));
    Ok(())
}

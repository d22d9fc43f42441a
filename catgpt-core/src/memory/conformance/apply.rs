//! Changes outside a turn: all of a call or nothing, and once.

use std::time::Duration;

use super::kit::{fails, id, piece, say, terms, user};
use super::{Checked, Store};
use crate::error::ErrorKind::{InvalidInput, NotFound};
use crate::id::{OpId, TurnId};
use crate::memory::{Done, Kept, MAX_BODY, Op, Purpose};
use crate::message::Usage;

fn create(session: &str) -> Op {
    Op::create(id(session))
}

fn title(session: &str, title: &str) -> Op {
    Op::SetTitle { session: id(session), title: Some(title.into()), over: None }
}

pub(super) async fn what_it_does_can_be_read(store: &dyn Store) -> Checked {
    let ann = user(store);
    let made = Op::Create {
        session: id("s"),
        title: Some(b"trip".to_vec()),
        pin: Some(b"cat".to_vec()),
        meta: None,
        ttl: None,
    };
    let done = ann.apply(vec![made]).await.unwrap();
    let row = ann.session("s").await.unwrap();
    assert_eq!((row.title.as_deref(), row.pin.as_deref()), (Some(b"trip".as_slice()), Some(b"cat".as_slice())));
    assert_eq!(done, [Done::Version(row.version)]);
    let done =
        ann.apply(vec![title("s", "tour"), Op::SetPin { session: id("s"), pin: b"dog".to_vec() }]).await.unwrap();
    let after = ann.session("s").await.unwrap();
    assert_eq!((after.title.as_deref(), after.pin.as_deref()), (Some(b"tour".as_slice()), Some(b"dog".as_slice())));
    assert!(after.version > row.version && after.updated_ms >= row.updated_ms);
    assert_eq!((done.len(), done[1]), (2, Done::Version(after.version)));
    ann.apply(vec![Op::SetTitle { session: id("s"), title: None, over: None }]).await.unwrap();
    assert_eq!(ann.session("s").await.unwrap().title, None);
    assert_eq!(ann.apply(Vec::new()).await.unwrap(), []);
    Ok(())
}

pub(super) async fn creating_twice_is_creating_once(store: &dyn Store) -> Checked {
    let ann = user(store);
    ann.apply(vec![Op::Create { session: id("s"), title: Some(b"first".to_vec()), pin: None, meta: None, ttl: None }])
        .await
        .unwrap();
    ann.talk("s", "hi").await;
    let before = ann.everything().await;
    let again = Op::Create {
        session: id("s"),
        title: Some(b"second".to_vec()),
        pin: Some(b"other".to_vec()),
        meta: None,
        ttl: None,
    };
    assert_eq!(ann.apply(vec![again]).await.unwrap(), [Done::Nothing]);
    assert_eq!(ann.everything().await, before);
    Ok(())
}

pub(super) async fn a_retried_call_is_one(store: &dyn Store) -> Checked {
    let ann = user(store);
    let op = OpId::fresh();
    let ops = vec![create("s"), title("s", "one"), create("gone"), Op::Delete { session: id("gone") }];
    let first = ann.memory.apply(&ann.owner, op, ops.clone()).await.unwrap();
    ann.apply(vec![title("s", "two")]).await.unwrap();
    let before = ann.everything().await;
    for _ in 0..3 {
        assert_eq!(ann.memory.apply(&ann.owner, op, ops.clone()).await.unwrap(), first);
    }
    assert_eq!(ann.everything().await, before);
    Ok(())
}

pub(super) async fn each_change_is_made_once(store: &dyn Store) -> Checked {
    let ann = user(store);
    ann.talk("s", "hi").await;
    ann.apply(vec![create("full"), title("full", "t")]).await.unwrap();
    let session = || id("s");
    let summary =
        Op::AddSummary { session: session(), upto: 2, over: None, body: vec![1], model: "m".into(), usage: None };
    let usage = Usage { input_tokens: 1, ..Usage::default() };
    let ops = [
        Op::SetMeta { session: session(), meta: Some(b"m".to_vec()) },
        Op::Mark { session: session(), pinned: Some(true), archived: None },
        Op::SetTtl { session: session(), ttl: Some(Duration::from_secs(999)) },
        Op::SetPin { session: session(), pin: b"p".to_vec() },
        Op::SetHead { session: session(), head: 1, if_version: None },
        summary,
        Op::SetSummary { session: session(), summary: None },
        Op::Index { session: session(), from: 0, upto: 2, messages: vec![terms(1, "hi")], title: None },
        Op::Bill { session: session(), model: "m".into(), purpose: Purpose::Title, usage, cost: 1 },
        Op::DeleteEmpty { limit: 1 },
        Op::DeleteMany { sessions: vec![session()] },
    ];
    for op in ann.able(ops.into()) {
        let (name, op_id) = (format!("{op:?}"), OpId::fresh());
        let before = ann.all().await;
        let done = ann.memory.apply(&ann.owner, op_id, vec![op.clone()]).await.unwrap();
        let after = ann.all().await;
        assert_ne!(after, before, "{name}");
        assert_eq!(ann.memory.apply(&ann.owner, op_id, vec![op]).await.unwrap(), done, "{name}");
        assert_eq!(ann.all().await, after, "{name}");
    }
    Ok(())
}

pub(super) async fn it_is_all_or_nothing(store: &dyn Store) -> Checked {
    let ann = user(store);
    ann.talk("s", "hi").await;
    let (turn, _) = ann.run(say("running", "hi")).await;
    let before = ann.all().await;
    let good = || vec![title("s", "new"), create("new"), Op::Cancel { turn }, Op::Delete { session: id("running") }];
    let each = |session: &str| {
        let (session, usage) = (id(session), Usage::default());
        vec![
            Op::SetMeta { session: session.clone(), meta: Some(b"m".to_vec()) },
            Op::Mark { session: session.clone(), pinned: Some(true), archived: Some(true) },
            Op::SetTtl { session: session.clone(), ttl: Some(Duration::ZERO) },
            Op::AddSummary {
                session: session.clone(),
                upto: 1,
                over: None,
                body: vec![1],
                model: "m".into(),
                usage: None,
            },
            Op::Index { session: session.clone(), from: 0, upto: 2, messages: vec![terms(1, "hi")], title: None },
            Op::Bill { session, model: "m".into(), purpose: Purpose::Title, usage, cost: 1 },
            Op::DeleteEmpty { limit: 10 },
            Op::DeleteMany { sessions: vec![id("s"), id("running")] },
        ]
    };
    let large = Op::SetPin { session: id("s"), pin: vec![b'x'; MAX_BODY + 1] };
    let op = OpId::fresh();
    for (bad, kind) in
        [(title("none", "x"), NotFound), (Op::Cancel { turn: TurnId::fresh() }, NotFound), (large, InvalidInput)]
    {
        for first in [good(), ann.able(each("s"))] {
            let ops = [first, vec![bad.clone()]].concat();
            fails(ann.memory.apply(&ann.owner, op, ops).await, kind);
            assert_eq!(ann.all().await, before);
        }
    }
    // It was told nothing of the cancel, and a call that failed left no answer behind.
    let kept = ann.keep(piece(turn, 0, "Hel")).await.unwrap();
    assert_eq!(kept, Kept::Renewed { cancel: false });
    assert_eq!(ann.memory.apply(&ann.owner, op, good()).await.unwrap().len(), 4);
    Ok(())
}

pub(super) async fn one_call_may_undo_what_it_did(store: &dyn Store) -> Checked {
    let ann = user(store);
    ann.talk("s", "hi").await;
    ann.apply(vec![Op::Delete { session: id("s") }, create("s"), title("s", "new")]).await.unwrap();
    let row = ann.session("s").await.unwrap();
    assert_eq!((row.messages, row.title.as_deref()), (0, Some(b"new".as_slice())));
    ann.apply(vec![create("t"), Op::Delete { session: id("t") }]).await.unwrap();
    fails(ann.session("t").await, NotFound);
    Ok(())
}

pub(super) async fn cancelling_what_has_ended_does_nothing(store: &dyn Store) -> Checked {
    let ann = user(store);
    let begin = say("s", "hi");
    ann.whole(begin.clone()).await;
    let before = ann.everything().await;
    assert_eq!(ann.apply(vec![Op::Cancel { turn: begin.turn }]).await.unwrap(), [Done::Nothing]);
    assert_eq!(ann.everything().await, before);
    Ok(())
}

pub(super) async fn what_is_not_there_is_not_found(store: &dyn Store) -> Checked {
    let ann = user(store);
    let session = || id("none");
    let ops = [
        title("none", "x"),
        Op::SetTitle { session: session(), title: None, over: None },
        Op::SetPin { session: session(), pin: b"x".to_vec() },
        Op::SetHead { session: session(), head: 1, if_version: None },
        Op::Delete { session: session() },
        Op::Cancel { turn: TurnId::fresh() },
    ];
    for op in ops {
        fails(ann.apply(vec![op]).await, NotFound);
    }
    assert_eq!(ann.sessions().await, []);
    Ok(())
}

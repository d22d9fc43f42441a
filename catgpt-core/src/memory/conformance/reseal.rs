//! Other bytes that mean the same; words that are forgotten; who is there.

use sha2::{Digest, Sha256};

use super::kit::{User, end, fails, id, imported, row, say, terms, user};
use super::search::has_search;
use super::{Checked, Lacks, Store};
use crate::error::ErrorKind::{Conflict, InvalidInput, NotFound, Unsupported};
use crate::id::Owner;
use crate::memory::{Answer, Done, Op, Query, Resealed, Stored, TitleTerms};
use crate::message::Role;

fn other(part: Stored, was: &str, bytes: &str) -> Resealed {
    Resealed { part, was: Sha256::digest(was).into(), bytes: bytes.into() }
}

fn reseal(session: &str, resealed: Vec<Resealed>) -> Vec<Op> {
    vec![Op::Reseal { session: id(session), if_version: None, resealed }]
}

/// A store that seals by itself lets nobody above it do so.
async fn is_plain(store: &dyn Store) -> Checked {
    if !store.memory().caps().encrypted {
        return Ok(());
    }
    let ann = user(store);
    ann.talk("s", "one").await;
    fails(ann.apply(reseal("s", vec![other(Stored::Message(1), "one", "1")])).await, Unsupported);
    Err(Lacks("it seals what is stored by itself"))
}

pub(super) async fn each_comes_in_the_place_of_what_was_read(store: &dyn Store) -> Checked {
    is_plain(store).await?;
    let ann = user(store);
    ann.talk("s", "one").await;
    let (title, meta) = (Some(b"Trip".to_vec()), Some(b"m".to_vec()));
    ann.apply(vec![Op::SetTitle { session: id("s"), title, over: None }, Op::SetMeta { session: id("s"), meta }])
        .await
        .unwrap();
    let before = ann.everything().await;
    let others = vec![
        other(Stored::Title, "Trip", "TRIP"),
        other(Stored::Pin, "persona", "PERSONA"),
        other(Stored::Meta, "m", "M"),
        other(Stored::Message(1), "one", "ONE"),
        other(Stored::Message(2), "re: one", "a much longer answer than before"),
    ];
    assert_eq!(ann.apply(reseal("s", others.clone())).await.unwrap(), [Done::Count(5)]);
    // Now they are not what they were, and nothing else is there.
    let wrong = [others, vec![other(Stored::Message(3), "", "x"), other(Stored::Message(0), "", "x")]].concat();
    assert_eq!(ann.apply(reseal("s", wrong)).await.unwrap(), [Done::Count(0)]);
    let after = ann.everything().await;
    let (row, view) = (&after.sessions[0], &after.trees[0]);
    let parts = [&row.title, &row.pin, &row.meta].map(|part| part.as_deref());
    assert_eq!(parts, [Some(&b"TRIP"[..]), Some(b"PERSONA"), Some(b"M")]);
    let bodies: Vec<_> = view.rows.iter().map(|row| row.body.as_slice()).collect();
    assert_eq!(bodies, [&b"ONE"[..], b"a much longer answer than before"]);
    // All else is as it was: versions, times, the journal.
    assert_eq!((after.changes, row.version, row.updated_ms), {
        let was = &before.sessions[0];
        (before.changes, was.version, was.updated_ms)
    });
    Ok(())
}

pub(super) async fn what_no_turn_wrote_is_resealed_too(store: &dyn Store) -> Checked {
    is_plain(store).await?;
    let ann = user(store);
    let rows = vec![row(1, None, Role::User), row(2, Some(1), Role::Assistant)];
    ann.apply(vec![Op::Import { session: Box::new(imported("s", Some(2))), after: 0, rows }]).await.unwrap();
    let body = b"in short".to_vec();
    let summary = Op::AddSummary { session: id("s"), upto: 2, over: None, body, model: "m".into(), usage: None };
    ann.apply(vec![summary]).await.unwrap();
    let others = vec![other(Stored::Message(2), "assistant 2", "two"), other(Stored::Message(3), "in short", "three")];
    assert_eq!(ann.apply(reseal("s", others)).await.unwrap(), [Done::Count(2)]);
    let bodies: Vec<_> = ann.tree("s").await.rows.into_iter().map(|row| row.body).collect();
    assert_eq!(bodies, [&b"user 1"[..], b"two", b"three"]);
    Ok(())
}

pub(super) async fn a_reply_that_runs_is_left_alone(store: &dyn Store) -> Checked {
    is_plain(store).await?;
    let ann = user(store);
    let (turn, opened) = ann.run(say("s", "hi")).await;
    let empty = other(Stored::Message(opened.reply_seq), "", "sealed");
    assert_eq!(
        ann.apply(reseal("s", vec![empty, other(Stored::Message(1), "hi", "HI")])).await.unwrap(),
        [Done::Count(1)]
    );
    ann.finish(end(turn, "hello")).await.unwrap();
    let bodies: Vec<_> = ann.tree("s").await.rows.into_iter().map(|row| row.body).collect();
    assert_eq!(bodies, [&b"HI"[..], b"hello"]);
    Ok(())
}

pub(super) async fn at_another_version_nothing_is_resealed(store: &dyn Store) -> Checked {
    is_plain(store).await?;
    let (ann, bob) = (user(store), User::of(&store.memory(), "bob"));
    ann.talk("s", "one").await;
    let (version, before) = (ann.session("s").await.unwrap().version, ann.everything().await);
    let ops = |version| {
        let resealed = vec![other(Stored::Message(1), "one", "1")];
        vec![Op::Reseal { session: id("s"), if_version: Some(version), resealed }]
    };
    fails(ann.apply(ops(version - 1)).await, Conflict);
    fails(bob.apply(ops(version)).await, NotFound);
    fails(ann.apply(reseal("none", Vec::new())).await, NotFound);
    let bad = Op::Delete { session: id("none") };
    fails(ann.apply([ops(version), vec![bad]].concat()).await, NotFound);
    assert_eq!(ann.everything().await, before);
    assert_eq!(ann.apply(ops(version)).await.unwrap(), [Done::Count(1)]);
    Ok(())
}

pub(super) async fn what_is_unindexed_is_found_no_more(store: &dyn Store) -> Checked {
    has_search(store).await?;
    let (ann, bob) = (user(store), User::of(&store.memory(), "bob"));
    for (user, session) in [(&ann, "a"), (&ann, "b"), (&bob, "a")] {
        user.talk(session, "kyoto").await;
        let title = Some(b"Kyoto".to_vec());
        user.apply(vec![Op::SetTitle { session: id(session), title: title.clone(), over: None }]).await.unwrap();
        let title = Some(TitleTerms { of: title, terms: vec!["kyoto".into()] });
        let messages = vec![terms(1, "kyoto")];
        user.apply(vec![Op::Index { session: id(session), from: 0, upto: 2, messages, title }]).await.unwrap();
    }
    let (before, his) = (ann.everything().await, bob.found("kyoto").await);
    for left in [1, 1, 0] {
        assert_eq!(ann.apply(vec![Op::Unindex { limit: 1 }]).await.unwrap(), [Done::Count(left)]);
    }
    assert_eq!((ann.found("kyoto").await, ann.everything().await), (vec![], before));
    assert_eq!((bob.found("kyoto").await, ann.unindexed().await.len()), (his, 2));
    fails(ann.apply(vec![Op::Unindex { limit: 0 }]).await, InvalidInput);
    // It may be indexed anew.
    ann.apply(vec![Op::Index { session: id("a"), from: 0, upto: 2, messages: vec![terms(1, "kyoto")], title: None }])
        .await
        .unwrap();
    assert_eq!(ann.found("kyoto").await, [("a".to_owned(), Some(1))]);
    Ok(())
}

pub(super) async fn owners_are_listed_by_name(store: &dyn Store) -> Checked {
    let names = ["ann", "bob", "Zoë", "cleo"];
    for name in names {
        User::of(&store.memory(), name).talk("s", "hi").await;
    }
    let ann = user(store);
    ann.talk("t", "hi").await;
    let list = async |after: Option<&str>, limit| {
        let after = after.map(|name| Owner::new(name).unwrap());
        match ann.query(Query::Owners { after, limit }).await.unwrap() {
            Answer::Owners(owners) => owners.iter().map(|owner| owner.as_str().to_owned()).collect::<Vec<_>>(),
            other => panic!("expected owners, got {other:?}"),
        }
    };
    assert_eq!(list(None, 10).await, ["Zoë", "ann", "bob", "cleo"]);
    assert_eq!(list(Some("Zoë"), 2).await, ["ann", "bob"]);
    assert_eq!(list(Some("cleo"), 2).await, [""; 0]);
    ann.apply(vec![Op::DeleteMany { sessions: vec![id("s"), id("t")] }]).await.unwrap();
    assert_eq!(list(Some("Zoë"), 2).await, ["bob", "cleo"]);
    Ok(())
}

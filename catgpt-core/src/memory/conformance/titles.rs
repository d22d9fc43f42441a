//! Titles: a person's own is never written over by the engine's.

use super::concurrency::at_once;
use super::kit::{end, fails, id, say, user};
use super::{Checked, Store};
use crate::error::ErrorKind::NotFound;
use crate::event::ChangeKind::{Created, Renamed, Titled, TurnBegun};
use crate::id::OpId;
use crate::memory::{Begin, Done, Op};

fn title(to: Option<&str>, over: Option<&str>) -> Op {
    let bytes = |text: Option<&str>| text.map(|text| text.as_bytes().to_vec());
    Op::SetTitle { session: id("s"), title: bytes(to), over: bytes(over) }
}

pub(super) async fn the_journal_tells_a_persons_title_from_the_engines(store: &dyn Store) -> Checked {
    let ann = user(store);
    ann.apply(vec![Op::create(id("s"))]).await.unwrap();
    let steps = [
        (title(Some("first"), None), Some("first")),
        (title(Some("second"), Some("first")), Some("second")),
        (title(None, Some("second")), None),
        (title(Some("third"), None), Some("third")),
        (title(None, None), None),
    ];
    for (op, now) in steps {
        let done = ann.apply(vec![op]).await.unwrap();
        let row = ann.session("s").await.unwrap();
        assert_eq!((row.title.as_deref(), done), (now.map(str::as_bytes), vec![Done::Version(row.version)]));
    }
    let kinds: Vec<_> = ann.changes(0, 1000).await.iter().map(|change| change.kind).collect();
    assert_eq!(kinds, [Created, Renamed, Titled, Titled, Renamed, Renamed]);
    Ok(())
}

pub(super) async fn a_title_that_was_changed_meanwhile_stays(store: &dyn Store) -> Checked {
    let ann = user(store);
    ann.apply(vec![Op::create(id("s"))]).await.unwrap();
    // `over` is compared byte by byte, and no title is not an empty one.
    for (there, over) in [(None, "x"), (None, ""), (Some("Mine"), "mine"), (Some("mine"), "mine "), (Some("á"), "a")] {
        ann.apply(vec![title(there, None)]).await.unwrap();
        let before = ann.everything().await;
        assert_eq!(ann.apply(vec![title(Some("new"), Some(over))]).await.unwrap(), [Done::Nothing]);
        assert_eq!(ann.apply(vec![title(None, Some(over))]).await.unwrap(), [Done::Nothing]);
        assert_eq!(ann.everything().await, before);
    }
    ann.apply(vec![title(Some(""), None)]).await.unwrap();
    ann.apply(vec![title(Some("new"), Some(""))]).await.unwrap();
    assert_eq!(ann.session("s").await.unwrap().title.as_deref(), Some(b"new".as_slice()));
    let none = Op::SetTitle { session: id("none"), title: None, over: Some(b"x".to_vec()) };
    fails(ann.apply(vec![none]).await, NotFound);
    Ok(())
}

pub(super) async fn a_retried_title_answers_what_it_answered(store: &dyn Store) -> Checked {
    let ann = user(store);
    ann.apply(vec![Op::create(id("s")), title(Some("guess"), None)]).await.unwrap();
    let op = OpId::fresh();
    let ops = vec![title(Some("better"), Some("guess"))];
    let done = ann.memory.apply(&ann.owner, op, ops.clone()).await.unwrap();
    let before = ann.everything().await;
    assert!(matches!(done[..], [Done::Version(_)]));
    assert_eq!(ann.memory.apply(&ann.owner, op, ops).await.unwrap(), done);
    assert_eq!(ann.everything().await, before);
    Ok(())
}

pub(super) async fn one_of_64_titles_takes_the_place(store: &dyn Store) -> Checked {
    let ann = user(store);
    ann.apply(vec![Op::create(id("s")), title(Some("guess"), None)]).await.unwrap();
    let done = at_once(64, |k| {
        let ann = ann.clone();
        async move { ann.apply(vec![title(Some(&k.to_string()), Some("guess"))]).await.unwrap()[0] }
    })
    .await;
    let winners: Vec<_> = (0..64).filter(|k| done[*k] != Done::Nothing).collect();
    assert_eq!(winners.len(), 1);
    assert_eq!(ann.changes(0, 1000).await.len(), 3);
    Ok(())
}

pub(super) async fn the_first_words_are_the_title_of_what_has_none(store: &dyn Store) -> Checked {
    let ann = user(store);
    let begin = |session: &str, title: &str| Begin { title: Some(title.into()), ..say(session, title) };
    ann.apply(vec![Op::create(id("made")), Op::create(id("s"))]).await.unwrap();
    ann.apply(vec![title(Some("Mine"), None)]).await.unwrap();
    for (session, first) in [("made", "Hello"), ("s", "Mine"), ("new", "Hello")] {
        let hello = begin(session, "Hello");
        let opened = ann.start(hello.clone()).await;
        assert_eq!(opened.session.title.as_deref(), Some(first.as_bytes()), "{session}");
        assert_eq!(
            (ann.session(session).await.unwrap(), &ann.start(hello.clone()).await),
            (opened.session.clone(), &opened)
        );
        ann.finish(end(hello.turn, "hi")).await.unwrap();
    }
    let kinds = |session: &'static str| async move {
        let changes = user(store).changes(0, 1000).await;
        changes
            .into_iter()
            .filter(|change| change.session == id(session))
            .map(|change| change.kind)
            .take(2)
            .collect::<Vec<_>>()
    };
    assert_eq!((kinds("made").await, kinds("new").await), (vec![Created, TurnBegun], vec![Created, TurnBegun]));
    // What was said later is no title, also where there is none any more.
    ann.apply(vec![title(None, None)]).await.unwrap();
    for session in ["s", "made"] {
        let before = ann.session(session).await.unwrap().title;
        assert_eq!(ann.whole(begin(session, "And then?")).await.session.title, before);
    }
    Ok(())
}

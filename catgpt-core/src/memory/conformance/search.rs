//! Search: what was indexed is found, by its owner, as long as it is there.

use std::time::Duration;

use super::kit::{THEN, User, end, fails, id, imported, row, say, terms, until, user};
use super::{Checked, Lacks, Store};
use crate::error::ErrorKind::{InvalidInput, NotFound, Unsupported};
use crate::id::{OpId, Seq};
use crate::memory::{Answer, Done, Hit, Imported, Op, Query, Row, Terms, TitleTerms, Unindexed};
use crate::message::Role;

fn index(session: &str, from: Seq, upto: Seq, messages: Vec<Terms>) -> Op {
    Op::Index { session: id(session), from, upto, messages, title: None }
}

fn index_title(session: &str, at: Seq, of: Option<&str>, words: &str) -> Op {
    let terms = words.split(' ').filter(|word| !word.is_empty()).map(str::to_owned).collect();
    let title = Some(TitleTerms { of: of.map(Into::into), terms });
    Op::Index { session: id(session), from: at, upto: at, messages: Vec::new(), title }
}

fn rename(session: &str, title: Option<&str>) -> Op {
    Op::SetTitle { session: id(session), title: title.map(Into::into), over: None }
}

fn hit(session: &str, seq: Seq) -> (String, Option<Seq>) {
    (session.to_owned(), Some(seq))
}

fn titled(session: &str) -> (String, Option<Seq>) {
    (session.to_owned(), None)
}

/// Whether there is a search. A store without one says so, whatever has to do with it.
pub(super) async fn has_search(store: &dyn Store) -> Checked {
    if store.memory().caps().search {
        return Ok(());
    }
    let ann = user(store);
    ann.talk("trip", "three days in kyoto").await;
    fails(ann.apply(vec![index("trip", 0, 2, Vec::new())]).await, Unsupported);
    fails(ann.query(Query::Unindexed { limit: 10 }).await, Unsupported);
    let search = Query::Search { terms: vec!["kyoto".into()], prefix: false, after: None, limit: 10 };
    fails(ann.query(search).await, Unsupported);
    Err(Lacks("it has no search"))
}

/// One session, of whose messages the first two have words.
async fn trip(user: &User) {
    user.talk("trip", "three days in kyoto").await;
    user.talk("trip", "and then").await;
    let messages = vec![terms(1, "three days in kyoto"), terms(2, "kyoto is three days")];
    user.apply(vec![index("trip", 0, 4, messages)]).await.unwrap();
}

pub(super) async fn all_words_must_be_there(store: &dyn Store) -> Checked {
    has_search(store).await?;
    let ann = user(store);
    trip(&ann).await;
    let mut both = ann.found("kyoto").await;
    both.sort();
    assert_eq!(both, [hit("trip", 1), hit("trip", 2)]);
    let cases = [
        ("in", vec![1]),
        ("kyoto in", vec![1]),
        ("is kyoto days three", vec![2]),
        ("is in", vec![]),
        ("kyoto osaka", vec![]),
        ("kyot", vec![]),
        ("Kyoto", vec![]),
        ("kyoto%", vec![]),
        ("_yoto", vec![]),
        ("*", vec![]),
        ("\"kyoto\"", vec![]),
        ("OR", vec![]),
    ];
    for (words, seqs) in cases {
        let found: Vec<_> = seqs.into_iter().map(|seq| hit("trip", seq)).collect();
        assert_eq!(ann.found(words).await, found, "{words}");
    }
    // A hit has its message and its session as they are.
    let (hits, _) = ann.search("in kyoto", false, None, 10).await;
    let view = ann.tree("trip").await;
    assert_eq!(hits, [Hit { session: view.session, row: Some(view.rows[0].clone()) }]);
    Ok(())
}

pub(super) async fn the_last_word_may_be_the_beginning_of_one(store: &dyn Store) -> Checked {
    has_search(store).await?;
    let ann = user(store);
    ann.talk("s", "hi").await;
    let messages = vec![terms(1, "kyoto kyotographer 100% été café_au"), terms(2, "kyudo")];
    ann.apply(vec![index("s", 0, 2, messages)]).await.unwrap();
    let cases = [
        ("ky", 2),
        ("kyoto", 1),
        ("kyotog", 1),
        ("ky kyoto", 0),
        ("kyoto ky", 1),
        ("kyudo kyo", 0),
        ("100", 1),
        ("100%", 1),
        ("%", 0),
        ("é", 1),
        ("e", 0),
        ("café_", 1),
        ("caféx", 0),
        ("yoto", 0),
    ];
    for (words, count) in cases {
        assert_eq!(ann.search(words, true, None, 10).await.0.len(), count, "{words}");
    }
    Ok(())
}

/// Forty messages, some of them of the same time, in four sessions with titles.
async fn many(ann: &User) -> Vec<(String, Option<Seq>)> {
    let mut places = Vec::new();
    for n in 0..4i64 {
        let name = format!("s{n}");
        let made = |seq: Seq| THEN + 10 * (i64::try_from(seq).unwrap() / 3);
        let row = |seq| Row { created_ms: made(seq), ..row(seq, None, Role::User) };
        let session = Imported { title: Some(b"word".to_vec()), created_ms: THEN + 7 * n, ..imported(&name, Some(10)) };
        let rows: Vec<_> = (1..=10).map(row).collect();
        let messages = (1..=10).map(|seq| terms(seq, "word")).collect();
        let ops = vec![
            Op::Import { session: Box::new(session), after: 0, rows: rows.clone() },
            index(&name, 0, 10, messages),
            index_title(&name, 10, Some("word"), "word"),
        ];
        ann.apply(ops).await.unwrap();
        places.extend((1..=10).map(|seq| hit(&name, seq)));
        places.push(titled(&name));
    }
    places
}

pub(super) async fn the_newest_come_first_page_by_page(store: &dyn Store) -> Checked {
    has_search(store).await?;
    let ann = user(store);
    let mut places = many(&ann).await;
    let (all, next) = ann.search("word", false, None, 1000).await;
    assert_eq!(next, None);
    let time = |hit: &Hit| hit.row.as_ref().map_or(hit.session.created_ms, |row| row.created_ms);
    assert!(all.windows(2).all(|two| time(&two[0]) >= time(&two[1])));
    let mut found: Vec<_> =
        all.iter().map(|hit| (hit.session.id.to_string(), hit.row.as_ref().map(|row| row.seq))).collect();
    found.sort();
    places.sort();
    assert_eq!(found, places);
    for size in [1, 7, 43, 44] {
        let (mut seen, mut after) = (Vec::new(), None);
        loop {
            let (hits, next) = ann.search("word", false, after, size).await;
            assert!(hits.len() == size as usize || next.is_none());
            seen.extend(hits);
            match next {
                Some(next) => after = Some(next),
                None => break,
            }
        }
        assert!(seen == all, "pages of {size}");
    }
    Ok(())
}

pub(super) async fn what_comes_meanwhile_disturbs_no_page(store: &dyn Store) -> Checked {
    has_search(store).await?;
    let ann = user(store);
    many(&ann).await;
    let (all, _) = ann.search("word", false, None, 1000).await;
    let (first, next) = ann.search("word", false, None, 10).await;
    ann.talk("new", "word").await;
    ann.apply(vec![index("new", 0, 2, vec![terms(1, "word")])]).await.unwrap();
    let rest = ann.search("word", false, next, 1000).await.0;
    assert!([first, rest].concat() == all);
    for cursor in ["", "x", "x y z", "\u{1f431}"] {
        let search = Query::Search { terms: vec!["word".into()], prefix: false, after: Some(cursor.into()), limit: 10 };
        fails(ann.query(search).await, InvalidInput);
    }
    fails(ann.query(Query::Search { terms: Vec::new(), prefix: true, after: None, limit: 10 }).await, InvalidInput);
    Ok(())
}

pub(super) async fn it_goes_on_only_from_where_it_is(store: &dyn Store) -> Checked {
    has_search(store).await?;
    let ann = user(store);
    ann.talk("s", "one").await;
    ann.talk("s", "two").await;
    let version = ann.session("s").await.unwrap().version;
    let kitten = |seq| vec![terms(seq, "kitten")];
    assert_eq!(ann.apply(vec![index("s", 1, 2, kitten(2))]).await.unwrap(), [Done::Nothing]);
    assert_eq!(ann.apply(vec![index("s", 0, 2, kitten(2))]).await.unwrap(), [Done::Version(version)]);
    assert_eq!(ann.apply(vec![index("s", 0, 4, kitten(3))]).await.unwrap(), [Done::Nothing]);
    assert_eq!(ann.apply(vec![index("s", 0, 2, kitten(1))]).await.unwrap(), [Done::Nothing]);
    assert_eq!(ann.found("kitten").await, [hit("s", 2)]);
    assert_eq!(ann.apply(vec![index("s", 2, 4, kitten(4))]).await.unwrap(), [Done::Version(version)]);
    let mut both = ann.found("kitten").await;
    both.sort();
    assert_eq!(both, [hit("s", 2), hit("s", 4)]);
    // Where it cannot go, and what does not fit there.
    fails(ann.apply(vec![index("s", 4, 5, Vec::new())]).await, NotFound);
    fails(ann.apply(vec![index("none", 0, 0, Vec::new())]).await, NotFound);
    for bad in [index("s", 4, 3, vec![]), index("s", 3, 4, kitten(3)), index("s", 3, 4, kitten(5))] {
        fails(ann.apply(vec![bad]).await, InvalidInput);
    }
    Ok(())
}

pub(super) async fn it_changes_nothing_else(store: &dyn Store) -> Checked {
    has_search(store).await?;
    let ann = user(store);
    ann.talk("s", "one").await;
    ann.apply(vec![rename("s", Some("t"))]).await.unwrap();
    let before = ann.everything().await;
    let op = OpId::fresh();
    let ops = vec![index("s", 0, 2, vec![terms(1, "one")]), index_title("s", 2, Some("t"), "t")];
    let done = ann.memory.apply(&ann.owner, op, ops.clone()).await.unwrap();
    assert_eq!(ann.everything().await, before);
    assert_eq!(ann.memory.apply(&ann.owner, op, ops.clone()).await.unwrap(), done);
    assert_eq!((ann.found("one").await, ann.found("t").await), (vec![hit("s", 1)], vec![titled("s")]));
    // Taken back with the rest of a call that fails.
    ann.talk("s", "two").await;
    let bad = Op::Delete { session: id("none") };
    fails(ann.apply(vec![index("s", 2, 4, vec![terms(3, "two")]), bad]).await, NotFound);
    assert_eq!(ann.found("two").await, []);
    ann.apply(vec![index("s", 2, 4, vec![terms(3, "two")])]).await.unwrap();
    assert_eq!(ann.found("two").await, [hit("s", 3)]);
    Ok(())
}

fn open(session: &str, indexed: Seq, title: bool) -> Unindexed {
    Unindexed { session: id(session), indexed, title }
}

pub(super) async fn a_title_is_found_as_long_as_it_is_the_title(store: &dyn Store) -> Checked {
    has_search(store).await?;
    let ann = user(store);
    ann.apply(vec![Op::create(id("s")), rename("s", Some("Kyoto"))]).await.unwrap();
    // The terms of another title are passed over.
    for of in [None, Some("kyoto"), Some("Osaka")] {
        ann.apply(vec![index_title("s", 0, of, "wrong")]).await.unwrap();
        assert_eq!((ann.found("wrong").await, ann.unindexed().await), (vec![], vec![open("s", 0, true)]));
    }
    ann.apply(vec![index_title("s", 0, Some("Kyoto"), "kyoto trip")]).await.unwrap();
    assert_eq!((ann.found("trip kyoto").await, ann.unindexed().await), (vec![titled("s")], vec![]));
    let (hits, _) = ann.search("trip", false, None, 10).await;
    assert_eq!(hits, [Hit { session: ann.session("s").await.unwrap(), row: None }]);
    // The same title once more, another one, none.
    ann.apply(vec![index_title("s", 0, Some("Kyoto"), "kyoto")]).await.unwrap();
    assert_eq!((ann.found("trip").await, ann.found("kyoto").await), (vec![], vec![titled("s")]));
    ann.apply(vec![rename("s", Some("Osaka"))]).await.unwrap();
    assert_eq!((ann.found("kyoto").await, ann.unindexed().await), (vec![], vec![open("s", 0, true)]));
    ann.apply(vec![index_title("s", 0, Some("Osaka"), "")]).await.unwrap();
    assert_eq!(ann.unindexed().await, [], "a title without words is done with");
    ann.apply(vec![rename("s", None)]).await.unwrap();
    assert_eq!(ann.unindexed().await, []);
    // The messages of the same call are taken in whatever has become of the title.
    ann.talk("s", "hi").await;
    let title = Some(TitleTerms { of: Some(b"Osaka".to_vec()), terms: vec!["osaka".into()] });
    let both = Op::Index { session: id("s"), from: 0, upto: 2, messages: vec![terms(1, "hi")], title };
    ann.apply(vec![both]).await.unwrap();
    assert_eq!((ann.found("hi").await, ann.found("osaka").await), (vec![hit("s", 1)], vec![]));
    Ok(())
}

pub(super) async fn what_is_not_indexed_is_listed(store: &dyn Store) -> Checked {
    has_search(store).await?;
    let ann = user(store);
    assert_eq!(ann.unindexed().await, []);
    ann.apply(vec![Op::create(id("empty"))]).await.unwrap();
    ann.talk("a", "hi").await;
    ann.talk("b", "hi").await;
    let (turn, _) = ann.run(say("c", "hi")).await;
    ann.apply(vec![rename("b", Some("t"))]).await.unwrap();
    // Where a turn runs the last message is not there yet.
    assert_eq!(ann.unindexed().await, [open("a", 0, false), open("b", 0, true)]);
    ann.finish(end(turn, "hello")).await.unwrap();
    ann.apply(vec![index("a", 0, 2, Vec::new()), index("b", 0, 1, Vec::new())]).await.unwrap();
    assert_eq!(ann.unindexed().await, [open("b", 1, true), open("c", 0, false)]);
    ann.talk("a", "more").await;
    assert_eq!(ann.unindexed().await, [open("a", 2, false), open("b", 1, true), open("c", 0, false)]);
    // A summary is a message too.
    ann.apply(vec![index("a", 2, 4, Vec::new()), index("c", 0, 2, Vec::new())]).await.unwrap();
    let (session, body) = (id("c"), b"in short".to_vec());
    let summary = Op::AddSummary { session, upto: 2, over: None, body, model: String::new(), usage: None };
    ann.apply(vec![summary, index_title("b", 1, Some("t"), "t")]).await.unwrap();
    assert_eq!(ann.unindexed().await, [open("b", 1, false), open("c", 2, false)]);
    match ann.query(Query::Unindexed { limit: 1 }).await.unwrap() {
        Answer::Unindexed(sessions) => assert_eq!(sessions.len(), 1),
        other => panic!("expected what is not indexed, got {other:?}"),
    }
    Ok(())
}

pub(super) async fn what_is_gone_is_not_found(store: &dyn Store) -> Checked {
    has_search(store).await?;
    let ann = user(store);
    let ttl = Some(Duration::from_millis(1));
    let ends = [
        vec![Op::Delete { session: id("trip") }],
        vec![Op::DeleteMany { sessions: vec![id("trip")] }],
        vec![Op::Erase { limit: 10 }],
        vec![Op::SetTtl { session: id("trip"), ttl }],
    ];
    for ops in ends {
        trip(&ann).await;
        ann.apply(vec![rename("trip", Some("Kyoto")), index_title("trip", 4, Some("Kyoto"), "kyoto")]).await.unwrap();
        assert_eq!(ann.found("kyoto").await.len(), 3);
        ann.apply(ops).await.unwrap();
        until("the session is gone", || async {
            ann.memory.sweep(100).await.unwrap();
            ann.sessions().await.is_empty()
        })
        .await;
        assert_eq!((ann.found("kyoto").await, ann.unindexed().await), (vec![], vec![]));
        // Nor when the id is used again.
        ann.talk("trip", "something else").await;
        assert_eq!((ann.found("kyoto").await, ann.unindexed().await), (vec![], vec![open("trip", 0, false)]));
        ann.apply(vec![Op::Delete { session: id("trip") }]).await.unwrap();
    }
    Ok(())
}

pub(super) async fn everybody_finds_only_his_own(store: &dyn Store) -> Checked {
    has_search(store).await?;
    let (ann, bob) = (user(store), User::of(&store.memory(), "bob"));
    trip(&ann).await;
    assert_eq!((bob.found("kyoto").await, bob.unindexed().await), (vec![], vec![]));
    fails(bob.apply(vec![index("trip", 4, 4, Vec::new())]).await, NotFound);
    bob.talk("trip", "osaka").await;
    bob.apply(vec![index("trip", 0, 2, vec![terms(1, "osaka kyoto")])]).await.unwrap();
    assert_eq!((ann.found("osaka").await, bob.found("osaka").await), (vec![], vec![hit("trip", 1)]));
    assert_eq!((ann.found("kyoto").await.len(), bob.found("kyoto").await.len()), (2, 1));
    // A cursor of somebody else opens nothing.
    let (_, next) = ann.search("kyoto", false, None, 1).await;
    let search = Query::Search { terms: vec!["kyoto".into()], prefix: false, after: next, limit: 10 };
    match bob.query(search).await {
        Ok(Answer::Hits { hits, .. }) => {
            assert!(hits.iter().all(|hit| hit.row.as_ref().is_some_and(|row| row.body == b"osaka")));
        }
        refused => fails(refused, InvalidInput),
    }
    Ok(())
}

//! What a guest did becomes a user's: all of it, once, and never over what the user has.

use super::kit::{SHORT, User, end, fails, id, say, terms, user};
use super::{Checked, Store};
use crate::error::ErrorKind::{Busy, Conflict, NotFound};
use crate::event::ChangeKind::{Created, Deleted};
use crate::id::{OpId, Owner};
use crate::memory::{Begin, Begun, Done, GroupBy, Op, Parent, Purpose, TitleTerms};
use crate::message::Usage;

fn guest(store: &dyn Store) -> User {
    User::of(&store.memory(), "guest")
}

fn claim() -> Vec<Op> {
    vec![Op::Claim { from: Owner::new("guest").unwrap() }]
}

fn keyed(session: &str, hash: u8) -> Begin {
    Begin { key: Some(("k".into(), [hash; 32])), ..say(session, "hi kyoto") }
}

fn bill(session: &str) -> Op {
    let usage = Usage { input_tokens: 5, ..Usage::default() };
    Op::Bill { session: id(session), model: "tabby".into(), purpose: Purpose::Title, usage, cost: 3 }
}

/// Two sessions with all that a session can have.
async fn live(guest: &User) -> Begin {
    let keyed = keyed("trip", 1);
    guest.whole(keyed.clone()).await;
    guest.whole(Begin { parent: Parent::Beside(Some(1)), ..say("trip", "better") }).await;
    let (title, body) = (Some(b"Kyoto".to_vec()), b"kyoto, in short".to_vec());
    let full =
        Op::Create { session: id("full"), title: title.clone(), pin: None, meta: Some(b"m".to_vec()), ttl: None };
    let summary = Op::AddSummary { session: id("trip"), upto: 2, over: None, body, model: "tabby".into(), usage: None };
    let mark = Op::Mark { session: id("full"), pinned: Some(true), archived: Some(true) };
    let title = Some(TitleTerms { of: title, terms: vec!["kyoto".into()] });
    let messages = vec![terms(1, "hi kyoto")];
    let index = [
        Op::Index { session: id("trip"), from: 0, upto: 2, messages, title: None },
        Op::Index { session: id("full"), from: 0, upto: 0, messages: Vec::new(), title },
    ];
    guest.apply(guest.able([vec![full, summary, mark, bill("trip")], index.to_vec()].concat())).await.unwrap();
    keyed
}

pub(super) async fn all_of_it_goes_along(store: &dyn Store) -> Checked {
    let (ann, guest) = (user(store), guest(store));
    let begin = live(&guest).await;
    let (trip, full) = (guest.tree("trip").await, guest.tree("full").await);
    let (hits, open, ledger) = (guest.found("kyoto").await, guest.unindexed().await, guest.ledger().await);
    assert_eq!((hits.len(), open.len()), (ann.hits(2), ann.hits(1)));
    assert_eq!(ann.apply(claim()).await.unwrap(), [Done::Count(2)]);
    assert_eq!((ann.tree("trip").await, ann.tree("full").await), (trip, full));
    assert_eq!((ann.found("kyoto").await, ann.unindexed().await, ann.ledger().await), (hits, open, ledger));
    assert_eq!(ann.begin(keyed("trip", 1)).await.unwrap(), Begun::Replay { turn: begin.turn });
    fails(ann.begin(keyed("trip", 2)).await, Conflict);
    assert_eq!(ann.begin(begin.clone()).await.unwrap(), Begun::Replay { turn: begin.turn });
    assert_eq!(ann.tail(begin.turn, 0).await.unwrap().rows[0].seq, 2);
    let opened = ann.whole(say("trip", "more")).await;
    assert_eq!((opened.user_seq, opened.summary.map(|row| row.seq)), (Some(6), Some(5)));
    Ok(())
}

pub(super) async fn nothing_of_it_stays_behind(store: &dyn Store) -> Checked {
    let (ann, guest) = (user(store), guest(store));
    let begin = live(&guest).await;
    let known = guest.changes(0, 1000).await.len() as u64;
    ann.apply(claim()).await.unwrap();
    assert_eq!((guest.sessions().await, guest.turns().await), (vec![], vec![]));
    assert_eq!((guest.found("kyoto").await, guest.unindexed().await, guest.ledger().await), (vec![], vec![], vec![]));
    for session in ["trip", "full"] {
        fails(guest.session(session).await, NotFound);
    }
    fails(guest.tail(begin.turn, 0).await, NotFound);
    fails(guest.begin(begin).await, NotFound);
    // Each is told once what has come of the sessions.
    for (user, after, kind) in [(&guest, known, Deleted), (&ann, 0, Created)] {
        let changes = user.changes(after, 1000).await;
        let mut told: Vec<_> = changes.iter().map(|change| (change.session.as_str(), change.kind)).collect();
        told.sort_by_key(|(session, _)| *session);
        assert_eq!(told, [("full", kind), ("trip", kind)]);
    }
    // The guest may begin anew, with the same names.
    assert!(guest.whole(keyed("trip", 2)).await.created);
    assert_eq!((ann.tree("trip").await.rows.len(), guest.tree("trip").await.rows.len()), (5, 2));
    Ok(())
}

pub(super) async fn equal_ids_are_refused_with_their_list(store: &dyn Store) -> Checked {
    let (ann, guest) = (user(store), guest(store));
    for session in ["a", "b, \"quoted\"", "c"] {
        guest.talk(session, "his").await;
    }
    for session in ["b, \"quoted\"", "c", "d"] {
        ann.talk(session, "hers").await;
    }
    ann.apply(vec![Op::Mark { session: id("c"), pinned: None, archived: Some(true) }]).await.unwrap();
    let before = (ann.all().await, guest.all().await);
    let error = ann.apply(claim()).await.unwrap_err();
    let list = error.context("sessions").expect("the fact `sessions`");
    let mut list: Vec<String> = serde_json::from_str(list).expect("a JSON array");
    list.sort();
    assert_eq!((error.kind(), list), (Conflict, vec!["b, \"quoted\"".to_owned(), "c".into()]));
    assert_eq!((ann.all().await, guest.all().await), before);
    guest.apply(vec![Op::DeleteMany { sessions: vec![id("b, \"quoted\""), id("c")] }]).await.unwrap();
    assert_eq!(ann.apply(claim()).await.unwrap(), [Done::Count(1)]);
    Ok(())
}

pub(super) async fn it_waits_until_no_turn_runs(store: &dyn Store) -> Checked {
    let (ann, guest) = (user(store), guest(store));
    guest.talk("ended", "hi").await;
    let (turn, _) = guest.run(Begin { lease: SHORT, ..say("s", "hi") }).await;
    let refused = async || {
        let error = ann.apply(claim()).await.unwrap_err();
        assert_eq!((error.kind(), error.turn()), (Busy, Some(turn)));
    };
    refused().await;
    // One whose lease has run out still has to be ended.
    guest.outlive(turn).await;
    let before = (ann.all().await, guest.all().await);
    refused().await;
    assert_eq!((ann.all().await, guest.all().await), before);
    guest.finish(end(turn, "hello")).await.unwrap();
    // What runs in the claimer's own sessions is no matter.
    ann.start(say("hers", "hi")).await;
    assert_eq!(ann.apply(claim()).await.unwrap(), [Done::Count(2)]);
    Ok(())
}

pub(super) async fn a_retried_claim_is_one(store: &dyn Store) -> Checked {
    let (ann, guest) = (user(store), guest(store));
    live(&guest).await;
    let op = OpId::fresh();
    assert_eq!(ann.memory.apply(&ann.owner, op, claim()).await.unwrap(), [Done::Count(2)]);
    guest.talk("later", "hi").await;
    let before = (ann.all().await, guest.all().await);
    assert_eq!(ann.memory.apply(&ann.owner, op, claim()).await.unwrap(), [Done::Count(2)]);
    assert_eq!((ann.all().await, guest.all().await), before);
    assert_eq!(ann.apply(claim()).await.unwrap(), [Done::Count(1)]);
    // Nothing is there to take: from oneself, from nobody, from one who has nothing left.
    let before = ann.all().await;
    for from in ["ann", "nobody", "guest"] {
        let done = ann.apply(vec![Op::Claim { from: Owner::new(from).unwrap() }]).await.unwrap();
        assert_eq!(done, [Done::Count(0)], "{from}");
    }
    assert_eq!(ann.all().await, before);
    Ok(())
}

pub(super) async fn a_claim_that_fails_leaves_both_as_they_are(store: &dyn Store) -> Checked {
    let (ann, guest) = (user(store), guest(store));
    let begin = live(&guest).await;
    ann.talk("hers", "hi").await;
    let before = (ann.all().await, guest.all().await);
    let gone = Op::Delete { session: id("trip") };
    for bad in [Op::Delete { session: id("none") }, gone] {
        // The second one deletes what has just come over, and then looks for it.
        fails(ann.apply([claim(), vec![bad.clone(), bad]].concat()).await, NotFound);
        assert_eq!((ann.all().await, guest.all().await), before);
        assert_eq!(guest.found("kyoto").await.len(), guest.hits(2));
        assert_eq!(guest.begin(keyed("trip", 1)).await.unwrap(), Begun::Replay { turn: begin.turn });
        assert_eq!(guest.tail(begin.turn, 0).await.unwrap().rows[0].seq, 2);
        fails(ann.tail(begin.turn, 0).await, NotFound);
    }
    Ok(())
}

pub(super) async fn equal_lines_of_the_ledgers_become_one(store: &dyn Store) -> Checked {
    let (ann, guest) = (user(store), guest(store));
    for user in [&ann, &guest] {
        user.talk("s", "hi").await;
        user.apply(vec![bill("s"), bill("s"), Op::Delete { session: id("s") }]).await.unwrap();
    }
    assert_eq!(ann.apply(claim()).await.unwrap(), [Done::Count(0)]);
    let spent = ann.spent(&[GroupBy::Purpose]).await;
    let sums: Vec<_> = spent.iter().map(|spent| (spent.calls, spent.usage.input_tokens, spent.cost)).collect();
    assert_eq!(sums, [(2, 0, 0), (4, 20, 12)]);
    assert_eq!(guest.ledger().await, []);
    Ok(())
}

pub(super) async fn of_two_equal_keys_the_one_that_comes_counts(store: &dyn Store) -> Checked {
    let (ann, guest) = (user(store), guest(store));
    ann.whole(keyed("s", 1)).await;
    ann.apply(vec![Op::Delete { session: id("s") }]).await.unwrap();
    let his = keyed("s", 2);
    guest.whole(his.clone()).await;
    assert_eq!(ann.apply(claim()).await.unwrap(), [Done::Count(1)]);
    assert_eq!(ann.begin(keyed("s", 2)).await.unwrap(), Begun::Replay { turn: his.turn });
    fails(ann.begin(keyed("s", 1)).await, Conflict);
    Ok(())
}

//! Owners never meet: what is foreign is not there.

use std::collections::BTreeMap;
use std::time::Duration;

use super::kit::{User, WHOLE, bury, end, fails, id, imported, piece, say, terms, user};
use super::{Checked, Store};
use crate::error::ErrorKind::NotFound;
use crate::id::{OpId, SessionId, TurnId};
use crate::memory::{Begin, Done, Kept, Op, Parent, Query, Read};
use crate::message::Role;

pub(super) async fn what_is_foreign_answers_as_if_it_were_not_there(store: &dyn Store) -> Checked {
    let (ann, bob) = (user(store), User::of(&store.memory(), "bob"));
    ann.talk("hers", "mine").await;
    let before = ann.all().await;
    for session in ["hers", "nobody's"] {
        let session = id(session);
        let reads = [
            Read::Branch { session: session.clone(), head: None, limit: WHOLE },
            Read::Branch { session: session.clone(), head: Some(1), limit: WHOLE },
            Read::Tree { session: session.clone(), after: 0, limit: WHOLE, bodies: true },
        ];
        for read in reads {
            fails(bob.read(read).await, NotFound);
        }
        fails(bob.query(Query::Session { session: session.clone() }).await, NotFound);
        let ops = [
            Op::SetTitle { session: session.clone(), title: Some(b"his".to_vec()), over: None },
            Op::SetPin { session: session.clone(), pin: b"his".to_vec() },
            Op::SetHead { session: session.clone(), head: 1, if_version: None },
            Op::Delete { session: session.clone() },
        ];
        let ops = ann.able([ops.to_vec(), newer(&session)].concat());
        for op in ops {
            fails(bob.apply(vec![op]).await, NotFound);
        }
        let under = Begin { parent: Parent::Under(1), ..say(session.as_str(), "hi") };
        fails(bob.begin(under).await, NotFound);
        let nothing = vec![
            Op::DeleteMany { sessions: vec![session.clone()] },
            Op::DeleteEmpty { limit: 10 },
            Op::Erase { limit: 10 },
        ];
        assert_eq!(bob.apply(nothing).await.unwrap(), [Done::Count(0); 3]);
    }
    assert_eq!(ann.all().await, before);
    assert_eq!(bob.all().await, User::of(&store.memory(), "nobody").all().await);
    Ok(())
}

/// What else can be tried on a session.
fn newer(session: &SessionId) -> Vec<Op> {
    let session = || session.clone();
    let body = b"his".to_vec();
    let imported = imported(session().as_str(), None);
    vec![
        Op::SetTitle { session: session(), title: None, over: Some(body.clone()) },
        Op::SetMeta { session: session(), meta: Some(body.clone()) },
        Op::Mark { session: session(), pinned: Some(true), archived: Some(true) },
        Op::SetTtl { session: session(), ttl: Some(Duration::ZERO) },
        Op::Import { session: Box::new(imported), after: 2, rows: Vec::new() },
        Op::AddSummary { session: session(), upto: 2, over: None, body, model: String::new(), usage: None },
        Op::SetSummary { session: session(), summary: None },
        Op::Index { session: session(), from: 0, upto: 2, messages: vec![terms(1, "his")], title: None },
    ]
}

pub(super) async fn a_foreign_turn_goes_on_untouched(store: &dyn Store) -> Checked {
    let (ann, bob) = (user(store), User::of(&store.memory(), "bob"));
    let (turn, _) = ann.run(say("hers", "hi")).await;
    ann.keep(piece(turn, 0, "Mi")).await.unwrap();
    let before = ann.everything().await;
    for turn in [turn, TurnId::fresh()] {
        fails(bob.tail(turn, 0).await, NotFound);
        fails(bob.finish(end(turn, "stolen")).await, NotFound);
        fails(bob.finish(bury(turn, "stolen")).await, NotFound);
        fails(bob.apply(vec![Op::Cancel { turn }]).await, NotFound);
        assert_eq!(bob.keep(piece(turn, 2, "ne")).await.unwrap(), Kept::Refused);
    }
    assert_eq!(ann.everything().await, before);
    assert_eq!(ann.keep(piece(turn, 2, "ow")).await.unwrap(), Kept::Renewed { cancel: false });
    Ok(())
}

pub(super) async fn two_owners_may_use_the_same_session_id_and_key(store: &dyn Store) -> Checked {
    for name in ["ann", "bob", "cleo"] {
        let user = User::of(&store.memory(), name);
        let keyed = Begin { key: Some(("k".into(), [7; 32])), ..say("chat", name) };
        let opened = user.whole(keyed).await;
        assert!(opened.created);
        let rows = user.branch("chat", None).await.rows;
        let said: Vec<_> = rows.iter().map(|row| String::from_utf8_lossy(&row.body).into_owned()).collect();
        assert_eq!(said, [name.to_owned(), format!("re: {name}")]);
    }
    Ok(())
}

pub(super) async fn the_turn_id_of_another_owner_is_refused(store: &dyn Store) -> Checked {
    let (ann, bob) = (user(store), User::of(&store.memory(), "bob"));
    let (turn, _) = ann.run(say("chat", "hi")).await;
    let before = ann.everything().await;
    fails(bob.begin(Begin { turn, ..say("chat", "hi") }).await, NotFound);
    assert_eq!(bob.sessions().await, []);
    assert_eq!(ann.everything().await, before);
    Ok(())
}

pub(super) async fn the_operation_id_of_another_owner_is_free(store: &dyn Store) -> Checked {
    let op = OpId::fresh();
    for name in ["ann", "bob"] {
        let user = User::of(&store.memory(), name);
        let ops = vec![Op::Create { session: id(name), title: Some(name.into()), pin: None, meta: None, ttl: None }];
        user.memory.apply(&user.owner, op, ops).await.unwrap();
        assert_eq!(user.session(name).await.unwrap().title.as_deref(), Some(name.as_bytes()));
    }
    Ok(())
}

pub(super) async fn names_are_taken_literally(store: &dyn Store) -> Checked {
    let names = ["a", "A", "a ", " a", "á", "a\u{301}", "%", "_", "a%", "'; --", "\u{1f431}", "0", "00"];
    for name in names {
        let user = User::of(&store.memory(), name);
        for session in names {
            let keyed = Begin { key: Some((session.into(), [1; 32])), ..say(session, &format!("{name} in {session}")) };
            assert!(user.whole(keyed).await.created);
        }
    }
    for name in names {
        let user = User::of(&store.memory(), name);
        assert_eq!(user.sessions().await.len(), names.len());
        for session in names {
            let rows = user.branch(session, None).await.rows;
            assert_eq!((rows.len(), rows[0].body.as_slice()), (2, format!("{name} in {session}").as_bytes()));
        }
    }
    Ok(())
}

pub(super) async fn lists_turns_and_changes_show_only_ones_own(store: &dyn Store) -> Checked {
    let (ann, bob) = (user(store), User::of(&store.memory(), "bob"));
    let (hers, _) = ann.run(say("a", "hi")).await;
    let (his, _) = bob.run(say("b", "hi")).await;
    for (user, session, turn) in [(&ann, "a", hers), (&bob, "b", his)] {
        let seen = user.everything().await;
        assert_eq!(seen.sessions.iter().map(|row| row.id.as_str()).collect::<Vec<_>>(), [session]);
        assert_eq!(seen.turns, [(id(session), turn)]);
        assert_eq!(seen.changes.iter().map(|change| change.n).collect::<Vec<_>>(), [1, 2]);
        assert!(seen.changes.iter().all(|change| change.session == id(session)));
    }
    Ok(())
}

/// What one owner's sessions must hold, kept beside the store.
type Model = BTreeMap<&'static str, Vec<String>>;

pub(super) async fn three_owners_at_random_never_meet(store: &dyn Store) -> Checked {
    let users = ["ann", "bob", "cleo"].map(|name| User::of(&store.memory(), name));
    let mut models: [Model; 3] = Default::default();
    let mut turns: Vec<(usize, TurnId)> = Vec::new();
    let mut rng = fastrand::Rng::with_seed(3);
    for step in 0..300 {
        let who = rng.usize(0..3);
        let session = ["s", "t", "u"][rng.usize(0..3)];
        let (user, model) = (&users[who], &mut models[who]);
        match rng.u8(0..10) {
            0..5 => {
                let begin = say(session, &format!("{who} says {step}"));
                turns.push((who, begin.turn));
                user.whole(begin).await;
                model.entry(session).or_default().push(format!("{who} says {step}"));
            }
            5 => {
                let done = user.apply(vec![Op::Delete { session: id(session) }]).await;
                assert_eq!(done.is_ok(), model.remove(session).is_some(), "step {step}");
            }
            6 => {
                let done = user
                    .apply(vec![Op::SetTitle { session: id(session), title: Some(b"t".to_vec()), over: None }])
                    .await;
                assert_eq!(done.is_ok(), model.contains_key(session), "step {step}");
            }
            _ => poke(user, who, &turns, &mut rng).await,
        }
        for (user, model) in users.iter().zip(&models) {
            compare(user, model, step).await;
        }
    }
    Ok(())
}

/// Tries to reach a turn of somebody else.
async fn poke(user: &User, who: usize, turns: &[(usize, TurnId)], rng: &mut fastrand::Rng) {
    let foreign: Vec<_> = turns.iter().filter(|(owner, _)| *owner != who).collect();
    let Some((_, turn)) = foreign.get(rng.usize(0..foreign.len().max(1))) else { return };
    fails(user.tail(*turn, 0).await, NotFound);
    fails(user.finish(end(*turn, "stolen")).await, NotFound);
    fails(user.apply(vec![Op::Cancel { turn: *turn }]).await, NotFound);
}

async fn compare(user: &User, model: &Model, step: usize) {
    let mut seen = Model::new();
    for row in user.sessions().await {
        let name = ["s", "t", "u"].into_iter().find(|name| row.id == id(name)).unwrap();
        let rows = user.branch(name, None).await.rows;
        let asked = rows.into_iter().filter(|row| row.role == Role::User);
        seen.insert(name, asked.map(|row| String::from_utf8(row.body).unwrap()).collect());
    }
    assert_eq!(&seen, model, "after step {step}");
}

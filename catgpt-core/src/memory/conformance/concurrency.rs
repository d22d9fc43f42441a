//! Many at once: the store decides, and it decides for one.

use std::fmt::Debug;
use std::future::Future;

use tokio::task::JoinSet;

use super::kit::{SHORT, User, bury, end, fails, id, imported, piece, row, say, terms, until, user};
use super::{Checked, Store};
use crate::error::ErrorKind::{self, Busy, Conflict, NotFound};
use crate::error::Result;
use crate::id::{OpId, TurnId};
use crate::memory::{Begin, Begun, Done, Kept, Op, Sealed};
use crate::message::{Role, Status};

/// Runs `n` calls at once and returns their answers.
pub(super) async fn at_once<T, F>(n: usize, call: impl Fn(usize) -> F) -> Vec<T>
where
    T: Debug + Send + 'static,
    F: Future<Output = T> + Send + 'static,
{
    let mut tasks = JoinSet::new();
    for k in 0..n {
        tasks.spawn(call(k));
    }
    tasks.join_all().await
}

pub(super) async fn one_of_64_begins_wins(store: &dyn Store) -> Checked {
    let ann = user(store);
    for session in ["new", "old"] {
        if session == "old" {
            ann.talk(session, "before").await;
        }
        let begun = at_once(64, |k| {
            let ann = ann.clone();
            async move { ann.begin(say(session, &k.to_string())).await.unwrap() }
        })
        .await;
        let winners: Vec<_> = begun.iter().filter_map(started).collect();
        assert_eq!(winners.len(), 1);
        let busy = begun.iter().filter(|begun| matches!(begun, Begun::Busy { turn, .. } if *turn == winners[0]));
        assert_eq!(busy.count(), 63);
    }
    assert_eq!((ann.tree("new").await.rows.len(), ann.tree("old").await.rows.len()), (2, 4));
    Ok(())
}

/// The turn that began: the reply's turn stands in the session's row.
pub(super) fn started(begun: &Begun) -> Option<TurnId> {
    match begun {
        Begun::Started(opened) => opened.session.running,
        _ => None,
    }
}

pub(super) async fn one_key_begins_one_turn(store: &dyn Store) -> Checked {
    let ann = user(store);
    let begun = at_once(50, |_| {
        let ann = ann.clone();
        async move { ann.begin(Begin { key: Some(("k".into(), [1; 32])), ..say("s", "hi") }).await.unwrap() }
    })
    .await;
    let winners: Vec<_> = begun.iter().filter_map(started).collect();
    assert_eq!(winners.len(), 1);
    let replays = begun.iter().filter(|begun| **begun == Begun::Replay { turn: winners[0] });
    assert_eq!(replays.count(), 49);
    assert_eq!(ann.tree("s").await.rows.len(), 2);
    Ok(())
}

pub(super) async fn one_turn_id_begins_one_turn(store: &dyn Store) -> Checked {
    let ann = user(store);
    let begin = say("s", "hi");
    let begun = at_once(50, |_| {
        let (ann, begin) = (ann.clone(), begin.clone());
        async move { ann.start(begin).await }
    })
    .await;
    assert!(begun.iter().all(|opened| *opened == begun[0]));
    assert_eq!((ann.tree("s").await.rows.len(), ann.changes(0, 100).await.len()), (2, 2));
    Ok(())
}

/// Sends until it is its turn, and returns how much it saw.
async fn send(user: User, text: String) -> usize {
    let begin = say("s", &text);
    until("it is its turn", || async { matches!(user.begin(begin.clone()).await.unwrap(), Begun::Started(_)) }).await;
    // A repeated begin answers the same, so the window may be asked for once more.
    let seen = user.start(begin.clone()).await.window.len();
    user.keep(piece(begin.turn, 0, &text)).await.unwrap();
    assert_eq!(user.finish(end(begin.turn, &text)).await.unwrap(), Sealed::Now);
    seen
}

pub(super) async fn turns_that_wait_their_turn_see_each_other(store: &dyn Store) -> Checked {
    let ann = user(store);
    let mut seen = at_once(32, |k| send(ann.clone(), k.to_string())).await;
    seen.sort_unstable();
    // Whoever came after n others saw both messages of each of them, and its own.
    assert_eq!(seen, (0..32).map(|n| 2 * n + 1).collect::<Vec<_>>());
    let rows = ann.branch("s", None).await.rows;
    assert_eq!(rows.iter().map(|row| row.seq).collect::<Vec<_>>(), (1..=64).collect::<Vec<_>>());
    assert!(rows.chunks(2).all(|two| two[0].body == two[1].body && two[0].turn == two[1].turn));
    Ok(())
}

pub(super) async fn many_sessions_do_not_disturb_each_other(store: &dyn Store) -> Checked {
    let memory = store.memory();
    at_once(32, |k| {
        let user = User::of(&memory, &format!("ann {}", k % 4));
        async move {
            for n in 0..4 {
                user.talk(&format!("s{k}"), &format!("{k}: {n}")).await;
            }
        }
    })
    .await;
    for k in 0..32 {
        let user = User::of(&memory, &format!("ann {}", k % 4));
        let rows = user.branch(&format!("s{k}"), None).await.rows;
        let asked: Vec<_> = rows.iter().step_by(2).map(|row| String::from_utf8_lossy(&row.body).into_owned()).collect();
        assert_eq!(asked, (0..4).map(|n| format!("{k}: {n}")).collect::<Vec<_>>());
        // 8 sessions, each with its making and 4 turns.
        assert_eq!(user.changes(0, 1000).await.iter().map(|c| c.n).collect::<Vec<_>>(), (1..=72).collect::<Vec<_>>());
    }
    Ok(())
}

pub(super) async fn one_of_64_finishes_wins(store: &dyn Store) -> Checked {
    let ann = user(store);
    let (turn, _) = ann.run(say("s", "hi")).await;
    let sealed = at_once(64, |k| {
        let ann = ann.clone();
        async move { ann.finish(end(turn, &k.to_string())).await.unwrap() }
    })
    .await;
    assert_eq!(sealed.iter().filter(|sealed| **sealed == Sealed::Now).count(), 1);
    let stored = ann.tail(turn, 0).await.unwrap().rows.remove(0);
    assert_eq!(sealed.iter().filter(|sealed| **sealed == Sealed::Before(Box::new(stored.clone()))).count(), 63);
    Ok(())
}

pub(super) async fn one_of_64_retried_calls_is_made(store: &dyn Store) -> Checked {
    let ann = user(store);
    let op = OpId::fresh();
    let done = at_once(64, |_| {
        let ann = ann.clone();
        let ops = vec![Op::create(id("s"))];
        async move { ann.memory.apply(&ann.owner, op, ops).await.unwrap() }
    })
    .await;
    assert!(done.iter().all(|each| *each == done[0] && matches!(each[..], [Done::Version(_)])));
    assert_eq!(ann.changes(0, 100).await.len(), 1);
    Ok(())
}

/// So many turns, each in its session, whose leases have run out.
async fn dead(user: &User, n: usize) -> Vec<TurnId> {
    let mut turns = Vec::new();
    for k in 0..n {
        turns.push(user.run(Begin { lease: SHORT, ..say(&format!("s{k}"), "hi") }).await.0);
    }
    for turn in &turns {
        user.outlive(*turn).await;
    }
    turns
}

pub(super) async fn the_dead_are_buried_once(store: &dyn Store) -> Checked {
    let ann = user(store);
    let turn = dead(&ann, 1).await[0];
    let sealed = at_once(64, |k| {
        let ann = ann.clone();
        async move { ann.finish(bury(turn, &k.to_string())).await.unwrap() }
    })
    .await;
    assert_eq!(sealed.iter().filter(|sealed| **sealed == Sealed::Now).count(), 1);
    assert_eq!(sealed.iter().filter(|sealed| matches!(sealed, Sealed::Before(_))).count(), 63);
    assert_eq!(ann.changes(0, 100).await.len(), 3);
    Ok(())
}

pub(super) async fn a_sign_of_life_and_a_burial_do_not_both_win(store: &dyn Store) -> Checked {
    let ann = user(store);
    for turn in dead(&ann, 20).await {
        let (kept, sealed) = tokio::join!(
            tokio::spawn({
                let ann = ann.clone();
                async move { ann.keep(piece(turn, 0, "Hel")).await.unwrap() }
            }),
            tokio::spawn({
                let ann = ann.clone();
                async move { ann.finish(bury(turn, "")).await.unwrap() }
            }),
        );
        let alive = match (kept.unwrap(), sealed.unwrap()) {
            (Kept::Renewed { cancel: false }, Sealed::Alive { .. }) => true,
            (Kept::Refused, Sealed::Now) => false,
            both => panic!("only one of them can win, not {both:?}"),
        };
        let view = ann.tail(turn, 0).await.unwrap();
        assert_eq!((view.rows[0].status == Status::Running, view.chunks.len()), (alive, usize::from(alive)));
    }
    Ok(())
}

pub(super) async fn an_end_and_a_deletion_leave_nothing_behind(store: &dyn Store) -> Checked {
    let ann = user(store);
    for round in 0..20 {
        let (turn, _) = ann.run(say("s", "hi")).await;
        let (sealed, deleted) = tokio::join!(
            tokio::spawn({
                let ann = ann.clone();
                async move { ann.finish(end(turn, "hello")).await }
            }),
            tokio::spawn({
                let ann = ann.clone();
                async move { ann.apply(vec![Op::Delete { session: id("s") }]).await }
            }),
        );
        deleted.unwrap().unwrap();
        match sealed.unwrap() {
            Ok(Sealed::Now) => {}
            refused => fails(refused, NotFound),
        }
        fails(ann.tail(turn, 0).await, NotFound);
        assert_eq!((ann.sessions().await.len(), ann.turns().await.len()), (0, 0), "round {round}");
    }
    Ok(())
}

/// How many of the answers are `Ok`; the others must be refusals of this kind.
fn made<T: Debug>(answers: Vec<Result<T>>, kind: ErrorKind) -> usize {
    let (made, refused): (Vec<_>, Vec<_>) = answers.into_iter().partition(Result::is_ok);
    refused.into_iter().for_each(|refused| fails(refused, kind));
    made.len()
}

pub(super) async fn one_of_64_imports_is_made(store: &dyn Store) -> Checked {
    let ann = user(store);
    for after in [0, 1] {
        let done = at_once(64, |_| {
            let ann = ann.clone();
            let rows = vec![row(after + 1, None, Role::User)];
            let op = Op::Import { session: Box::new(imported("s", None)), after, rows };
            async move { ann.apply(vec![op]).await }
        })
        .await;
        assert_eq!(made(done, Conflict), 1);
    }
    assert_eq!((ann.tree("s").await.rows.len(), ann.changes(0, 100).await.len()), (2, 2));
    Ok(())
}

pub(super) async fn one_of_64_summaries_stands(store: &dyn Store) -> Checked {
    let ann = user(store);
    ann.talk("s", "hi").await;
    let add =
        || Op::AddSummary { session: id("s"), upto: 2, over: None, body: vec![1], model: "m".into(), usage: None };
    let index = || Op::Index { session: id("s"), from: 0, upto: 2, messages: vec![terms(1, "hi")], title: None };
    for op in ann.able(vec![add(), index()]) {
        let done = at_once(64, |_| {
            let (ann, op) = (ann.clone(), op.clone());
            async move { ann.apply(vec![op]).await.unwrap()[0] }
        })
        .await;
        assert_eq!(done.iter().filter(|done| **done == Done::Nothing).count(), 63, "{done:?}");
    }
    assert_eq!((ann.tree("s").await.rows.len(), ann.found("hi").await.len()), (3, ann.hits(1)));
    Ok(())
}

pub(super) async fn a_claim_and_a_turn_do_not_both_have_the_session(store: &dyn Store) -> Checked {
    let memory = store.memory();
    for round in 0..20 {
        let (ann, guest) = (User::of(&memory, &format!("ann {round}")), User::of(&memory, &format!("guest {round}")));
        guest.talk("s", "hi").await;
        let claim = vec![Op::Claim { from: guest.owner.clone() }];
        let (begun, claimed) = tokio::join!(
            tokio::spawn({
                let guest = guest.clone();
                async move { guest.start(say("s", "more")).await }
            }),
            tokio::spawn({
                let ann = ann.clone();
                async move { ann.apply(claim).await }
            }),
        );
        let (hers, his) = (ann.sessions().await.len(), guest.tree("s").await.rows.len());
        match (begun.unwrap().created, claimed.unwrap()) {
            (true, Ok(done)) => assert_eq!((done, hers, his), (vec![Done::Count(1)], 1, 2), "round {round}"),
            (false, refused) => {
                fails(refused, Busy);
                assert_eq!((hers, his), (0, 4), "round {round}");
            }
            both => panic!("only one of them can have it, not {both:?}"),
        }
    }
    Ok(())
}

//! The journal of changes: what an owner's feed is read from.

use super::kit::{User, end, id, say, user};
use super::{Checked, Store};
use crate::event::ChangeKind::{self, Created, Deleted, Renamed, TurnBegun, TurnEnded, Updated};
use crate::id::{OpId, Owner, TurnId};
use crate::memory::{Answer, Op, Query};

type Entry = (u64, &'static str, ChangeKind, Option<TurnId>);

async fn entries(user: &User, after: u64) -> Vec<Entry> {
    let changes = user.changes(after, 1000).await;
    let entry = changes.iter().map(|change| {
        let session = ["s", "t"].into_iter().find(|name| change.session == id(name)).unwrap();
        (change.n, session, change.kind, change.turn)
    });
    entry.collect()
}

pub(super) async fn it_holds_every_change_in_order(store: &dyn Store) -> Checked {
    let ann = user(store);
    assert_eq!(entries(&ann, 0).await, []);
    let (turn, _) = ann.run(say("s", "hi")).await;
    ann.apply(vec![Op::create(id("t"))]).await.unwrap();
    ann.finish(end(turn, "hello")).await.unwrap();
    let (title, pin) = (Some(b"t".to_vec()), b"p".to_vec());
    let head = Op::SetHead { session: id("s"), head: 1, if_version: None };
    ann.apply(vec![Op::SetTitle { session: id("s"), title, over: None }, Op::SetPin { session: id("t"), pin }])
        .await
        .unwrap();
    ann.apply(vec![head, Op::Delete { session: id("t") }]).await.unwrap();
    let all = [
        (1, "s", Created, None),
        (2, "s", TurnBegun, Some(turn)),
        (3, "t", Created, None),
        (4, "s", TurnEnded, Some(turn)),
        (5, "s", Renamed, None),
        (6, "t", Updated, None),
        (7, "s", Updated, None),
        (8, "t", Deleted, None),
    ];
    assert_eq!(entries(&ann, 0).await, all);
    let times: Vec<_> = ann.changes(0, 1000).await.iter().map(|change| change.at_ms).collect();
    assert!(times[0] > 1_600_000_000_000 && times.is_sorted());
    Ok(())
}

pub(super) async fn it_is_read_from_where_one_was(store: &dyn Store) -> Checked {
    let ann = user(store);
    ann.talk("s", "one").await;
    ann.talk("s", "two").await;
    let all = ann.changes(0, 1000).await;
    assert_eq!(all.iter().map(|change| change.n).collect::<Vec<_>>(), [1, 2, 3, 4, 5]);
    for after in 0..=5 {
        assert_eq!(ann.changes(after, 1000).await, all[usize::try_from(after).unwrap()..]);
    }
    assert_eq!(ann.changes(1, 2).await, all[1..3]);
    assert_eq!(ann.changes(99, 2).await, []);
    let bob = User { owner: Owner::new("bob").unwrap(), ..ann.clone() };
    assert_eq!(ann.query(Query::JournalEnd).await.unwrap(), Answer::JournalEnd(5));
    assert_eq!(bob.query(Query::JournalEnd).await.unwrap(), Answer::JournalEnd(0));
    Ok(())
}

pub(super) async fn the_journals_of_many_are_read_at_once(store: &dyn Store) -> Checked {
    let memory = store.memory();
    let [ann, bob, cleo] = ["ann", "bob", "cleo"].map(|name| User::of(&memory, name));
    for user in [&ann, &bob] {
        for session in ["s", "t"] {
            user.talk(session, "hi").await;
        }
    }
    let (hers, his) = (ann.changes(0, 100).await, bob.changes(0, 100).await);
    let read = |after: &[(&User, u64)], limit| {
        let after = after.iter().map(|(user, n)| (user.owner.clone(), *n)).collect();
        // Who asks is not meant, unless it is named.
        let query = Query::Journals { after, limit };
        let cleo = cleo.clone();
        async move {
            match cleo.query(query).await.unwrap() {
                Answer::Journals(mut journals) => {
                    journals.sort_by(|(a, _), (b, _)| a.cmp(b));
                    journals
                }
                other => panic!("expected journals, got {other:?}"),
            }
        }
    };
    let (a, b) = (ann.owner.clone(), bob.owner.clone());
    let both = read(&[(&bob, 0), (&ann, 0), (&cleo, 0)], 100).await;
    assert_eq!(both, [(a.clone(), hers.clone()), (b.clone(), his.clone())]);
    // Each from where it was, and so many of each.
    let both = read(&[(&ann, 1), (&bob, 4)], 3).await;
    assert_eq!(both, [(a, hers[1..4].to_vec()), (b.clone(), his[4..].to_vec())]);
    // Who has no news is not mentioned.
    assert_eq!(read(&[(&ann, 6), (&bob, 5)], 100).await, [(b, his[5..].to_vec())]);
    assert_eq!(read(&[(&ann, 6), (&bob, 99), (&cleo, 0)], 100).await, []);
    assert_eq!(read(&[], 100).await, []);
    Ok(())
}

pub(super) async fn retries_and_refusals_leave_no_entry(store: &dyn Store) -> Checked {
    let ann = user(store);
    let begin = say("s", "hi");
    ann.start(begin.clone()).await;
    let before = ann.changes(0, 1000).await;
    ann.begin(begin.clone()).await.unwrap();
    ann.begin(say("s", "busy")).await.unwrap();
    assert_eq!(ann.changes(0, 1000).await, before);
    ann.finish(end(begin.turn, "hello")).await.unwrap();
    let op = OpId::fresh();
    let ops = vec![Op::SetTitle { session: id("s"), title: None, over: None }];
    ann.memory.apply(&ann.owner, op, ops.clone()).await.unwrap();
    let before = ann.changes(0, 1000).await;
    assert_eq!(before.len(), 4);
    ann.begin(begin.clone()).await.unwrap();
    ann.finish(end(begin.turn, "hello")).await.unwrap();
    ann.memory.apply(&ann.owner, op, ops).await.unwrap();
    ann.apply(vec![Op::Cancel { turn: begin.turn }]).await.unwrap();
    ann.apply(vec![Op::create(id("s"))]).await.unwrap();
    assert_eq!(ann.changes(0, 1000).await, before);
    Ok(())
}

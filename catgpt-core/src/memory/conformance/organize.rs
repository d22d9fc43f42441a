//! Marks, metadata, the order of lists, and the time to live.

use std::time::Duration;

use super::kit::{LONG, User, end, id, say, until, user};
use super::{Checked, Store};
use crate::event::ChangeKind::{Deleted, Updated};
use crate::memory::{Answer, Begin, Cursor, Done, Op, Query, SessionRow};

fn mark(session: &str, pinned: Option<bool>, archived: Option<bool>) -> Op {
    Op::Mark { session: id(session), pinned, archived }
}

fn ttl(session: &str, ttl: Option<Duration>) -> Op {
    Op::SetTtl { session: id(session), ttl }
}

/// Makes something happen at a later time than the session's last change.
async fn later(ann: &User, than: &SessionRow) {
    until("the store's clock has moved", || async {
        ann.apply(vec![Op::SetMeta { session: id("clock"), meta: None }]).await.unwrap();
        ann.session("clock").await.unwrap().updated_ms > than.updated_ms
    })
    .await;
}

pub(super) async fn a_mark_changes_what_it_names_and_nothing_else(store: &dyn Store) -> Checked {
    let ann = user(store);
    ann.apply(vec![Op::create(id("clock"))]).await.unwrap();
    ann.talk("s", "hi").await;
    let mut last = ann.session("s").await.unwrap();
    assert!(!last.pinned && !last.archived);
    later(&ann, &last).await;
    let marks = [
        (Some(true), None, (true, false)),
        (None, Some(true), (true, true)),
        (Some(false), None, (false, true)),
        (None, None, (false, true)),
        (Some(true), Some(false), (true, false)),
    ];
    for (pinned, archived, marked) in marks {
        let done = ann.apply(vec![mark("s", pinned, archived)]).await.unwrap();
        let row = ann.session("s").await.unwrap();
        assert_eq!(((row.pinned, row.archived), done), (marked, vec![Done::Version(row.version)]));
        assert!(row.version > last.version);
        // The time of the last change stays: a session does not move in a list because it was put back into it.
        let (pinned, archived) = marked;
        assert_eq!(row, SessionRow { pinned, archived, version: row.version, ..last });
        assert_eq!(ann.changes(0, 1000).await.last().map(|change| change.kind), Some(Updated));
        last = row;
    }
    // Also while a turn runs.
    let (turn, _) = ann.run(say("s", "more")).await;
    ann.apply(vec![mark("s", Some(false), None)]).await.unwrap();
    let row = ann.session("s").await.unwrap();
    assert_eq!((row.pinned, row.running), (false, Some(turn)));
    Ok(())
}

pub(super) async fn metadata_is_set_and_taken_away(store: &dyn Store) -> Checked {
    let ann = user(store);
    let bytes: Vec<u8> = (0..=255).collect();
    let made = Op::Create { session: id("s"), title: None, pin: None, meta: Some(bytes.clone()), ttl: None };
    ann.apply(vec![made]).await.unwrap();
    let first = ann.session("s").await.unwrap();
    assert_eq!(first.meta, Some(bytes));
    for meta in [Some(b"{}".to_vec()), Some(Vec::new()), None] {
        let before = ann.session("s").await.unwrap();
        let done = ann.apply(vec![Op::SetMeta { session: id("s"), meta: meta.clone() }]).await.unwrap();
        let row = ann.session("s").await.unwrap();
        assert_eq!((&row.meta, done), (&meta, vec![Done::Version(row.version)]));
        assert!(row.version > before.version && row.updated_ms >= before.updated_ms);
        assert_eq!(ann.sessions().await, [row]);
        assert_eq!(ann.changes(0, 1000).await.last().map(|change| change.kind), Some(Updated));
    }
    Ok(())
}

async fn list(ann: &User, after: Option<Cursor>, limit: u32, archived: bool) -> (Vec<SessionRow>, bool) {
    match ann.query(Query::Sessions { after, limit, archived }).await.unwrap() {
        Answer::Sessions { rows, more } => (rows, more),
        other => panic!("expected sessions, got {other:?}"),
    }
}

fn place(row: &SessionRow) -> Cursor {
    Cursor { pinned: row.pinned, updated_ms: row.updated_ms, session: row.id.clone() }
}

/// A list read in pages of one size.
async fn paged(ann: &User, size: u32, archived: bool) -> Vec<SessionRow> {
    let (mut seen, mut after) = (Vec::new(), None);
    loop {
        let (rows, more) = list(ann, after, size, archived).await;
        assert!(rows.len() <= size as usize && (!more || rows.len() == size as usize));
        after = rows.last().map(place);
        seen.extend(rows);
        if !more {
            return seen;
        }
    }
}

pub(super) async fn the_pinned_come_first_page_by_page(store: &dyn Store) -> Checked {
    let ann = user(store);
    for n in 0..9 {
        ann.talk(&format!("s{n}"), "hi").await;
    }
    ann.apply(["s1", "s4", "s7"].map(|session| mark(session, Some(true), None)).to_vec()).await.unwrap();
    ann.apply(["s2", "s4"].map(|session| mark(session, None, Some(true))).to_vec()).await.unwrap();
    let order = |row: &SessionRow| (row.pinned, row.updated_ms, row.id.clone());
    for (archived, count, pinned) in [(false, 7, 2), (true, 2, 1)] {
        let (all, more) = list(&ann, None, 100, archived).await;
        assert_eq!((all.len(), more), (count, false));
        assert!(all.iter().all(|row| row.archived == archived));
        assert!(all.windows(2).all(|two| order(&two[0]) > order(&two[1])));
        assert_eq!(all.iter().filter(|row| row.pinned).count(), pinned);
        for size in [1, 2, 3] {
            assert_eq!(paged(&ann, size, archived).await, all, "pages of {size}");
        }
    }
    // A cursor is a place: whether the session is still there, and still pinned, does not matter.
    let (all, _) = list(&ann, None, 100, false).await;
    let (first, rest) = (place(&all[0]), all[1..].to_vec());
    ann.apply(vec![mark(first.session.as_str(), Some(false), Some(true))]).await.unwrap();
    assert_eq!(list(&ann, Some(first), 100, false).await, (rest, false));
    Ok(())
}

pub(super) async fn a_time_to_live_is_set_and_taken_away(store: &dyn Store) -> Checked {
    let ann = user(store);
    let day = Duration::from_secs(24 * 60 * 60);
    let made = Op::Create { session: id("made"), title: None, pin: None, meta: None, ttl: Some(day) };
    ann.apply(vec![made]).await.unwrap();
    assert_eq!(ann.session("made").await.unwrap().ttl, Some(day));
    // A turn gives one to a session that it makes, and to no other.
    let lasting = |session, ttl| Begin { ttl: Some(ttl), ..say(session, "hi") };
    for ttl in [day, 2 * day] {
        assert_eq!(ann.whole(lasting("begun", ttl)).await.session.ttl, Some(day));
        assert_eq!(ann.whole(lasting("made", ttl)).await.session.ttl, Some(day));
    }
    for time in [Some(LONG), None] {
        let before = ann.session("begun").await.unwrap();
        let done = ann.apply(vec![ttl("begun", time)]).await.unwrap();
        let row = ann.session("begun").await.unwrap();
        assert_eq!((row.ttl, done), (time, vec![Done::Version(row.version)]));
        assert!(row.version > before.version);
    }
    ann.apply(vec![ttl("begun", Some(Duration::MAX))]).await.unwrap();
    assert_eq!(ann.memory.sweep(100).await.unwrap().deleted, 0);
    assert_eq!(ann.sessions().await.len(), 2);
    Ok(())
}

/// The ids of sessions, in their order.
async fn there(ann: &User) -> Vec<String> {
    let mut ids: Vec<_> = ann.sessions().await.iter().map(|row| row.id.to_string()).collect();
    ids.sort();
    ids
}

pub(super) async fn the_sweep_deletes_what_has_lived_its_time(store: &dyn Store) -> Checked {
    let (ann, bob) = (user(store), User::of(&store.memory(), "bob"));
    let moment = Some(Duration::from_millis(1));
    for user in [&ann, &bob] {
        for session in ["a", "b", "lasting", "never"] {
            user.talk(session, "hi").await;
        }
        let ops = vec![ttl("a", moment), ttl("b", moment), ttl("lasting", Some(LONG))];
        user.apply(ops).await.unwrap();
    }
    until("all four are gone", || async {
        let swept = ann.memory.sweep(3).await.unwrap();
        assert!(swept.deleted <= 3 && swept.expired.is_empty());
        ann.sessions().await.len() + bob.sessions().await.len() == 4
    })
    .await;
    let kept = ann.changes(0, 1000).await;
    for user in [&ann, &bob] {
        assert_eq!(there(user).await, ["lasting", "never"]);
        let changes = user.changes(0, 1000).await;
        let gone = changes.iter().filter(|change| change.kind == Deleted).map(|change| change.session.to_string());
        let mut gone: Vec<_> = gone.collect();
        gone.sort();
        assert_eq!(gone, ["a", "b"]);
    }
    let swept = ann.memory.sweep(100).await.unwrap();
    assert_eq!((swept.deleted, swept.more), (0, false));
    assert_eq!(ann.changes(0, 1000).await, kept);
    Ok(())
}

pub(super) async fn a_session_outlives_its_time_while_a_turn_runs(store: &dyn Store) -> Checked {
    let ann = user(store);
    let moment = Some(Duration::from_millis(1));
    ann.apply(vec![Op::create(id("clock"))]).await.unwrap();
    let (turn, opened) = ann.run(Begin { ttl: moment, ..say("s", "hi") }).await;
    let other = Op::Create { session: id("other"), title: None, pin: None, meta: None, ttl: moment };
    ann.apply(vec![other]).await.unwrap();
    later(&ann, &ann.session("other").await.unwrap()).await;
    until("the other one is gone", || async {
        ann.memory.sweep(100).await.unwrap();
        there(&ann).await == ["clock", "s"]
    })
    .await;
    assert_eq!(ann.tail(turn, 0).await.unwrap().rows[0].seq, opened.reply_seq);
    ann.finish(end(turn, "hello")).await.unwrap();
    until("it is gone too", || async {
        ann.memory.sweep(100).await.unwrap();
        there(&ann).await == ["clock"]
    })
    .await;
    Ok(())
}

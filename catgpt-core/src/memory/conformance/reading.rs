//! What reads and lists show.

use std::time::Duration;

use super::kit::{User, WHOLE, end, fails, id, piece, say, until, user};
use super::{Checked, Store};
use crate::error::ErrorKind::{Conflict, NotFound};
use crate::id::{Seq, TurnId};
use crate::memory::{Answer, Begin, Begun, Checkpoint, Cursor, Limit, Op, Parent, Query, Read, Row};

pub(super) async fn a_tail_begins_where_it_is_asked(store: &dyn Store) -> Checked {
    let ann = user(store);
    ann.talk("s", "before").await;
    let (turn, opened) = ann.run(say("s", "hi")).await;
    for (from, text) in [(0, "Hel"), (3, "lo"), (5, ", Ann")] {
        ann.keep(piece(turn, from, text)).await.unwrap();
    }
    // A piece that ends at the offset is known; one that ends after it is not.
    for (from, first) in
        [(0, Some(0)), (2, Some(0)), (3, Some(3)), (4, Some(3)), (5, Some(5)), (9, Some(5)), (10, None), (99, None)]
    {
        let view = ann.tail(turn, from).await.unwrap();
        assert_eq!(view.chunks.first().map(|chunk| chunk.from), first, "from {from}");
        assert_eq!(view.chunks.last().map(|chunk| chunk.to), first.map(|_| 10), "from {from}");
        assert_eq!(view.rows.iter().map(|row| row.seq).collect::<Vec<_>>(), [opened.reply_seq]);
        assert_eq!(view.session, opened.session);
    }
    ann.finish(end(turn, "Hello, Ann")).await.unwrap();
    let view = ann.tail(turn, 4).await.unwrap();
    assert_eq!((view.chunks.len(), view.rows[0].body.as_slice()), (0, b"Hello, Ann".as_slice()));
    Ok(())
}

pub(super) async fn a_running_reply_comes_with_its_pieces(store: &dyn Store) -> Checked {
    let ann = user(store);
    ann.talk("s", "before").await;
    let (turn, _) = ann.run(say("s", "hi")).await;
    ann.keep(piece(turn, 0, "Hel")).await.unwrap();
    ann.keep(piece(turn, 3, "lo")).await.unwrap();
    for view in [ann.branch("s", None).await, ann.tree("s").await] {
        assert_eq!(
            view.chunks.iter().map(|chunk| chunk.body.as_slice()).collect::<Vec<_>>(),
            [b"Hel".as_slice(), b"lo"]
        );
    }
    // No pieces without their row.
    assert_eq!(ann.branch("s", Some(2)).await.chunks, []);
    let first = Read::Tree { session: id("s"), after: 0, limit: Limit { messages: 2, ..WHOLE }, bodies: true };
    assert_eq!(ann.read(first).await.unwrap().chunks, []);
    Ok(())
}

pub(super) async fn a_branch_says_whether_there_is_more(store: &dyn Store) -> Checked {
    let ann = user(store);
    ann.talk("s", "one").await;
    ann.talk("s", "two").await;
    let read = |head, messages| Read::Branch { session: id("s"), head, limit: Limit { messages, ..WHOLE } };
    for (head, messages, more) in
        [(None, 3, true), (None, 4, false), (Some(2), 1, true), (Some(2), 2, false), (Some(1), 1, false)]
    {
        assert_eq!(ann.read(read(head, messages)).await.unwrap().more, more, "{head:?}, {messages}");
    }
    Ok(())
}

pub(super) async fn a_tree_is_read_page_by_page(store: &dyn Store) -> Checked {
    let ann = user(store);
    ann.talk("s", "one").await;
    for _ in 0..3 {
        ann.whole(Begin { parent: Parent::Beside(Some(1)), ..say("s", "again") }).await;
    }
    let all = ann.tree("s").await;
    assert_eq!(all.rows.iter().map(|row| row.seq).collect::<Vec<_>>(), (1..=8).collect::<Vec<_>>());
    for limit in [Limit { messages: 3, ..WHOLE }, Limit { bytes: 15, ..WHOLE }] {
        let (mut after, mut rows) = (0, Vec::new());
        loop {
            let page = ann.read(Read::Tree { session: id("s"), after, limit, bodies: true }).await.unwrap();
            assert!(page.rows.len() <= 3 && !page.rows.is_empty());
            after = page.rows.last().map_or(after, |row| row.seq);
            rows.extend(page.rows);
            if !page.more {
                break;
            }
        }
        assert_eq!(rows, all.rows);
    }
    let end = ann.read(Read::Tree { session: id("s"), after: 8, limit: WHOLE, bodies: true }).await.unwrap();
    assert!(end.rows.is_empty() && !end.more);
    Ok(())
}

pub(super) async fn a_tree_may_be_read_without_its_bodies(store: &dyn Store) -> Checked {
    let ann = user(store);
    ann.talk("s", "one").await;
    ann.whole(Begin { parent: Parent::Beside(Some(1)), ..say("s", "again") }).await;
    let (turn, _) = ann.run(say("s", "more")).await;
    ann.keep(piece(turn, 0, "Hel")).await.unwrap();
    let whole = ann.tree("s").await;
    let bare: Vec<_> = whole.rows.iter().map(|row| Row { body: Vec::new(), ..row.clone() }).collect();
    let read = |after, messages, bytes| {
        let limit = Limit { messages, bytes };
        ann.read(Read::Tree { session: id("s"), after, limit, bodies: false })
    };
    // Bytes that are not read are not counted.
    for bytes in [0, 5, u64::MAX] {
        let view = read(0, 100, bytes).await.unwrap();
        assert_eq!((&view.rows, view.chunks.len(), view.more), (&bare, 0, false));
        assert_eq!(view.session, whole.session);
        let view = read(1, 3, bytes).await.unwrap();
        assert_eq!((view.rows.as_slice(), view.chunks.len(), view.more), (&bare[1..4], 0, true));
    }
    assert_eq!(read(0, 0, 0).await.unwrap().rows.len(), 1);
    assert_eq!(read(6, 100, 0).await.unwrap().rows.len(), 0);
    Ok(())
}

pub(super) async fn an_empty_session_is_no_error(store: &dyn Store) -> Checked {
    let ann = user(store);
    ann.apply(vec![Op::create(id("s"))]).await.unwrap();
    for view in [ann.branch("s", None).await, ann.tree("s").await] {
        assert!(view.rows.is_empty() && view.chunks.is_empty() && !view.more && !view.session.expired);
        assert_eq!((view.session.head, view.session.messages, view.session.running), (None, 0, None));
    }
    assert!(!ann.start(say("s", "hi")).await.created);
    Ok(())
}

pub(super) async fn what_is_not_there_is_not_found(store: &dyn Store) -> Checked {
    let ann = user(store);
    ann.talk("s", "hi").await;
    let branch = |session: &str, head: Option<Seq>| Read::Branch { session: id(session), head, limit: WHOLE };
    for head in [Some(0), Some(3), Some(Seq::MAX)] {
        fails(ann.read(branch("s", head)).await, NotFound);
    }
    fails(ann.read(branch("none", None)).await, NotFound);
    fails(ann.read(Read::Tree { session: id("none"), after: 0, limit: WHOLE, bodies: true }).await, NotFound);
    fails(ann.tail(TurnId::fresh(), 0).await, NotFound);
    fails(ann.query(Query::Session { session: id("none") }).await, NotFound);
    Ok(())
}

async fn page(user: &User, after: Option<Cursor>, limit: u32) -> (Vec<String>, Option<Cursor>, bool) {
    match user.query(Query::Sessions { after, limit, archived: false }).await.unwrap() {
        Answer::Sessions { rows, more } => {
            let last =
                rows.last().map(|row| Cursor { pinned: false, updated_ms: row.updated_ms, session: row.id.clone() });
            (rows.iter().map(|row| row.id.to_string()).collect(), last, more)
        }
        other => panic!("expected sessions, got {other:?}"),
    }
}

pub(super) async fn sessions_come_latest_first_and_page_by_page(store: &dyn Store) -> Checked {
    let ann = user(store);
    for n in 0..7 {
        ann.talk(&format!("s{n}"), "hi").await;
    }
    let all = ann.sessions().await;
    assert!(all.windows(2).all(|two| (two[0].updated_ms, &two[0].id) > (two[1].updated_ms, &two[1].id)));
    let (mut seen, mut after) = (Vec::new(), None);
    loop {
        let (ids, last, more) = page(&ann, after, 3).await;
        assert!(ids.len() <= 3);
        (after, seen) = (last, [seen, ids].concat());
        if !more {
            break;
        }
    }
    assert_eq!(seen, all.iter().map(|row| row.id.to_string()).collect::<Vec<_>>());
    // A change brings a session to the front as soon as the store's clock has moved.
    until("the changed session leads", || async {
        ann.apply(vec![Op::SetTitle { session: id("s3"), title: Some(b"t".to_vec()), over: None }]).await.unwrap();
        ann.sessions().await[0].id == id("s3")
    })
    .await;
    Ok(())
}

pub(super) async fn running_turns_are_listed(store: &dyn Store) -> Checked {
    let ann = user(store);
    ann.talk("ended", "hi").await;
    let (a, _) = ann.run(say("a", "hi")).await;
    let (b, _) = ann.run(say("b", "hi")).await;
    let mut turns = ann.turns().await;
    turns.sort();
    assert_eq!(turns, [(id("a"), a), (id("b"), b)]);
    ann.finish(end(a, "hello")).await.unwrap();
    assert_eq!(ann.turns().await, [(id("b"), b)]);
    Ok(())
}

pub(super) async fn the_greatest_numbers_are_numbers(store: &dyn Store) -> Checked {
    let ann = user(store);
    let most = Limit { messages: u32::MAX, bytes: u64::MAX };
    ann.whole(Begin { window: most, ..say("s", "hi") }).await;
    // A lease without an end, as a whole life of it.
    let (turn, opened) = ann.run(Begin { window: most, lease: Duration::MAX, ..say("s", "more") }).await;
    assert_eq!(opened.window.len(), 3);
    ann.keep(Checkpoint { lease: Duration::MAX, ..piece(turn, 0, "Hel") }).await.unwrap();
    assert!(matches!(ann.begin(say("s", "me")).await.unwrap(), Begun::Busy { .. }));
    assert!(!ann.tail(turn, u64::MAX).await.unwrap().session.expired);
    let branch = ann.read(Read::Branch { session: id("s"), head: None, limit: most }).await.unwrap();
    assert_eq!((branch.rows.len(), branch.more), (4, false));
    let tree = ann.read(Read::Tree { session: id("s"), after: Seq::MAX, limit: most, bodies: true }).await.unwrap();
    assert_eq!((tree.rows.len(), tree.more), (0, false));
    fails(ann.begin(Begin { if_version: Some(u64::MAX), ..say("s", "me") }).await, Conflict);
    assert_eq!(ann.changes(u64::MAX, u32::MAX).await, []);
    assert_eq!(ann.changes(0, u32::MAX).await.len(), 4);
    let last = Cursor { pinned: false, updated_ms: i64::MAX, session: id("s") };
    assert_eq!(page(&ann, Some(last), u32::MAX).await.0, ["s"]);
    assert!(ann.memory.sweep(u32::MAX).await.unwrap().expired.is_empty());
    Ok(())
}

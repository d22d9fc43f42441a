//! A session is an append-only tree; the head is a pointer into it.

use super::kit::{User, answer_again, end, fails, id, say, user};
use super::{Checked, Store};
use crate::error::ErrorKind::{Busy, Conflict, InvalidInput, NotFound};
use crate::id::Seq;
use crate::memory::{Begin, Finish, Op, Parent};
use crate::message::Status;

fn at(parent: Parent, text: &str) -> Begin {
    Begin { parent, ..say("s", text) }
}

async fn parents(user: &User) -> Vec<(Seq, Option<Seq>)> {
    user.tree("s").await.rows.iter().map(|row| (row.seq, row.parent)).collect()
}

async fn shown(user: &User, head: Option<Seq>) -> Vec<Seq> {
    user.branch("s", head).await.rows.iter().map(|row| row.seq).collect()
}

pub(super) async fn numbers_are_dense_and_every_change_raises_the_version(store: &dyn Store) -> Checked {
    let ann = user(store);
    let mut last = 0;
    for n in 1..=5 {
        let (turn, opened) = ann.run(say("s", "hi")).await;
        assert_eq!((opened.user_seq, opened.reply_seq), (Some(2 * n - 1), 2 * n));
        assert!(opened.session.version > last);
        last = opened.session.version;
        ann.finish(end(turn, "hello")).await.unwrap();
        let after = ann.session("s").await.unwrap();
        assert!(after.version > last && after.messages == 2 * n && after.running.is_none());
        last = after.version;
    }
    Ok(())
}

pub(super) async fn an_edit_is_a_sibling(store: &dyn Store) -> Checked {
    let ann = user(store);
    ann.talk("s", "one").await;
    ann.talk("s", "two").await;
    let edit = ann.whole(at(Parent::Beside(Some(3)), "two, better")).await;
    assert_eq!((edit.user_seq, edit.reply_seq), (Some(5), 6));
    assert_eq!(edit.window.iter().map(|row| row.seq).collect::<Vec<_>>(), [1, 2, 5]);
    let root = ann.whole(at(Parent::Beside(Some(1)), "one, better")).await;
    assert_eq!(root.window.iter().map(|row| row.seq).collect::<Vec<_>>(), [7]);
    let tree = [1, 2, 3, 4, 5, 6, 7, 8].into_iter();
    let above = [None, Some(1), Some(2), Some(3), Some(2), Some(5), None, Some(7)];
    assert_eq!(parents(&ann).await, tree.zip(above).collect::<Vec<_>>());
    assert_eq!(shown(&ann, None).await, [7, 8]);
    assert_eq!(shown(&ann, Some(6)).await, [1, 2, 5, 6]);
    assert_eq!(shown(&ann, Some(4)).await, [1, 2, 3, 4]);
    Ok(())
}

pub(super) async fn a_new_answer_is_a_sibling(store: &dyn Store) -> Checked {
    let ann = user(store);
    ann.talk("s", "one").await;
    for reply in [3, 4] {
        let again = ann.whole(answer_again("s", Parent::Beside(None))).await;
        assert_eq!((again.user_seq, again.reply_seq, again.created), (None, reply, false));
        assert_eq!(again.window.iter().map(|row| row.seq).collect::<Vec<_>>(), [1]);
    }
    ann.whole(answer_again("s", Parent::Beside(Some(2)))).await;
    ann.whole(answer_again("s", Parent::Under(1))).await;
    assert_eq!(parents(&ann).await, [(1, None), (2, Some(1)), (3, Some(1)), (4, Some(1)), (5, Some(1)), (6, Some(1))]);
    assert_eq!(shown(&ann, None).await, [1, 6]);
    assert_eq!(ann.session("s").await.unwrap().messages, 6);
    Ok(())
}

pub(super) async fn a_turn_may_go_on_from_anywhere(store: &dyn Store) -> Checked {
    let ann = user(store);
    ann.talk("s", "one").await;
    ann.talk("s", "two").await;
    let opened = ann.whole(at(Parent::Under(2), "three")).await;
    assert_eq!(opened.window.iter().map(|row| row.seq).collect::<Vec<_>>(), [1, 2, 5]);
    assert_eq!(ann.whole(say("s", "four")).await.window.iter().map(|row| row.seq).collect::<Vec<_>>(), [1, 2, 5, 6, 7]);
    Ok(())
}

pub(super) async fn only_a_users_message_is_answered_again(store: &dyn Store) -> Checked {
    let ann = user(store);
    ann.talk("s", "one").await;
    ann.talk("s", "two").await;
    let before = ann.everything().await;
    // Beside a user's message stands what follows a reply, or nothing.
    for parent in [Parent::Beside(Some(3)), Parent::Beside(Some(1))] {
        fails(ann.begin(answer_again("s", parent)).await, InvalidInput);
    }
    assert_eq!(ann.everything().await, before);
    fails(ann.begin(answer_again("none", Parent::Beside(None))).await, NotFound);
    assert!(ann.begin(answer_again("none", Parent::Head)).await.is_err());
    assert_eq!(ann.everything().await, before);
    Ok(())
}

pub(super) async fn a_reply_is_gone_on_from(store: &dyn Store) -> Checked {
    let ann = user(store);
    let (turn, _) = ann.run(say("s", "one")).await;
    ann.finish(Finish { status: Status::Cancelled, ..end(turn, "half an") }).await.unwrap();
    let more = ann.whole(answer_again("s", Parent::Head)).await;
    assert_eq!((more.user_seq, more.reply_seq, more.created), (None, 3, false));
    assert_eq!(more.window.iter().map(|row| row.seq).collect::<Vec<_>>(), [1, 2]);
    ann.talk("s", "two").await;
    let other = ann.whole(answer_again("s", Parent::Under(2))).await;
    assert_eq!(other.window.iter().map(|row| row.seq).collect::<Vec<_>>(), [1, 2]);
    let parents = [(1, None), (2, Some(1)), (3, Some(2)), (4, Some(3)), (5, Some(4)), (6, Some(2))];
    assert_eq!(self::parents(&ann).await, parents);
    assert_eq!(shown(&ann, None).await, [1, 2, 6]);
    // Beside the one that went on stands another that goes on; only its own words could be answered again there.
    fails(ann.begin(answer_again("s", Parent::Beside(Some(6)))).await, InvalidInput);
    Ok(())
}

pub(super) async fn a_parent_that_is_not_there_is_not_found(store: &dyn Store) -> Checked {
    let ann = user(store);
    ann.talk("s", "one").await;
    let before = ann.everything().await;
    for seq in [0, 3, Seq::MAX] {
        for parent in [Parent::Under(seq), Parent::Beside(Some(seq))] {
            fails(ann.begin(at(parent, "hi")).await, NotFound);
            fails(ann.begin(answer_again("s", parent)).await, NotFound);
            fails(ann.begin(Begin { parent, ..say("none", "hi") }).await, NotFound);
        }
        fails(ann.apply(vec![Op::SetHead { session: id("s"), head: seq, if_version: None }]).await, NotFound);
    }
    assert_eq!(ann.everything().await, before);
    Ok(())
}

pub(super) async fn the_head_moves_and_the_next_turn_follows_it(store: &dyn Store) -> Checked {
    let ann = user(store);
    ann.talk("s", "one").await;
    ann.talk("s", "two").await;
    let version = ann.session("s").await.unwrap().version;
    let head = |head, if_version| vec![Op::SetHead { session: id("s"), head, if_version }];
    ann.apply(head(2, Some(version))).await.unwrap();
    assert_eq!(ann.session("s").await.unwrap().head, Some(2));
    assert_eq!(shown(&ann, None).await, [1, 2]);
    let before = ann.everything().await;
    fails(ann.apply(head(4, Some(version))).await, Conflict);
    assert_eq!(ann.everything().await, before);
    assert_eq!(ann.whole(say("s", "three")).await.window.last().unwrap().parent, Some(2));
    // A head that is a user's message can be answered again where it stands.
    ann.apply(head(3, None)).await.unwrap();
    assert_eq!(ann.whole(answer_again("s", Parent::Head)).await.window.last().unwrap().seq, 3);
    Ok(())
}

pub(super) async fn the_head_stays_where_it_is_while_a_turn_runs(store: &dyn Store) -> Checked {
    let ann = user(store);
    ann.talk("s", "one").await;
    let (turn, _) = ann.run(say("s", "two")).await;
    let before = ann.everything().await;
    let error = ann.apply(vec![Op::SetHead { session: id("s"), head: 2, if_version: None }]).await.unwrap_err();
    assert_eq!((error.kind(), error.turn()), (Busy, Some(turn)));
    assert_eq!(ann.everything().await, before);
    Ok(())
}

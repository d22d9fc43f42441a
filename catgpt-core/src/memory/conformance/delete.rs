//! What is deleted is gone; what must not be repeated is remembered.

use super::kit::{bury, end, fails, id, piece, say, user};
use super::{Checked, Store};
use crate::error::ErrorKind::{Conflict, NotFound};
use crate::memory::{Begin, Begun, Kept, Op};

fn delete(session: &str) -> Vec<Op> {
    vec![Op::Delete { session: id(session) }]
}

pub(super) async fn everything_in_it_goes(store: &dyn Store) -> Checked {
    let ann = user(store);
    let begin = say("s", "hi");
    ann.whole(begin.clone()).await;
    ann.talk("other", "hi").await;
    ann.apply(delete("s")).await.unwrap();
    fails(ann.session("s").await, NotFound);
    fails(ann.tail(begin.turn, 0).await, NotFound);
    fails(ann.finish(end(begin.turn, "x")).await, NotFound);
    fails(ann.apply(vec![Op::Cancel { turn: begin.turn }]).await, NotFound);
    fails(ann.apply(delete("s")).await, NotFound);
    assert_eq!(ann.sessions().await.iter().map(|row| row.id.as_str()).collect::<Vec<_>>(), ["other"]);
    Ok(())
}

pub(super) async fn a_running_turn_is_refused_from_then_on(store: &dyn Store) -> Checked {
    let ann = user(store);
    let (turn, _) = ann.run(say("s", "hi")).await;
    ann.keep(piece(turn, 0, "Hel")).await.unwrap();
    ann.apply(delete("s")).await.unwrap();
    // Also if the id is used again meanwhile.
    for _ in 0..2 {
        assert_eq!(ann.turns().await, []);
        assert_eq!(ann.keep(piece(turn, 3, "lo")).await.unwrap(), Kept::Refused);
        assert_eq!(ann.keep(piece(turn, 3, "")).await.unwrap(), Kept::Refused);
        fails(ann.finish(end(turn, "Hello")).await, NotFound);
        fails(ann.finish(bury(turn, "Hello")).await, NotFound);
        fails(ann.tail(turn, 0).await, NotFound);
        ann.apply(vec![Op::create(id("s"))]).await.unwrap();
    }
    assert_eq!(ann.tree("s").await.rows, []);
    Ok(())
}

pub(super) async fn keys_outlive_the_session(store: &dyn Store) -> Checked {
    let ann = user(store);
    let keyed = |hash| Begin { key: Some(("k".into(), [hash; 32])), ..say("s", "hi") };
    let first = keyed(1);
    ann.whole(first.clone()).await;
    ann.apply(delete("s")).await.unwrap();
    assert_eq!(ann.begin(keyed(1)).await.unwrap(), Begun::Replay { turn: first.turn });
    fails(ann.begin(keyed(2)).await, Conflict);
    fails(ann.session("s").await, NotFound);
    // They are remembered also when the id is used again.
    ann.talk("s", "new").await;
    assert_eq!(ann.begin(keyed(1)).await.unwrap(), Begun::Replay { turn: first.turn });
    Ok(())
}

pub(super) async fn the_id_may_be_used_again(store: &dyn Store) -> Checked {
    let ann = user(store);
    ann.talk("s", "old").await;
    ann.apply(delete("s")).await.unwrap();
    let opened = ann.start(say("s", "new")).await;
    assert!(opened.created && opened.session.title.is_none());
    assert_eq!((opened.user_seq, opened.reply_seq, opened.window.len()), (Some(1), 2, 1));
    Ok(())
}

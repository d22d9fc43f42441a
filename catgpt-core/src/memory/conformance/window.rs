//! How much of a branch comes back: bounded, oldest first, never mixed.

use super::kit::{User, WHOLE, answer_again, end, id, imported, row, say, user};
use super::{Checked, Store};
use crate::id::Seq;
use crate::memory::{Begin, Limit, Op, Opened, Parent, Read, Row, View};
use crate::message::Role;

async fn newest(user: &User, limit: Limit) -> View {
    user.read(Read::Branch { session: id("s"), head: None, limit }).await.unwrap()
}

fn seqs(view: &View) -> Vec<Seq> {
    view.rows.iter().map(|row| row.seq).collect()
}

pub(super) async fn it_ends_at_the_number_of_messages(store: &dyn Store) -> Checked {
    let ann = user(store);
    for text in ["a", "b", "c"] {
        ann.talk("s", text).await;
    }
    for (messages, rows) in [(1, 6..7), (2, 5..7), (5, 2..7), (6, 1..7), (100, 1..7)] {
        let view = newest(&ann, Limit { messages, ..WHOLE }).await;
        assert_eq!((seqs(&view), view.more), (rows.collect(), messages < 6));
    }
    let opened = ann.start(Begin { window: Limit { messages: 3, ..WHOLE }, ..say("s", "d") }).await;
    assert_eq!(opened.window.iter().map(|row| row.seq).collect::<Vec<_>>(), [5, 6, 7]);
    Ok(())
}

pub(super) async fn it_ends_at_the_number_of_bytes(store: &dyn Store) -> Checked {
    let ann = user(store);
    // Bodies of 10, 14, 10, 14 bytes: the reply says `re: ` first.
    ann.talk("s", "0123456789").await;
    ann.talk("s", "0123456789").await;
    for (bytes, rows) in [(14, 4..5), (23, 4..5), (24, 3..5), (37, 3..5), (38, 2..5), (47, 2..5), (48, 1..5)] {
        let view = newest(&ann, Limit { bytes, ..WHOLE }).await;
        assert_eq!((seqs(&view), view.more), (rows.collect(), bytes < 48), "{bytes} bytes");
    }
    let opened = ann.start(Begin { window: Limit { bytes: 15, ..WHOLE }, ..say("s", "x") }).await;
    assert_eq!(opened.window.iter().map(|row| row.seq).collect::<Vec<_>>(), [4, 5]);
    Ok(())
}

pub(super) async fn it_never_holds_less_than_one_message(store: &dyn Store) -> Checked {
    let ann = user(store);
    ann.talk("s", "hello").await;
    for limit in [Limit { bytes: 0, ..WHOLE }, Limit { messages: 0, ..WHOLE }, Limit { messages: 0, bytes: 0 }] {
        let view = newest(&ann, limit).await;
        assert_eq!((seqs(&view), view.more), (vec![2], true));
        let tree = ann.read(Read::Tree { session: id("s"), after: 0, limit, bodies: true }).await.unwrap();
        assert_eq!((seqs(&tree), tree.more), (vec![1], true));
        let opened = ann.whole(Begin { window: limit, ..answer_again("s", Parent::Under(1)) }).await;
        assert_eq!(opened.window.len(), 1);
        ann.apply(vec![Op::SetHead { session: id("s"), head: 2, if_version: None }]).await.unwrap();
    }
    Ok(())
}

pub(super) async fn it_never_mixes_branches(store: &dyn Store) -> Checked {
    let ann = user(store);
    ann.talk("s", "root").await;
    // Long runs of other branches lie between the messages of each branch.
    let mut heads = [2, 2, 2];
    for round in 0..60 {
        let head = &mut heads[round % 3];
        *head = ann.whole(Begin { parent: Parent::Under(*head), ..say("s", "x") }).await.reply_seq;
    }
    for (branch, head) in (0u64..).zip(heads) {
        let rows = ann.branch("s", Some(head)).await.rows;
        let own = (0..20).flat_map(|n| [3 + 2 * (3 * n + branch), 4 + 2 * (3 * n + branch)]);
        assert_eq!(
            rows.iter().map(|row| row.seq).collect::<Vec<_>>(),
            [1, 2].into_iter().chain(own).collect::<Vec<_>>()
        );
    }
    Ok(())
}

/// The plain model of a session: the parent, the body's length and whether it is the user's, by number.
#[derive(Default)]
struct Model(Vec<(Option<Seq>, usize, bool)>);

impl Model {
    fn at(&self, seq: Seq) -> (Option<Seq>, usize, bool) {
        self.0[usize::try_from(seq).unwrap() - 1]
    }

    fn add(&mut self, parent: Option<Seq>, len: usize, user: bool) -> Seq {
        self.0.push((parent, len, user));
        self.0.len() as Seq
    }

    fn window(&self, head: Seq, limit: Limit) -> (Vec<Seq>, bool) {
        let (mut rows, mut bytes, mut next) = (Vec::new(), 0, Some(head));
        while let Some(seq) = next {
            let (parent, len, _) = self.at(seq);
            bytes += len as u64;
            if !rows.is_empty() && (rows.len() >= limit.messages as usize || bytes > limit.bytes) {
                break;
            }
            rows.push(seq);
            next = parent;
        }
        rows.reverse();
        (rows, next.is_some())
    }
}

fn some_limit(rng: &mut fastrand::Rng) -> Limit {
    Limit { messages: rng.u32(0..24), bytes: rng.u64(0..600) }
}

pub(super) async fn random_trees_equal_a_plain_model(store: &dyn Store) -> Checked {
    for seed in 0..24 {
        let ann = User::of(&store.memory(), &format!("ann {seed}"));
        grow(&ann, seed).await;
    }
    Ok(())
}

pub(super) async fn imported_trees_equal_a_plain_model(store: &dyn Store) -> Checked {
    for seed in 0..8 {
        let ann = User::of(&store.memory(), &format!("ann {seed}"));
        let mut rng = fastrand::Rng::with_seed(seed);
        let mut model = Model::default();
        for part in 0..rng.u64(1..4) {
            let (after, count) = (model.0.len() as Seq, rng.u64(u64::from(part == 0)..50));
            let rows: Vec<_> = (0..count).map(|_| some_row(&mut model, &mut rng)).collect();
            let head = Some(model.0.len() as Seq).filter(|last| *last > 0);
            let session = Box::new(imported("s", head));
            ann.apply(vec![Op::Import { session, after, rows }]).await.unwrap();
        }
        heads(&ann, &model, &mut rng, seed).await;
    }
    Ok(())
}

/// A message under any older one, or under none.
fn some_row(model: &mut Model, rng: &mut fastrand::Rng) -> Row {
    let parent = Some(rng.u64(0..=model.0.len() as Seq)).filter(|seq| *seq > 0);
    let len = rng.usize(0..60);
    Row { body: vec![b'i'; len], ..row(model.add(parent, len, true), parent, Role::User) }
}

async fn grow(ann: &User, seed: u64) {
    let mut rng = fastrand::Rng::with_seed(seed);
    let mut model = Model::default();
    for _ in 0..rng.usize(1..60) {
        let (begin, above) = some_begin(&mut model, &mut rng);
        let limit = begin.window;
        let (turn, opened) = ann.run(begin).await;
        let len = rng.usize(0..60);
        check_begun(&model, &opened, above, limit, seed);
        assert_eq!(opened.reply_seq, model.add(Some(above), len, false), "seed {seed}");
        ann.finish(end(turn, &"r".repeat(len))).await.unwrap();
    }
    heads(ann, &model, &mut rng, seed).await;
}

/// Reads the branch of every message.
async fn heads(ann: &User, model: &Model, rng: &mut fastrand::Rng, seed: u64) {
    let last = model.0.len() as Seq;
    for head in [None].into_iter().chain((1..=last).map(Some)) {
        let limit = some_limit(rng);
        let view = ann.read(Read::Branch { session: id("s"), head, limit }).await.unwrap();
        assert_eq!((seqs(&view), view.more), model.window(head.unwrap_or(last), limit), "seed {seed}, head {head:?}");
        let lens: Vec<_> = view.rows.iter().map(|row| row.body.len()).collect();
        assert_eq!(lens, view.rows.iter().map(|row| model.at(row.seq).1).collect::<Vec<_>>(), "seed {seed}");
    }
}

/// A turn at a random place, and what its reply must follow. The model takes its user's message, if it has one.
fn some_begin(model: &mut Model, rng: &mut fastrand::Rng) -> (Begin, Seq) {
    let last = model.0.len() as Seq;
    let text = "u".repeat(rng.usize(0..60));
    let begin = Begin { window: some_limit(rng), ..say("s", &text) };
    // The newest reply is always the head, because every turn moves it there.
    let (parent, above) = match rng.u8(0..4) {
        _ if last == 0 => (Parent::Head, None),
        0 => (Parent::Head, Some(last)),
        1 => {
            let seq = rng.u64(1..=last);
            (Parent::Under(seq), Some(seq))
        }
        2 => {
            let seq = rng.u64(1..=last);
            (Parent::Beside(Some(seq)), model.at(seq).0)
        }
        _ => (Parent::Beside(None), model.at(last).0),
    };
    // A reply is gone on from only where it is named as the parent.
    let on = matches!(parent, Parent::Head | Parent::Under(_));
    match above {
        Some(seq) if (model.at(seq).2 || on) && rng.bool() => (Begin { parent, message: None, ..begin }, seq),
        _ => (Begin { parent, ..begin }, model.add(above, text.len(), true)),
    }
}

fn check_begun(model: &Model, opened: &Opened, above: Seq, limit: Limit, seed: u64) {
    let window: Vec<_> = opened.window.iter().map(|row| row.seq).collect();
    assert_eq!(window, model.window(above, limit).0, "seed {seed}");
    assert!(opened.user_seq.is_none_or(|asked| asked == above), "seed {seed}");
}

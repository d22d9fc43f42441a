//! One task that waits for news of all turns that are followed here, on a connection of its own: what waits there would
//! hold up everything else that is asked on it.

use std::collections::BTreeMap;
use std::mem;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use redis::Pipeline;
use tokio::sync::mpsc::{Receiver, Sender, channel};
use tokio::time::{Instant, sleep, sleep_until};

use super::link::Link;
use super::target::Target;
use super::{PATIENCE, frames, read};
use crate::error::Result;
use crate::id::TurnId;
use crate::live::Frame;
use crate::message::Offset;

/// How long one question waits for news. Who joins meanwhile has read what there was, and is part of the next one.
const BLOCK: Duration = Duration::from_millis(100);
/// The least time between two questions: each names all turns, so many turns with much to say are read together.
const PACE: Duration = Duration::from_millis(20);
/// The pause after a failure, in which those who follow look elsewhere.
const PAUSE: Duration = Duration::from_millis(200);
/// How many frames a reader may be behind before he is let go of; he finds them in the stream.
const BEHIND: usize = 64;

/// Those who follow, by turn.
pub(super) struct Readers(Arc<Shared>);

struct Shared {
    link: Link,
    turns: Mutex<Turns>,
}

#[derive(Default)]
struct Turns {
    followed: BTreeMap<TurnId, Followed>,
    running: bool,
}

struct Followed {
    after: Offset,
    readers: Vec<Sender<Frame>>,
}

impl Readers {
    pub(super) fn new(target: Arc<Target>) -> Self {
        Self(Arc::new(Shared { link: Link::new(target, BLOCK + PATIENCE), turns: Mutex::default() }))
    }

    /// The frames of a turn from now on, for one who has seen what is before `after`. It ends when he should look at the
    /// stream by himself.
    pub(super) fn join(&self, turn: TurnId, after: Offset) -> Receiver<Frame> {
        let mut turns = self.0.turns();
        let receiver = turns.join(turn, after);
        if !mem::replace(&mut turns.running, true) {
            tokio::spawn(Task { shared: Arc::clone(&self.0), over: false }.run());
        }
        receiver
    }

    /// Sends all of them away and lets go of the connection.
    pub(super) async fn close(&self) {
        self.0.turns().followed.clear();
        self.0.link.give_up().await;
    }
}

impl Shared {
    fn turns(&self) -> MutexGuard<'_, Turns> {
        self.turns.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn ask(&self, wanted: &BTreeMap<TurnId, Offset>) -> Result<Vec<(TurnId, Vec<Frame>)>> {
        let mut pipe = Pipeline::with_capacity(1);
        pipe.add_command(read(Some(BLOCK), wanted));
        frames(self.link.ask(&pipe).await?)
    }
}

impl Turns {
    fn join(&mut self, turn: TurnId, after: Offset) -> Receiver<Frame> {
        let (sender, receiver) = channel(BEHIND);
        let followed = self.followed.entry(turn).or_insert(Followed { after, readers: Vec::new() });
        followed.after = followed.after.min(after);
        followed.readers.push(sender);
        receiver
    }

    /// What to ask for; `None`, and the task is over, if nobody follows any more.
    fn wanted(&mut self) -> Option<BTreeMap<TurnId, Offset>> {
        self.followed.retain(|_, followed| {
            followed.readers.retain(|reader| !reader.is_closed());
            !followed.readers.is_empty()
        });
        self.running = !self.followed.is_empty();
        self.running.then(|| self.followed.iter().map(|(turn, followed)| (*turn, followed.after)).collect())
    }

    /// Passes on what came for a turn that was asked for after `asked`.
    fn tell(&mut self, turn: TurnId, asked: Offset, frames: &[Frame]) {
        // Whoever joined from further back meanwhile would miss what lies between; the next question is his too.
        let Some(followed) = self.followed.get_mut(&turn).filter(|followed| followed.after == asked) else { return };
        for frame in frames {
            followed.after = frame.end;
            followed.readers.retain(|reader| reader.try_send(frame.clone()).is_ok());
        }
        if frames.last().is_some_and(|frame| frame.last) {
            self.followed.remove(&turn);
        }
    }
}

/// The task. If its runtime ends before it does, the next one who joins begins another.
struct Task {
    shared: Arc<Shared>,
    over: bool,
}

impl Task {
    async fn run(mut self) {
        while let Some(wanted) = self.next() {
            let next = Instant::now() + PACE;
            match self.shared.ask(&wanted).await {
                Ok(streams) => {
                    for (turn, frames) in streams {
                        wanted.get(&turn).iter().for_each(|asked| self.shared.turns().tell(turn, **asked, &frames));
                    }
                    sleep_until(next).await;
                }
                Err(_) => {
                    // The link has said why. Those who follow find out by themselves what can be read.
                    self.shared.turns().followed.clear();
                    sleep(PAUSE).await;
                }
            }
        }
        self.over = true;
    }

    fn next(&self) -> Option<BTreeMap<TurnId, Offset>> {
        self.shared.turns().wanted()
    }
}

impl Drop for Task {
    fn drop(&mut self) {
        if !self.over {
            *self.shared.turns() = Turns::default();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frames(ends: std::ops::RangeInclusive<Offset>) -> Vec<Frame> {
        ends.map(|end| Frame { end, body: Vec::new(), last: false }).collect()
    }

    fn ends(receiver: &mut Receiver<Frame>) -> Vec<Offset> {
        std::iter::from_fn(|| receiver.try_recv().ok()).map(|frame| frame.end).collect()
    }

    #[test]
    fn who_joins_while_a_question_is_under_way_misses_nothing() {
        let (mut turns, turn) = (Turns::default(), TurnId::fresh());
        let mut first = turns.join(turn, 5);
        turns.tell(turn, 5, &frames(6..=7));
        assert_eq!(turns.wanted().unwrap()[&turn], 7);
        // He saw the stream end at 6; what is asked for is what comes after 7.
        let mut second = turns.join(turn, 6);
        turns.tell(turn, 7, &frames(8..=8));
        assert_eq!(turns.wanted().unwrap()[&turn], 6);
        turns.tell(turn, 6, &frames(7..=8));
        assert_eq!((ends(&mut first), ends(&mut second)), (vec![6, 7, 7, 8], vec![7, 8]));
    }

    #[test]
    fn who_is_too_slow_is_let_go_of_and_who_went_away_is_forgotten() {
        let (mut turns, turn) = (Turns::default(), TurnId::fresh());
        let (mut slow, gone) = (turns.join(turn, 0), turns.join(turn, 0));
        drop(gone);
        let many = BEHIND as Offset + 1;
        turns.tell(turn, 0, &frames(1..=many));
        assert_eq!(turns.wanted(), None);
        assert_eq!(ends(&mut slow).len(), BEHIND);
        assert!(slow.is_closed());
    }
}

//! One task that waits for news of all turns that are followed here, on a connection of its own: what waits there would
//! hold up everything else that is asked on it.

use std::collections::BTreeMap;
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
        let (sender, receiver) = channel(BEHIND);
        let mut turns = self.0.turns();
        let followed = turns.followed.entry(turn).or_insert(Followed { after, readers: Vec::new() });
        followed.after = followed.after.min(after);
        followed.readers.push(sender);
        if !std::mem::replace(&mut turns.running, true) {
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

    /// What to ask for; `None`, and the task is over, if nobody follows any more.
    fn wanted(&self) -> Option<BTreeMap<TurnId, Offset>> {
        let mut turns = self.turns();
        turns.followed.retain(|_, followed| {
            followed.readers.retain(|reader| !reader.is_closed());
            !followed.readers.is_empty()
        });
        turns.running = !turns.followed.is_empty();
        turns.running.then(|| turns.followed.iter().map(|(turn, followed)| (*turn, followed.after)).collect())
    }

    async fn ask(&self, wanted: &BTreeMap<TurnId, Offset>) -> Result<Vec<(TurnId, Vec<Frame>)>> {
        let mut pipe = Pipeline::with_capacity(1);
        pipe.add_command(read(Some(BLOCK), wanted));
        frames(self.link.ask(&pipe).await?)
    }

    /// Passes on what came for a turn that was asked for after `asked`.
    fn tell(&self, turn: TurnId, asked: Offset, frames: &[Frame]) {
        let mut turns = self.turns();
        // Whoever joined from further back meanwhile would miss what lies between; the next question is his too.
        let Some(followed) = turns.followed.get_mut(&turn).filter(|followed| followed.after == asked) else { return };
        for frame in frames {
            followed.after = frame.end;
            followed.readers.retain(|reader| reader.try_send(frame.clone()).is_ok());
        }
        if frames.last().is_some_and(|frame| frame.last) {
            turns.followed.remove(&turn);
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
        while let Some(wanted) = self.shared.wanted() {
            let next = Instant::now() + PACE;
            match self.shared.ask(&wanted).await {
                Ok(streams) => {
                    for (turn, frames) in streams {
                        wanted.get(&turn).iter().for_each(|asked| self.shared.tell(turn, **asked, &frames));
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
}

impl Drop for Task {
    fn drop(&mut self) {
        if !self.over {
            *self.shared.turns() = Turns::default();
        }
    }
}

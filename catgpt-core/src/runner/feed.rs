//! What the live log adds to looks at the store: for those who follow between two looks, for a burial beyond the last
//! checkpoint.

use std::sync::Arc;
use std::time::Duration;

use futures_util::stream::{BoxStream, StreamExt};
use tokio::time::{Instant, sleep_until, timeout_at};

use crate::body::unseen;
use crate::error::Result;
use crate::event::Event;
use crate::id::{Owner, TurnId};
use crate::live::{Frame, Live};
use crate::message::{Content, Offset};

/// How often the store is looked at while the live log brings the reply: so long a dead writer goes unseen.
const LOOK: Duration = Duration::from_secs(1);

/// The frames of one turn, for one who follows it. Without a live log it only waits for the next look.
pub(super) struct Feed {
    live: Option<Arc<dyn Live>>,
    owner: Owner,
    turn: TurnId,
    poll: Duration,
    frames: Option<BoxStream<'static, Result<Frame>>>,
    look: Instant,
}

impl Feed {
    /// `poll` is how often the store is looked at when there is nothing else.
    pub(super) fn new(live: Option<Arc<dyn Live>>, owner: Owner, turn: TurnId, poll: Duration) -> Self {
        Self { live, owner, turn, poll, frames: None, look: Instant::now() }
    }

    /// The store was looked at: until the next look there is time. Whoever lost the live log tries it again.
    pub(super) fn looked(&mut self, seen: Offset) {
        if self.frames.is_none() {
            self.frames = self.live.as_ref().map(|live| live.follow(&self.owner, self.turn, seen));
        }
        let pause = if self.frames.is_some() { self.poll.max(LOOK) } else { self.poll };
        self.look = Instant::now() + pause;
    }

    /// What comes after `seen`; `None` when it is time to look at the store.
    pub(super) async fn next(&mut self, seen: Offset) -> Option<Vec<Event>> {
        while let Some(frames) = &mut self.frames {
            let Ok(frame) = timeout_at(self.look, frames.next()).await else { return None };
            // A gap, an error, bytes that mean nothing: the store knows better, soon.
            let fits = frame.and_then(Result::ok).and_then(|frame| Some((unseen(&frame, seen).ok()??, frame)));
            let Some((content, frame)) = fits else {
                self.frames = None;
                self.look = self.look.min(Instant::now() + self.poll);
                continue;
            };
            if frame.last {
                // How it ended is in the store, now.
                (self.live, self.frames, self.look) = (None, None, Instant::now());
            }
            if !content.is_empty() {
                return Some(Event::all(content, frame.end).collect());
            }
        }
        sleep_until(self.look).await;
        None
    }
}

/// Adds what a turn showed and did not live to write. Whatever cannot be had is not waited for.
pub(super) async fn append_tail(live: &dyn Live, owner: &Owner, turn: TurnId, content: &mut Content) {
    let mut end = content.len();
    for frame in live.tail(owner, turn, end).await.unwrap_or_default() {
        let Ok(Some(more)) = unseen(&frame, end) else { return };
        content.append(more);
        end = end.max(frame.end);
    }
}

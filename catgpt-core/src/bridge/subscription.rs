//! A reply as a host's event loop reads it: polled on its own thread, in batches.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Wake, Waker};

use futures_util::StreamExt;
use futures_util::stream::BoxStream;

use super::hub::{Hub, Notice, fresh};
use super::parse;
use super::runtime::{enter, generation};
use crate::error::{Error, ErrorKind, Result};
use crate::event::Event;
use crate::id::{SessionId, TurnId};
use crate::reply::Reply;
use crate::wire::Encoding;

/// How many events one poll hands over at most. A host that got so many yields to its event loop before it polls again,
/// or a reply that is always ready starves the others.
pub const BATCH: usize = 64;

/// What a poll gives.
#[derive(Debug, PartialEq)]
pub enum Polled<T> {
    /// This; poll again.
    Ready(T),
    /// Nothing yet: a [`Notice::Ready`] with the subscription's number comes as soon as there is something.
    Waiting,
    /// Nothing, ever again.
    Over,
}

/// A subscription to a turn. Dropping or closing it ends it as dropping a [`Reply`] does.
#[derive(Debug)]
pub struct Subscription {
    id: u64,
    turn: TurnId,
    session: SessionId,
    generation: u64,
    bell: Arc<Bell>,
    waker: Waker,
    feed: Mutex<Feed>,
}

enum Feed {
    Events(Box<Reply>),
    Bytes(BoxStream<'static, Vec<u8>>),
    Over,
}

impl std::fmt::Debug for Feed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Events(_) => "Events",
            Self::Bytes(_) => "Bytes",
            Self::Over => "Over",
        })
    }
}

/// Rings at the hub when the one who polls has nothing and waits, and only then.
#[derive(Debug)]
struct Bell {
    id: u64,
    hub: Arc<Hub>,
    armed: AtomicBool,
}

impl Wake for Bell {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        if self.armed.swap(false, Ordering::AcqRel) {
            self.hub.post(Notice::Ready { id: self.id });
        }
    }
}

impl Subscription {
    pub(super) fn new(reply: Reply, hub: &Arc<Hub>) -> Self {
        let id = fresh();
        let bell = Arc::new(Bell { id, hub: Arc::clone(hub), armed: AtomicBool::new(false) });
        Self {
            id,
            turn: reply.turn(),
            session: reply.session().clone(),
            generation: generation(),
            waker: Waker::from(Arc::clone(&bell)),
            bell,
            feed: Mutex::new(Feed::Events(Box::new(reply))),
        }
    }

    /// Its number, which [`Notice::Ready`] bears.
    pub fn id(&self) -> u64 {
        self.id
    }

    /// The turn.
    pub fn turn(&self) -> TurnId {
        self.turn
    }

    /// The turn's session.
    pub fn session(&self) -> &SessionId {
        &self.session
    }

    /// From here on it is polled for bytes, with [`poll_bytes`](Self::poll_bytes).
    ///
    /// # Errors
    /// `InvalidInput` if it is over, or is read as bytes already.
    pub fn into_bytes(&self, encoding: Encoding) -> Result<()> {
        let mut feed = self.feed()?;
        match std::mem::replace(&mut *feed, Feed::Over) {
            Feed::Events(reply) => {
                *feed = Feed::Bytes(reply.into_bytes(encoding));
                Ok(())
            }
            other => {
                *feed = other;
                Err(Error::invalid("this reply is over, or is being read as bytes"))
            }
        }
    }

    /// The same, told by the JSON of an [`Encoding`], in which what is left out is as it is there.
    ///
    /// # Errors
    /// The same, and for options that are none.
    pub fn begin_bytes(&self, encoding: &str) -> Result<()> {
        self.into_bytes(parse("encoding", encoding)?)
    }

    /// What has come, at most [`BATCH`] events.
    ///
    /// # Errors
    /// `Closed` in a forked child of the process that made it; `InvalidInput` if it is read as bytes.
    pub fn poll(&self) -> Result<Polled<Vec<Event>>> {
        let mut batch = Vec::new();
        let polled = self.poll_with(|feed, cx| match feed {
            Feed::Events(reply) => loop {
                match reply.poll_next_unpin(cx) {
                    Poll::Ready(Some(event)) => batch.push(event),
                    Poll::Ready(None) => return Ok(Poll::Ready(false)),
                    Poll::Pending if batch.is_empty() => return Ok(Poll::Pending),
                    Poll::Pending => return Ok(Poll::Ready(true)),
                }
                if batch.len() == BATCH {
                    return Ok(Poll::Ready(true));
                }
            },
            Feed::Bytes(_) => Err(Error::invalid("this reply is read as bytes")),
            Feed::Over => Ok(Poll::Ready(false)),
        })?;
        Ok(match polled {
            Polled::Over if !batch.is_empty() => Polled::Ready(batch),
            Polled::Ready(()) => Polled::Ready(batch),
            Polled::Waiting => Polled::Waiting,
            Polled::Over => Polled::Over,
        })
    }

    /// The next bytes, after [`into_bytes`](Self::into_bytes).
    ///
    /// # Errors
    /// `Closed` in a forked child of the process that made it; `InvalidInput` before `into_bytes`.
    pub fn poll_bytes(&self) -> Result<Polled<Vec<u8>>> {
        let mut bytes = Vec::new();
        let polled = self.poll_with(|feed, cx| match feed {
            Feed::Bytes(stream) => Ok(stream.poll_next_unpin(cx).map(|next| next.map(|next| bytes = next).is_some())),
            Feed::Over => Ok(Poll::Ready(false)),
            Feed::Events(_) => Err(Error::invalid("this reply is read as events")),
        })?;
        Ok(match polled {
            Polled::Ready(()) => Polled::Ready(bytes),
            Polled::Waiting => Polled::Waiting,
            Polled::Over => Polled::Over,
        })
    }

    /// Polls once, armed: a wake that comes while nothing was found rings.
    fn poll_with(&self, poll: impl FnOnce(&mut Feed, &mut Context<'_>) -> Result<Poll<bool>>) -> Result<Polled<()>> {
        let mut feed = self.feed()?;
        self.bell.armed.store(true, Ordering::Release);
        let polled = enter(|| poll(&mut feed, &mut Context::from_waker(&self.waker)))?;
        if polled.is_ready() {
            self.bell.armed.store(false, Ordering::Release);
        }
        Ok(match polled {
            Poll::Pending => Polled::Waiting,
            Poll::Ready(true) => Polled::Ready(()),
            Poll::Ready(false) => {
                *feed = Feed::Over;
                Polled::Over
            }
        })
    }

    /// Ends the subscription, as dropping does.
    pub fn close(&self) {
        if let Ok(mut feed) = self.feed() {
            let feed = std::mem::replace(&mut *feed, Feed::Over);
            enter(|| drop(feed));
        }
    }

    fn feed(&self) -> Result<MutexGuard<'_, Feed>> {
        if self.generation != generation() {
            let stale = "this reply was opened before the process forked; attach to its turn again";
            return Err(Error::new(ErrorKind::Closed, stale).with_turn(self.turn));
        }
        Ok(self.feed.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Drop for Subscription {
    fn drop(&mut self) {
        self.close();
        if self.generation != generation() {
            // The parent's: dropping it here would reach for threads that are not in this process.
            let feed = std::mem::replace(self.feed.get_mut().unwrap_or_else(PoisonError::into_inner), Feed::Over);
            let _ = std::mem::ManuallyDrop::new(feed);
        }
    }
}

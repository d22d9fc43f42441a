//! A reply as a host's event loop reads it: polled on its own thread, in batches.

use std::sync::Arc;
use std::task::{Context, Poll};

use futures_util::StreamExt;
use futures_util::stream::BoxStream;

use super::hub::Hub;
use super::parse;
use super::tap::Tap;
use crate::error::{Error, Result};
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
    /// Nothing yet: a [`Notice::Ready`](super::Notice::Ready) with the subscription's number comes as soon as there is
    /// something.
    Waiting,
    /// Nothing, ever again.
    Over,
}

/// A subscription to a turn. Dropping or closing it ends it as dropping a [`Reply`] does.
#[derive(Debug)]
pub struct Subscription {
    turn: TurnId,
    session: SessionId,
    tap: Tap<Feed>,
}

enum Feed {
    Events(Box<Reply>),
    Bytes(BoxStream<'static, Vec<u8>>),
}

impl std::fmt::Debug for Feed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Events(_) => "Events",
            Self::Bytes(_) => "Bytes",
        })
    }
}

impl Subscription {
    pub(super) fn new(reply: Reply, hub: &Arc<Hub>) -> Self {
        let (turn, session) = (reply.turn(), reply.session().clone());
        Self { turn, session, tap: Tap::new(Feed::Events(Box::new(reply)), hub) }
    }

    /// Its number, which [`Notice::Ready`](super::Notice::Ready) bears.
    pub fn id(&self) -> u64 {
        self.tap.id
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
        let mut feed = self.tap.slot().map_err(|error| error.with_turn(self.turn))?;
        match feed.take() {
            Some(Feed::Events(reply)) => {
                *feed = Some(Feed::Bytes(reply.into_bytes(encoding)));
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
        self.poll_feed(|feed, cx| match feed {
            Feed::Events(reply) => Ok(batch(reply, cx)),
            Feed::Bytes(_) => Err(Error::invalid("this reply is read as bytes")),
        })
    }

    /// The next bytes, after [`into_bytes`](Self::into_bytes).
    ///
    /// # Errors
    /// `Closed` in a forked child of the process that made it; `InvalidInput` before `into_bytes`.
    pub fn poll_bytes(&self) -> Result<Polled<Vec<u8>>> {
        self.poll_feed(|feed, cx| match feed {
            Feed::Bytes(stream) => Ok(stream.poll_next_unpin(cx)),
            Feed::Events(_) => Err(Error::invalid("this reply is read as events")),
        })
    }

    fn poll_feed<R>(
        &self,
        poll: impl FnOnce(&mut Feed, &mut Context<'_>) -> Result<Poll<Option<R>>>,
    ) -> Result<Polled<R>> {
        self.tap.poll(poll).map_err(|error| error.with_turn(self.turn))
    }

    /// Ends the subscription, as dropping does.
    pub fn close(&self) {
        self.tap.close();
    }
}

/// What is there; `None` after the last event was given.
fn batch(reply: &mut Reply, cx: &mut Context<'_>) -> Poll<Option<Vec<Event>>> {
    let mut batch = Vec::new();
    while batch.len() < BATCH {
        match reply.poll_next_unpin(cx) {
            Poll::Ready(Some(event)) => batch.push(event),
            Poll::Ready(None) if batch.is_empty() => return Poll::Ready(None),
            Poll::Pending if batch.is_empty() => return Poll::Pending,
            Poll::Ready(None) | Poll::Pending => break,
        }
    }
    Poll::Ready(Some(batch))
}

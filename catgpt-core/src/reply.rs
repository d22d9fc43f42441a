//! A live subscription to a turn. The turn does not depend on it.

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use futures_util::stream::{BoxStream, StreamExt};
use futures_util::{FutureExt, Stream};
use serde::Deserialize;
use tokio::runtime::Handle;
use tokio::time::error::Elapsed;
use tokio::time::{Instant, sleep_until, timeout};

use crate::error::{Error, ErrorKind, Result};
use crate::event::{Event, Finished};
use crate::id::{Owner, SessionId, TurnId};
use crate::live::local::Reader;
use crate::message::Offset;
use crate::observe::Attached;
use crate::runner::{Runner, Running};
use crate::turn::Stop;
use crate::wire::{Encoder, Encoding, Format, rest};

/// What dropping a [`Reply`] does to its turn.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OnDrop {
    /// Nothing: it goes on, is stored, and can be attached to.
    #[default]
    Detach,
    /// It is cancelled, unless it has ended.
    Cancel,
}

/// A live subscription to a turn: a stream of [`Event`]s that ends after [`Event::Finished`], which always comes.
///
/// Iterating never fails; [`text`](Self::text) and [`result`](Self::result) return the error that the last event
/// carries. Dropping it ends the subscription, not the turn.
pub struct Reply {
    source: Source,
    runner: Arc<Runner>,
    owner: Owner,
    session: SessionId,
    turn: TurnId,
    on_drop: OnDrop,
    over: bool,
    _attached: Attached,
}

enum Source {
    /// A turn of this process.
    Here(Reader, Arc<Running>),
    /// A turn of another process, or one that has ended.
    Stored(BoxStream<'static, Event>, Option<Handle>),
}

impl Reply {
    pub(crate) fn local(runner: Arc<Runner>, running: Arc<Running>, from: Offset) -> Self {
        let (owner, session, turn) = (running.owner.clone(), running.session.clone(), running.turn);
        let source = Source::Here(running.log.read(from), running);
        let _attached = Attached::new(&runner.meter);
        Self { source, runner, owner, session, turn, on_drop: OnDrop::Detach, over: false, _attached }
    }

    pub(crate) fn followed(
        runner: Arc<Runner>,
        owner: Owner,
        session: SessionId,
        turn: TurnId,
        events: BoxStream<'static, Event>,
    ) -> Self {
        // It may be dropped outside of the runtime, and then has to cancel from there.
        let source = Source::Stored(events, Handle::try_current().ok());
        let _attached = Attached::new(&runner.meter);
        Self { source, runner, owner, session, turn, on_drop: OnDrop::Detach, over: false, _attached }
    }

    /// Says what dropping it does.
    #[must_use]
    pub fn on_drop(mut self, on_drop: OnDrop) -> Self {
        self.on_drop = on_drop;
        self
    }

    /// The turn.
    pub fn turn(&self) -> TurnId {
        self.turn
    }

    /// The turn's session.
    pub fn session(&self) -> &SessionId {
        &self.session
    }

    /// The next event; `None` after the last one.
    pub async fn next(&mut self) -> Option<Event> {
        StreamExt::next(self).await
    }

    /// Reads to the end and returns all text from here on.
    ///
    /// # Errors
    /// The turn failed or was cut off. What it had said is in the session's history.
    pub async fn text(mut self) -> Result<String> {
        let mut text = String::new();
        let finished = self.read(|delta| text.push_str(delta)).await;
        checked(finished).map(|_| text)
    }

    /// Reads to the end and returns how the turn ended.
    ///
    /// # Errors
    /// The turn failed or was cut off.
    pub async fn result(mut self) -> Result<Finished> {
        checked(self.read(|_| ()).await)
    }

    async fn read(&mut self, mut text: impl FnMut(&str)) -> Option<Finished> {
        while let Some(event) = self.next().await {
            match event {
                Event::Text { text: delta, .. } => text(&delta),
                Event::Finished(finished) => return Some(*finished),
                _ => {}
            }
        }
        None
    }

    /// As a response in this format, with its headers. Dropping its body is dropping the reply.
    pub fn into_response(self, format: Format) -> rest::Response {
        rest::Response::stream(format, self.into_bytes(format).map(Ok).boxed())
    }

    /// As bytes of a [`Format`], each item one write: what is there at the same time goes together.
    /// A silent model is heard as a sign of life, and writes keep their distance, as the [`Encoding`] says. Dropping it
    /// is dropping the reply.
    pub fn into_bytes(mut self, encoding: impl Into<Encoding>) -> BoxStream<'static, Vec<u8>> {
        let encoding = encoding.into();
        let mut encoder = Encoder::new(&encoding, self.turn, &self.session);
        let alive = encoding.format.keep_alive();
        let silence = if alive.is_empty() { 0 } else { encoding.keep_alive_ms };
        let bytes = async_stream::stream! {
            while !self.over {
                let event = match self.next_within(silence).await {
                    Ok(Some(event)) => event,
                    Ok(None) => return,
                    Err(_) => {
                        yield alive.to_vec();
                        continue;
                    }
                };
                let mut bytes = Vec::with_capacity(128);
                encoder.write(&event, &mut bytes);
                while let Some(Some(event)) = self.next().now_or_never() {
                    if encoder.one_a_write() {
                        yield std::mem::take(&mut bytes);
                    }
                    encoder.write(&event, &mut bytes);
                }
                if bytes.is_empty() {
                    continue;
                }
                let written = Instant::now();
                yield bytes;
                // Before the next look and not after it, so that what comes meanwhile wakes nobody.
                if !self.over && encoding.min_interval_ms > 0 {
                    sleep_until(written + Duration::from_millis(encoding.min_interval_ms)).await;
                }
            }
        };
        bytes.boxed()
    }

    /// The next event, if it comes in time; 0 waits for as long as it takes.
    async fn next_within(&mut self, ms: u64) -> Result<Option<Event>, Elapsed> {
        match ms {
            0 => Ok(self.next().await),
            ms => timeout(Duration::from_millis(ms), self.next()).await,
        }
    }

    /// Stops the turn, wherever it runs, and ends the request to the model. The text so far is kept; the stream goes on
    /// to its last event. A turn that has ended is left as it is.
    ///
    /// # Errors
    /// The turn runs elsewhere and the store cannot be reached.
    pub async fn cancel(&self) -> Result<()> {
        match &self.source {
            Source::Here(_, running) => {
                running.stop(Stop::Cancel);
                Ok(())
            }
            Source::Stored(..) => self.runner.cancel(&self.owner, self.turn).await,
        }
    }
}

fn checked(finished: Option<Finished>) -> Result<Finished> {
    let gone = || Error::new(ErrorKind::Unexpected, "this reply was read to its end before");
    let finished = finished.ok_or_else(gone)?;
    match finished.failure() {
        Some(error) => Err(error.into()),
        None => Ok(finished),
    }
}

impl Stream for Reply {
    type Item = Event;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Event>> {
        let this = self.get_mut();
        if this.over {
            return Poll::Ready(None);
        }
        let next = match &mut this.source {
            Source::Here(reader, _) => reader.poll_next_unpin(cx),
            Source::Stored(events, _) => events.poll_next_unpin(cx),
        };
        if let Poll::Ready(None | Some(Event::Finished(_))) = next {
            this.over = true;
        }
        next
    }
}

impl Drop for Reply {
    fn drop(&mut self) {
        if self.over || self.on_drop == OnDrop::Detach {
            return;
        }
        match &self.source {
            Source::Here(_, running) => running.stop(Stop::Cancel),
            Source::Stored(_, runtime) => {
                let (runner, owner, turn) = (Arc::clone(&self.runner), self.owner.clone(), self.turn);
                if let Some(runtime) = runtime {
                    runtime.spawn(async move {
                        if let Err(error) = runner.cancel(&owner, turn).await {
                            tracing::warn!(%error, %turn, "a dropped reply could not cancel its turn");
                        }
                    });
                }
            }
        }
    }
}

impl fmt::Debug for Reply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reply").field("session", &self.session).field("turn", &self.turn).finish_non_exhaustive()
    }
}

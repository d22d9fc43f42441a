//! One answer as a stream: opens it, reads it, watches the clock, ends it once.

use std::fmt;
use std::future::Future as _;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use futures_util::future::BoxFuture;
use futures_util::stream::BoxStream;
use futures_util::{FutureExt, Stream, StreamExt};
use reqwest::Response;
use reqwest::header::CONTENT_TYPE;
use tokio::time::{Instant, Sleep, sleep_until};

use super::reader::Reader;
use super::{Endpoint, Timeouts};
use crate::error::{Error, ErrorKind, Result};
use crate::model::decode::{Decode, Step};
use crate::model::{ModelEvent, Secret};

/// How long a server that has finished may take to say what was used, or to hang up.
const AFTER_FINISH: Duration = Duration::from_secs(5);

/// One question.
#[derive(Debug)]
pub(in crate::model) struct Call {
    pub(in crate::model) endpoint: Endpoint,
    /// Of the request's own.
    pub(in crate::model) key: Option<Secret>,
    pub(in crate::model) path: &'static str,
    /// An error if it cannot be asked.
    pub(in crate::model) body: Result<Vec<u8>>,
    pub(in crate::model) decoder: Box<dyn Decode>,
}

/// The stream of one answer. Dropping it drops the connection.
pub(in crate::model) struct Answer {
    state: State,
    reader: Reader,
    clock: Option<Clock>,
    timeouts: Timeouts,
    request_id: Option<String>,
}

enum State {
    /// Nobody has polled yet.
    New(Option<BoxFuture<'static, Result<Response>>>),
    /// Waiting for the head of the answer.
    Opening(BoxFuture<'static, Result<Response>>),
    /// Reading the body.
    Reading(BoxStream<'static, reqwest::Result<Bytes>>),
    /// All is said. The body is kept for one more look: read to its end, its connection can be used again.
    Done(BoxStream<'static, reqwest::Result<Bytes>>),
    /// Over, but for an error.
    Ended(Option<Error>),
}

impl Answer {
    pub(in crate::model) fn new(call: Call) -> Self {
        let Call { endpoint, key, path, body, decoder } = call;
        Self {
            reader: Reader::new(decoder),
            timeouts: endpoint.timeouts,
            // Nothing is sent before it is polled.
            state: State::New(Some(
                async move { endpoint.say(key.as_ref(), path, "text/event-stream", body?).await }.boxed(),
            )),
            clock: None,
            request_id: None,
        }
    }

    fn begin_reading(&mut self, response: Response) {
        self.request_id = super::request_id(response.headers());
        let kind = response.headers().get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok());
        self.reader.content_type(kind.unwrap_or_default());
        self.state = State::Reading(response.bytes_stream().boxed());
    }

    fn took(&mut self, bytes: &[u8]) {
        let step = self.reader.feed(bytes);
        let idle = self.timeouts.idle;
        if let Some(clock) = &mut self.clock {
            clock.allow(if self.reader.finished() { idle.min(AFTER_FINISH) } else { idle });
        }
        match step {
            Ok(Step::More) => {}
            Ok(Step::Done) => self.done(),
            Err(error) => self.end(Some(error)),
        }
    }

    fn done(&mut self) {
        self.reader.end(&mut None);
        if let State::Reading(body) = std::mem::replace(&mut self.state, State::Ended(None)) {
            self.state = State::Done(body);
        }
    }

    /// The end. An answer that was whole stays so, whatever broke after it.
    fn end(&mut self, error: Option<Error>) {
        let mut error = error.map(|error| super::with_request_id(error, self.request_id.as_deref()));
        self.reader.end(&mut error);
        self.state = State::Ended(error);
    }

    fn timed_out(&self) -> Error {
        let (phase, limit) = match (&self.state, self.reader.begun()) {
            (State::Reading(_), true) => ("the model stopped in the middle of its answer", self.timeouts.idle),
            _ => ("the model did not begin to answer in time", self.timeouts.first_byte),
        };
        Error::new(ErrorKind::Timeout, phase).with("seconds", limit.as_secs_f32())
    }

    /// Goes one step. `Ready` means that something changed.
    fn advance(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        match &mut self.state {
            State::New(call) => {
                self.clock = Some(Clock::new(self.timeouts.first_byte));
                self.state = call.take().map_or(State::Ended(None), State::Opening);
            }
            State::Opening(opening) => match ready!(opening.poll_unpin(cx)) {
                Ok(response) => self.begin_reading(response),
                Err(error) => self.end(Some(error)),
            },
            State::Reading(body) => match ready!(body.poll_next_unpin(cx)) {
                Some(Ok(bytes)) => self.took(&bytes),
                Some(Err(error)) => {
                    let error = broken(error, self.reader.begun());
                    self.end(Some(error));
                }
                None => self.end(None),
            },
            State::Done(body) => {
                let _ = body.poll_next_unpin(cx);
                self.state = State::Ended(None);
            }
            State::Ended(_) => {}
        }
        Poll::Ready(())
    }
}

impl Stream for Answer {
    type Item = Result<ModelEvent>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = self.get_mut();
        loop {
            if let Some(event) = this.reader.pop() {
                return Poll::Ready(Some(Ok(event)));
            }
            if let State::Ended(error) = &mut this.state {
                return Poll::Ready(error.take().map(Err));
            }
            if this.advance(cx).is_pending() {
                ready!(this.clock.as_mut().map_or(Poll::Pending, |clock| clock.poll(cx)));
                let error = this.timed_out();
                this.end(Some(error));
            }
        }
    }
}

impl fmt::Debug for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Answer").finish_non_exhaustive()
    }
}

fn broken(error: reqwest::Error, begun: bool) -> Error {
    let error = error.without_url();
    let (kind, message) = if begun {
        (ErrorKind::Truncated, "the connection to the model broke in the middle of its answer")
    } else {
        (ErrorKind::Unavailable, "the connection to the model broke before it answered")
    };
    Error::new(kind, message).with("cause", super::root(&error)).caused_by(error)
}

/// A deadline that is moved with every chunk. The timer itself is moved only when it fires too early.
struct Clock {
    deadline: Instant,
    timer: Pin<Box<Sleep>>,
}

impl Clock {
    fn new(after: Duration) -> Self {
        let deadline = deadline(after);
        Self { deadline, timer: Box::pin(sleep_until(deadline)) }
    }

    /// From now on, this long.
    fn allow(&mut self, after: Duration) {
        self.deadline = deadline(after);
        // Only where a phase with a shorter limit begins.
        if self.deadline < self.timer.deadline() {
            self.timer.as_mut().reset(self.deadline);
        }
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        loop {
            ready!(self.timer.as_mut().poll(cx));
            if self.timer.deadline() >= self.deadline {
                return Poll::Ready(());
            }
            self.timer.as_mut().reset(self.deadline);
        }
    }
}

/// A century is as good as never, and does not overflow.
fn deadline(after: Duration) -> Instant {
    Instant::now() + after.min(Duration::from_secs(100 * 365 * 24 * 60 * 60))
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    async fn rings(clock: &mut Clock) -> Duration {
        let start = Instant::now();
        std::future::poll_fn(|cx| clock.poll(cx)).await;
        start.elapsed()
    }

    #[tokio::test(start_paused = true)]
    async fn every_sign_of_life_moves_the_deadline() {
        let mut clock = Clock::new(10 * SECOND);
        for _ in 0..50 {
            let early = tokio::time::timeout(9 * SECOND, rings(&mut clock)).await;
            assert!(early.is_err(), "it rang although bytes came");
            clock.allow(10 * SECOND);
        }
        let quiet = rings(&mut clock).await;
        assert!((10 * SECOND..11 * SECOND).contains(&quiet), "{quiet:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn a_shorter_limit_counts_at_once() {
        let mut clock = Clock::new(100 * SECOND);
        clock.allow(SECOND);
        let quiet = rings(&mut clock).await;
        assert!((SECOND..2 * SECOND).contains(&quiet), "{quiet:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn the_longest_limit_does_not_overflow() {
        let mut clock = Clock::new(Duration::MAX);
        assert!(tokio::time::timeout(1000 * SECOND, rings(&mut clock)).await.is_err());
    }
}

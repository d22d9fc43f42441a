//! One event loop of Node: woken once for any number of news, which it takes in one string.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use catgpt_core::bridge::{self, Answer, Failure, Notice, Polled, Subscription};
use catgpt_core::{ErrorInfo, Event, SessionId, TurnId};
use napi::bindgen_prelude::Function;
use napi::threadsafe_function::ThreadsafeFunctionCallMode::NonBlocking;
use napi_derive::napi;
use serde::Serialize;
use serde_json::value::RawValue;

use crate::stream::Stream;
use crate::{Id, write};

/// One piece of news, as the package reads it.
#[derive(Serialize)]
#[serde(tag = "is", rename_all = "snake_case")]
enum News {
    /// What a parked reply waited for; empty: nothing comes any more.
    Events { id: u64, events: Vec<Event> },
    /// Bytes can be polled, or a question takes more of its answer.
    Ready { id: u64 },
    /// A call gave a turn to watch: [`Hub::take`] its stream.
    Reply { id: u64, stream: u64, turn: TurnId, session: SessionId },
    /// A call gave data.
    Data { id: u64, data: Box<RawValue> },
    /// A call failed; `cause` is the question in which the application's own code did.
    Failed { id: u64, error: ErrorInfo, cause: Option<u64> },
    /// The application's own code is asked.
    Ask { desk: u64, id: u64, method: &'static str, body: Box<RawValue> },
    /// Nobody waits for this answer any more.
    Forget { id: u64 },
}

#[derive(Default)]
struct Streams {
    /// Replies that the package has not taken yet.
    arrived: HashMap<u64, Subscription>,
    /// Those that it reads as events.
    read: HashMap<u64, Weak<Subscription>>,
}

/// What one loop is told, and the streams that it has not taken.
#[napi]
pub struct Hub {
    hub: Arc<bridge::Hub>,
    streams: Arc<Mutex<Streams>>,
}

#[napi]
impl Hub {
    /// `wake` is called on the loop, some time after something has come. It does not keep the process alive.
    #[napi(constructor)]
    pub fn new(wake: Function<'_, (), ()>) -> napi::Result<Self> {
        let wake = wake.build_threadsafe_function().callee_handled::<false>().weak::<true>().build()?;
        let hub = bridge::Hub::new(move || {
            // Refused only when the loop is gone, and then nobody is left to be told.
            wake.call((), NonBlocking);
        });
        Ok(Self { hub, streams: Arc::default() })
    }

    /// All that has come, as JSON.
    #[napi]
    pub fn drain(&self) -> String {
        let news: Vec<News> = self.hub.drain().into_iter().map(|notice| self.news(notice)).collect();
        write(&news)
    }

    /// The stream of a reply that has come, once.
    #[napi]
    pub fn take(&self, stream: Id) -> Option<Stream> {
        let subscription = self.streams().arrived.remove(&stream.cast_unsigned())?;
        Some(Stream::new(subscription, self))
    }

    pub(crate) fn shared(&self) -> Arc<bridge::Hub> {
        Arc::clone(&self.hub)
    }

    /// From now on what a parked stream waits for comes with the news; forgotten with the stream.
    pub(crate) fn reads(&self, stream: &Arc<Subscription>) -> Reading {
        self.streams().read.insert(stream.id(), Arc::downgrade(stream));
        Reading { id: stream.id(), streams: Arc::clone(&self.streams) }
    }

    fn news(&self, notice: Notice) -> News {
        match notice {
            Notice::Ready { id } => self.ready(id),
            Notice::Done { id, outcome: Ok(Answer::Json(data)) } => News::Data { id, data: raw(data) },
            Notice::Done { id, outcome: Ok(Answer::Reply(reply)) } => self.arrived(id, *reply),
            Notice::Done { id, outcome: Err(Failure { info, cause }) } => News::Failed { id, error: info, cause },
            Notice::Ask { desk, id, method, body } => News::Ask { desk, id, method, body: raw(body) },
            Notice::Forget { id } => News::Forget { id },
        }
    }

    fn ready(&self, id: u64) -> News {
        let stream = self.streams().read.get(&id).and_then(Weak::upgrade);
        match stream.map(|stream| stream.poll()) {
            Some(Ok(Polled::Ready(events))) => News::Events { id, events },
            Some(Ok(Polled::Over)) => News::Events { id, events: Vec::new() },
            // Bytes, a question, or a wake that brought nothing: look again.
            _ => News::Ready { id },
        }
    }

    fn arrived(&self, id: u64, reply: Subscription) -> News {
        let (stream, turn, session) = (reply.id(), reply.turn(), reply.session().clone());
        self.streams().arrived.insert(stream, reply);
        News::Reply { id, stream, turn, session }
    }

    fn streams(&self) -> MutexGuard<'_, Streams> {
        self.streams.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl std::fmt::Debug for Hub {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Hub").finish_non_exhaustive()
    }
}

/// That a stream is read as events, until it is dropped.
pub(crate) struct Reading {
    id: u64,
    streams: Arc<Mutex<Streams>>,
}

impl Drop for Reading {
    fn drop(&mut self) {
        self.streams.lock().unwrap_or_else(PoisonError::into_inner).read.remove(&self.id);
    }
}

/// What the core wrote is JSON.
fn raw(json: String) -> Box<RawValue> {
    RawValue::from_string(json).unwrap_or_default()
}

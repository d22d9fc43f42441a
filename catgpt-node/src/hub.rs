//! One event loop of Node: woken once for any number of news, which it takes in one string.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use catgpt_core::bridge::{self, Answer, Failure, LogLevel, LogRecord, Notice, Subscription};
use catgpt_core::{ErrorInfo, SessionId, TurnId};
use napi::bindgen_prelude::Function;
use napi::threadsafe_function::ThreadsafeFunctionCallMode::NonBlocking;
use napi_derive::napi;
use serde::Serialize;
use serde_json::value::RawValue;

use crate::stream::{Served, Stream};
use crate::{Id, read, write};

/// One piece of news, as the package reads it.
#[derive(Serialize)]
#[serde(untagged)]
enum News {
    /// A stream can be polled, or a question takes more of its answer: its bare number, since most news is this.
    Ready(u64),
    /// All else.
    More(More),
}

#[derive(Serialize)]
#[serde(tag = "is", rename_all = "snake_case")]
enum More {
    /// A call gave a turn to watch: [`Hub::take`] its stream.
    Reply { id: u64, stream: u64, turn: TurnId, session: SessionId },
    /// A call gave a response of the HTTP API: [`Hub::take_served`] it.
    Served { id: u64, served: u64 },
    /// A call gave data.
    Data { id: u64, data: Box<RawValue> },
    /// A call failed; `cause` is the question in which the application's own code did.
    Failed { id: u64, error: ErrorInfo, cause: Option<u64> },
    /// The application's own code is asked.
    Ask { desk: u64, id: u64, method: &'static str, body: Box<RawValue> },
    /// Nobody waits for this answer any more.
    Forget { id: u64 },
    /// A line of the log.
    Log(Box<LogRecord>),
}

/// What one loop is told.
#[napi]
pub struct Hub {
    hub: Arc<bridge::Hub>,
    /// Replies that the package has not taken yet.
    arrived: Mutex<HashMap<u64, Subscription>>,
    served: Mutex<HashMap<u64, bridge::Served>>,
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
        Ok(Self { hub, arrived: Mutex::default(), served: Mutex::default() })
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
        locked(&self.arrived).remove(&stream.cast_unsigned()).map(Stream::new)
    }

    /// A response that has come, once.
    #[napi]
    pub fn take_served(&self, served: Id) -> Option<Served> {
        locked(&self.served).remove(&served.cast_unsigned()).map(Served::new)
    }

    /// From now on lines of the log of this level and above come here; without one, none.
    #[napi]
    pub fn listen(&self, level: Option<String>) -> napi::Result<()> {
        let level = level.map(|level| read::<LogLevel>(&format!("\"{level}\""))).transpose()?;
        bridge::listen(&self.hub, level);
        Ok(())
    }

    pub(crate) fn shared(&self) -> Arc<bridge::Hub> {
        Arc::clone(&self.hub)
    }

    fn news(&self, notice: Notice) -> News {
        News::More(match notice {
            Notice::Ready { id } => return News::Ready(id),
            Notice::Done { id, outcome: Ok(Answer::Json(data)) } => More::Data { id, data: raw(data) },
            Notice::Done { id, outcome: Ok(Answer::Reply(reply)) } => self.arrived(id, *reply),
            Notice::Done { id, outcome: Ok(Answer::Served(response)) } => {
                let served = response.id();
                locked(&self.served).insert(served, *response);
                More::Served { id, served }
            }
            Notice::Done { id, outcome: Err(Failure { info, cause }) } => More::Failed { id, error: info, cause },
            Notice::Ask { desk, id, method, body } => More::Ask { desk, id, method, body: raw(body) },
            Notice::Forget { id } => More::Forget { id },
            Notice::Log(record) => More::Log(record),
        })
    }

    fn arrived(&self, id: u64, reply: Subscription) -> More {
        let (stream, turn, session) = (reply.id(), reply.turn(), reply.session().clone());
        locked(&self.arrived).insert(stream, reply);
        More::Reply { id, stream, turn, session }
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl std::fmt::Debug for Hub {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Hub").finish_non_exhaustive()
    }
}

/// What the core wrote is JSON.
fn raw(json: String) -> Box<RawValue> {
    RawValue::from_string(json).unwrap_or_default()
}

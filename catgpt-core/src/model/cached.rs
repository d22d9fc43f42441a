//! A model that gives an answer again which it has given to the very same request.

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use futures_util::stream::{self, BoxStream, StreamExt};
use serde::Serialize;
use serde_json::Value;
use sha2::{Digest, Sha256};
use tokio::time::Instant;

use super::{ChatModel, ModelEvent, ModelInfo, ModelRequest, Params, PromptMessage, Provider, ToolSpec};
use crate::error::Result;
use crate::message::{FinishReason, Usage};

/// What an answer costs besides its content, in bytes, rounded up; and each of its events.
const AROUND: usize = 256;

/// Keeps whole answers in memory, and gives them to the same request again.
///
/// The key is the SHA-256 of the whole request: model, parameters and every message; not who asks, nor with which key.
/// Only an answer that ended well is kept: one that was cut off, failed, stopped or filtered is asked for again. A kept
/// answer comes with a [`Usage`] of zero, because it cost nothing. What is kept is bounded in bytes and in time; the
/// answer used longest ago goes first. Two of the same requests at once ask twice.
///
/// It is off unless you wrap a model, because it is not for conversations: nobody there asks the same thing twice, a
/// temperature is meant to give other answers, and what one owner was told another hears too. It is for demos, tests and
/// frequent first questions. [`regenerate`](crate::Session::regenerate) never gets a kept answer, and its answer is kept
/// in the old one's place.
///
/// ```
/// use catgpt_core::{Cached, Engine, Offline};
/// let engine = Engine::builder().model(Cached::new(Offline::new())).build();
/// ```
#[derive(Clone)]
pub struct Cached<M> {
    model: M,
    cupboard: Cupboard,
}

/// What is kept, and how much of it for how long.
#[derive(Clone)]
struct Cupboard {
    bytes: usize,
    ttl: Duration,
    shelf: Arc<Mutex<Shelf>>,
}

impl<M: ChatModel> Cached<M> {
    /// Keeps up to 32 MiB, each answer for an hour.
    pub fn new(model: M) -> Self {
        let cupboard = Cupboard { bytes: 32 << 20, ttl: Duration::from_secs(60 * 60), shelf: Arc::default() };
        Self { model, cupboard }
    }

    /// The most bytes that are kept.
    #[must_use]
    pub fn bytes(mut self, bytes: usize) -> Self {
        self.cupboard.bytes = bytes;
        self
    }

    /// How long an answer may be given again.
    #[must_use]
    pub fn ttl(mut self, ttl: Duration) -> Self {
        self.cupboard.ttl = ttl;
        self
    }
}

#[async_trait]
impl<M: ChatModel> ChatModel for Cached<M> {
    fn stream(&self, request: ModelRequest) -> BoxStream<'static, Result<ModelEvent>> {
        let key = key(&request, self.model.name());
        let kept = if request.fresh { None } else { self.cupboard.shelf().get(&key, Instant::now()) };
        if let Some(events) = kept {
            return stream::iter((0..events.len()).map(move |at| Ok(events[at].clone()))).boxed();
        }
        let (mut answer, cupboard) = (self.model.stream(request), self.cupboard.clone());
        let mut recorded = Recorded::new(cupboard.bytes);
        let kept = async_stream::stream! {
            while let Some(event) = answer.next().await {
                match &event {
                    Ok(event) => recorded.add(event),
                    Err(_) => recorded.spoil(),
                }
                // Kept at once: whoever has the last word need not ask for one more.
                if let Some((events, bytes)) = recorded.whole() {
                    cupboard.keep(key, events, bytes);
                }
                yield event;
            }
        };
        kept.boxed()
    }

    fn name(&self) -> &str {
        self.model.name()
    }

    fn takes_images(&self) -> bool {
        self.model.takes_images()
    }

    async fn models(&self) -> Result<Vec<ModelInfo>> {
        self.model.models().await
    }

    fn provider(&self) -> Provider {
        self.model.provider()
    }

    fn chosen(&self, model: Option<&str>) -> Result<Option<&dyn ChatModel>> {
        self.model.chosen(model)
    }

    fn preview(&self, request: &ModelRequest) -> Result<Value> {
        self.model.preview(request)
    }
}

impl<M: fmt::Debug> fmt::Debug for Cached<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Cached")
            .field("model", &self.model)
            .field("bytes", &self.cupboard.bytes)
            .field("ttl", &self.cupboard.ttl)
            .finish_non_exhaustive()
    }
}

impl Cupboard {
    fn shelf(&self) -> MutexGuard<'_, Shelf> {
        self.shelf.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn keep(&self, key: Key, events: Arc<[ModelEvent]>, bytes: usize) {
        let now = Instant::now();
        // A time too far away to be told is for ever.
        let until = now.checked_add(self.ttl);
        let mut shelf = self.shelf();
        shelf.put(key, Kept { events, bytes, until, used: 0 });
        shelf.shrink(self.bytes);
    }
}

type Key = [u8; 32];

/// The whole request, but for who asks. What is added to a request must be decided upon here, or this does not compile.
fn key(request: &ModelRequest, name: &str) -> Key {
    #[derive(Serialize)]
    struct Whole<'a> {
        model: &'a str,
        params: &'a Params,
        messages: &'a [PromptMessage],
        tools: &'a [ToolSpec],
    }
    let ModelRequest { messages, params, model, credentials: _, turn: _, fresh: _, tools } = request;
    let mut hash = Hash(Sha256::new());
    let whole = Whole { model: model.as_deref().unwrap_or(name), params, messages, tools };
    serde_json::to_writer(&mut hash, &whole).expect("plain data has a JSON form");
    hash.0.finalize().into()
}

/// A request may be many megabytes long, so its JSON is hashed as it is written.
struct Hash(Sha256);

impl io::Write for Hash {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.update(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// An answer as it comes, its texts put together.
struct Recorded {
    /// Gone once it cannot be kept, or is.
    events: Option<Vec<ModelEvent>>,
    bytes: usize,
    most: usize,
}

impl Recorded {
    fn new(most: usize) -> Self {
        // It cost nothing to say again.
        Self { events: Some(vec![ModelEvent::Usage(Usage::default())]), bytes: AROUND, most }
    }

    fn spoil(&mut self) {
        self.events = None;
    }

    fn add(&mut self, event: &ModelEvent) {
        let Some(events) = &mut self.events else { return };
        match (events.last_mut(), event) {
            (Some(ModelEvent::Text(text)), ModelEvent::Text(more))
            | (Some(ModelEvent::Reasoning(text)), ModelEvent::Reasoning(more)) => text.push_str(more),
            (_, ModelEvent::Usage(_)) => return,
            (_, event) => {
                self.bytes += AROUND;
                events.push(event.clone());
            }
        }
        self.bytes += match event {
            ModelEvent::Text(text) | ModelEvent::Reasoning(text) => text.len(),
            other => serde_json::to_vec(other).map_or(0, |json| json.len()),
        };
        if self.bytes > self.most {
            self.spoil();
        }
    }

    /// The answer as it is given again, and its bytes: once, when it has ended well.
    fn whole(&mut self) -> Option<(Arc<[ModelEvent]>, usize)> {
        use FinishReason::{Length, Stop, ToolCalls};
        let well = |events: &Vec<_>| matches!(events.last(), Some(ModelEvent::Finish(Stop | Length | ToolCalls)));
        self.events.take_if(|events| well(events)).map(|events| (events.into(), self.bytes))
    }
}

struct Kept {
    events: Arc<[ModelEvent]>,
    bytes: usize,
    until: Option<Instant>,
    used: u64,
}

/// What is kept, and in which order it was used last.
#[derive(Default)]
struct Shelf {
    kept: HashMap<Key, Kept>,
    order: BTreeMap<u64, Key>,
    bytes: usize,
    uses: u64,
}

impl Shelf {
    fn get(&mut self, key: &Key, now: Instant) -> Option<Arc<[ModelEvent]>> {
        let kept = self.take(key).filter(|kept| kept.until.is_none_or(|until| until > now))?;
        let events = Arc::clone(&kept.events);
        self.put(*key, kept);
        Some(events)
    }

    fn take(&mut self, key: &Key) -> Option<Kept> {
        let kept = self.kept.remove(key)?;
        self.order.remove(&kept.used);
        self.bytes -= kept.bytes;
        Some(kept)
    }

    fn put(&mut self, key: Key, kept: Kept) {
        self.take(&key);
        self.uses += 1;
        self.bytes += kept.bytes;
        self.order.insert(self.uses, key);
        self.kept.insert(key, Kept { used: self.uses, ..kept });
    }

    fn shrink(&mut self, most: usize) {
        while self.bytes > most
            && let Some((_, key)) = self.order.first_key_value()
        {
            let key = *key;
            self.take(&key);
        }
    }
}

#[cfg(test)]
mod tests;

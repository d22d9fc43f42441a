//! Live streams in Redis: one stream a turn, `catgpt:{turn}`, whose entry ids are the offsets.
//!
//! An entry's id is `<end>-0`, the last one's `<end>-1`. So attaching needs no search, a repeated frame is refused by
//! Redis itself, and what was lost shows as a gap. Streams go by themselves ten minutes after their last frame.

mod link;
mod reader;
mod target;

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use ::redis::{Pipeline, Value, cmd, from_redis_value};
use async_trait::async_trait;
use futures_util::stream::{BoxStream, StreamExt};

use self::link::{Link, refused};
use self::reader::Readers;
use self::target::Target;
use super::{Frame, Live};
use crate::error::{Error, ErrorKind, Result};
use crate::id::{Owner, TurnId};
use crate::message::Offset;

/// About how many frames a stream keeps: at twenty a second more than three minutes. What is older is in the store.
const MAX_FRAMES: u32 = 4096;
/// How long a stream stays after its last frame.
const KEPT_FOR: Duration = Duration::from_secs(600);
/// How long Redis may take to answer.
const PATIENCE: Duration = Duration::from_secs(2);
/// The field that holds a frame's body.
const BODY: &str = "b";

/// A [`Live`] in Redis 6 or later, or in Valkey; one server, not a cluster.
///
/// Cheap to clone; clones share their two connections: one that answers at once, one that waits for news. Neither is made before it is needed, and both are made again when they break.
#[derive(Clone)]
pub struct Redis(Arc<Shared>);

struct Shared {
    link: Link,
    readers: Readers,
    closed: AtomicBool,
}

impl Redis {
    /// As [`live::open`](crate::live::open), for `redis://`, `rediss://` and their `valkey` twins.
    ///
    /// # Errors
    /// `InvalidInput` for what is no such URL, `Unauthorized` for one whose server refuses us.
    pub async fn open(url: &str) -> Result<Self> {
        let target = Arc::new(Target::parse(url)?);
        let link = Link::new(Arc::clone(&target), PATIENCE);
        let this = Self(Arc::new(Shared { link, readers: Readers::new(target), closed: AtomicBool::new(false) }));
        match this.tail(&Owner::local(), TurnId::fresh(), 0).await {
            Err(error) if error.kind() == ErrorKind::Unauthorized => Err(error),
            // The link has said so in the log, and tries again.
            _ => Ok(this),
        }
    }

    async fn read(&self, turn: TurnId, after: Offset) -> Result<Vec<Frame>> {
        let mut pipe = Pipeline::with_capacity(1);
        pipe.add_command(read(None, &BTreeMap::from([(turn, after)])));
        let streams = frames(self.0.link.ask(&pipe).await?)?;
        Ok(streams.into_iter().next().map(|(_, frames)| frames).unwrap_or_default())
    }

    fn check_open(&self) -> Result<()> {
        match self.0.closed.load(Ordering::Relaxed) {
            true => Err(Error::new(ErrorKind::Closed, "the live log was closed")),
            false => Ok(()),
        }
    }
}

#[async_trait]
impl Live for Redis {
    async fn append(&self, _: &Owner, turn: TurnId, frame: Frame) -> Result<()> {
        self.check_open()?;
        let key = key(turn);
        let mut pipe = Pipeline::with_capacity(2);
        let id = Place { end: frame.end, last: frame.last }.to_string();
        pipe.cmd("XADD").arg(&key).arg("MAXLEN").arg("~").arg(MAX_FRAMES).arg(id).arg(BODY).arg(frame.body);
        pipe.cmd("EXPIRE").arg(&key).arg(KEPT_FOR.as_secs());
        for answer in self.0.link.ask(&pipe).await? {
            match answer {
                Value::ServerError(error) if is_repeated(&error) => {}
                Value::ServerError(error) => return Err(refused(&error)),
                _ => {}
            }
        }
        Ok(())
    }

    fn follow(&self, owner: &Owner, turn: TurnId, after: Offset) -> BoxStream<'static, Result<Frame>> {
        let (this, owner) = (self.clone(), owner.clone());
        let frames = async_stream::try_stream! {
            let mut seen = Place { end: after, last: false };
            loop {
                for frame in this.tail(&owner, turn, seen.end).await? {
                    seen = Place::of(&frame);
                    yield frame;
                    if seen.last {
                        return;
                    }
                }
                let mut coming = this.0.readers.join(turn, seen.end);
                // Whoever closes sends away those who have joined, so this comes after.
                this.check_open()?;
                while let Some(frame) = coming.recv().await {
                    // Others follow the same turn from further back.
                    if Place::of(&frame) <= seen {
                        continue;
                    }
                    seen = Place::of(&frame);
                    yield frame;
                    if seen.last {
                        return;
                    }
                }
                // The reader let go of us: its connection broke, or we were slow. What we missed is in the stream.
            }
        };
        frames.boxed()
    }

    async fn tail(&self, _: &Owner, turn: TurnId, after: Offset) -> Result<Vec<Frame>> {
        self.check_open()?;
        let this = self.clone();
        // In a task of its own: a reader who is not polled for a while must not hold what others wait for meanwhile.
        let read = tokio::spawn(async move { this.read(turn, after).await });
        read.await.map_err(|_| Error::new(ErrorKind::Unavailable, "the runtime ended while Redis was read"))?
    }

    async fn close(&self) -> Result<()> {
        self.0.closed.store(true, Ordering::Relaxed);
        self.0.readers.close().await;
        self.0.link.give_up().await;
        Ok(())
    }
}

impl fmt::Debug for Redis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Redis").field(self.0.link.target()).finish()
    }
}

/// Where a frame ends, in the order of a stream: an entry's id.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Place {
    end: Offset,
    last: bool,
}

impl Place {
    fn of(frame: &Frame) -> Self {
        Self { end: frame.end, last: frame.last }
    }

    fn parse(id: &str) -> Option<Self> {
        let (end, last) = id.split_once('-')?;
        Some(Self { end: end.parse().ok()?, last: last != "0" })
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.end, u8::from(self.last))
    }
}

fn key(turn: TurnId) -> String {
    format!("catgpt:{turn}")
}

/// Asks for what is in streams after an offset each, waiting up to `block` if there is nothing.
fn read(block: Option<Duration>, after: &BTreeMap<TurnId, Offset>) -> ::redis::Cmd {
    let mut read = cmd("XREAD");
    if let Some(block) = block {
        read.arg("BLOCK").arg(block.as_millis().to_string());
    }
    read.arg("STREAMS");
    after.keys().for_each(|turn| _ = read.arg(key(*turn)));
    after.values().for_each(|end| _ = read.arg(Place { end: *end, last: false }.to_string()));
    read
}

/// An entry: its id and its fields, name by value.
type Entry = (String, Vec<Vec<u8>>);
/// What `XREAD` answers: entries by stream, and nothing at all if there are none.
type Streams = Option<Vec<(String, Vec<Entry>)>>;

fn frames(answers: Vec<Value>) -> Result<Vec<(TurnId, Vec<Frame>)>> {
    let streams = match answers.into_iter().next() {
        Some(Value::ServerError(error)) => return Err(refused(&error)),
        Some(answer) => from_redis_value::<Streams>(answer).map_err(|error| foreign().caused_by(error))?,
        None => None,
    };
    streams.unwrap_or_default().into_iter().map(|(key, entries)| stream(&key, entries).ok_or_else(foreign)).collect()
}

/// Whatever was written after the first last frame does not count.
fn stream(key: &str, entries: Vec<Entry>) -> Option<(TurnId, Vec<Frame>)> {
    let mut frames = Vec::with_capacity(entries.len());
    for (id, fields) in entries {
        let Place { end, last } = Place::parse(&id)?;
        frames.push(Frame { end, last, body: fields.into_iter().nth(1)? });
        if last {
            break;
        }
    }
    Some((key.strip_prefix("catgpt:")?.parse().ok()?, frames))
}

fn foreign() -> Error {
    Error::new(ErrorKind::Unexpected, "Redis holds something else under the key of a live stream")
}

/// The stream has this frame, or later ones.
fn is_repeated(error: &::redis::ServerError) -> bool {
    error.details().is_some_and(|text| text.contains("equal or smaller than the target stream top item"))
}

#[cfg(test)]
mod tests;

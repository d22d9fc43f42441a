//! Running replies as they grow: who shows up, at any offset, sees the same.
//!
//! In the process that runs a turn its local log is enough. [`Live`] is how other processes see it grow without
//! asking the store. It holds nothing that the store does not get too: losing it costs liveness, never text.

#[cfg(any(test, feature = "conformance"))]
pub mod conformance;
#[cfg(feature = "encryption")]
mod encrypted;
#[cfg(any(test, feature = "conformance"))]
mod in_memory;
pub(crate) mod local;
#[cfg(feature = "redis")]
mod redis;
mod url;

use std::fmt::Debug;
use std::sync::Arc;

use async_trait::async_trait;
use futures_util::stream::BoxStream;

use crate::error::Result;
use crate::id::{Owner, TurnId};
use crate::message::Offset;

#[cfg(feature = "encryption")]
pub use self::encrypted::Encrypted;
#[cfg(any(test, feature = "conformance"))]
pub use self::in_memory::InMemoryLive;
#[cfg(feature = "redis")]
pub use self::redis::Redis;
#[cfg(feature = "bridge")]
pub(crate) use self::url::check;
pub use self::url::open;

/// A stretch of a running reply.
///
/// Where it begins is in its body. Stretches of one reply may overlap, after a write of unknown outcome; whoever reads
/// takes what he has not seen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frame {
    /// The offset after it.
    pub end: Offset,
    /// The core's bytes; nobody else looks inside. Empty, if it only says that the reply has ended.
    pub body: Vec<u8>,
    /// The reply ends here, and its end is committed: how it ended is in the store.
    pub last: bool,
}

/// Carries running replies between processes. It is given turns that were looked up under their owner before, and may
/// tell them apart by their ids alone. It may lose anything at any time: frames, streams, all of it.
///
/// No call hangs: what cannot be done soon fails with an error that may be tried again.
///
/// [`conformance`](crate::live::conformance) (feature `conformance`) is this contract as a test suite.
#[async_trait]
pub trait Live: Debug + Send + Sync + 'static {
    /// Adds a frame to a turn's stream. Each ends after the one before, but for the last one, which may end where that
    /// did; a repeated frame is one.
    async fn append(&self, owner: &Owner, turn: TurnId, frame: Frame) -> Result<()>;

    /// The frames that end after `after`, and the last one whatever its offset, in order: those that are there at once,
    /// the others as they come. Ends after the last frame, or with an error; then the store is asked, and this again.
    /// A reader who is slow costs the writer and other readers nothing.
    fn follow(&self, owner: &Owner, turn: TurnId, after: Offset) -> BoxStream<'static, Result<Frame>>;

    /// The frames that [`follow`](Self::follow) would give at once.
    async fn tail(&self, owner: &Owner, turn: TurnId, after: Offset) -> Result<Vec<Frame>>;

    /// Lets go of what it holds. Calls after it fail with `Closed`, and so do streams that are open.
    async fn close(&self) -> Result<()> {
        Ok(())
    }
}

/// A shared one is one, so builders take either.
#[async_trait]
impl<L: Live + ?Sized> Live for Arc<L> {
    async fn append(&self, owner: &Owner, turn: TurnId, frame: Frame) -> Result<()> {
        (**self).append(owner, turn, frame).await
    }
    fn follow(&self, owner: &Owner, turn: TurnId, after: Offset) -> BoxStream<'static, Result<Frame>> {
        (**self).follow(owner, turn, after)
    }
    async fn tail(&self, owner: &Owner, turn: TurnId, after: Offset) -> Result<Vec<Frame>> {
        (**self).tail(owner, turn, after).await
    }
    async fn close(&self) -> Result<()> {
        (**self).close().await
    }
}

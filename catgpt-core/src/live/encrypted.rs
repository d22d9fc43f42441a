//! A live log whose frames are sealed.

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use futures_util::stream::{BoxStream, StreamExt};

use super::{Frame, Live};
use crate::encryption::{Encryption, Place};
use crate::error::Result;
use crate::id::{Owner, TurnId};
use crate::message::Offset;

/// A [`Live`] that carries nothing readable through another one. An engine is given its
/// [`encryption`](crate::EngineBuilder::encryption) instead, which seals its memory too.
pub struct Encrypted {
    live: Arc<dyn Live>,
    keys: Encryption,
}

impl Encrypted {
    /// Seals what goes through this live log.
    pub fn new(live: impl Live, encryption: impl Into<Encryption>) -> Self {
        Self { live: Arc::new(live), keys: encryption.into() }
    }
}

/// A frame without content says nothing but that the reply has ended; how it ended is in the store.
async fn opened(keys: &Encryption, owner: &Owner, turn: TurnId, mut frame: Frame) -> Result<Frame> {
    if !frame.body.is_empty() {
        keys.open(owner, Place::Frame(turn, frame.end, frame.last), &mut frame.body).await?;
    }
    Ok(frame)
}

#[async_trait]
impl Live for Encrypted {
    async fn append(&self, owner: &Owner, turn: TurnId, mut frame: Frame) -> Result<()> {
        if !frame.body.is_empty() {
            let place = Place::Frame(turn, frame.end, frame.last);
            frame.body = self.keys.seal(owner, place, &frame.body).await?;
        }
        self.live.append(owner, turn, frame).await
    }

    fn follow(&self, owner: &Owner, turn: TurnId, after: Offset) -> BoxStream<'static, Result<Frame>> {
        let (keys, whose) = (self.keys.clone(), owner.clone());
        let mut frames = self.live.follow(owner, turn, after);
        let opened = async_stream::try_stream! {
            while let Some(frame) = frames.next().await {
                yield opened(&keys, &whose, turn, frame?).await?;
            }
        };
        opened.boxed()
    }

    async fn tail(&self, owner: &Owner, turn: TurnId, after: Offset) -> Result<Vec<Frame>> {
        let mut frames = Vec::new();
        for frame in self.live.tail(owner, turn, after).await? {
            frames.push(opened(&self.keys, owner, turn, frame).await?);
        }
        Ok(frames)
    }

    async fn close(&self) -> Result<()> {
        self.live.close().await
    }
}

impl fmt::Debug for Encrypted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Encrypted").field("live", &self.live).field("keys", &self.keys).finish()
    }
}

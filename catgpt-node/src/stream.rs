//! A reply as the loop reads it.

use catgpt_core::bridge::{self, Polled, Subscription};
use napi::bindgen_prelude::Buffer;
use napi_derive::napi;

use crate::{thrown, write};

/// How many events one crossing hands over before others have their turn.
const BATCH: usize = 256;

/// A subscription, polled for events or for bytes.
#[napi]
#[derive(Debug)]
pub struct Stream(Subscription);

#[napi]
impl Stream {
    pub(crate) fn new(subscription: Subscription) -> Self {
        Self(subscription)
    }

    /// What is there, as JSON: whether that was all, so that the news will tell of more without another poll, and the
    /// events; none of them after the last. `null` when nothing is there and the news will tell.
    #[napi]
    pub fn poll(&self) -> napi::Result<Option<String>> {
        let mut events = Vec::new();
        while events.len() < BATCH {
            match self.0.poll().map_err(thrown)? {
                Polled::Ready(more) => events.extend(more),
                Polled::Waiting if events.is_empty() => return Ok(None),
                Polled::Waiting => return Ok(Some(write(&(true, events)))),
                Polled::Over => break,
            }
        }
        Ok(Some(write(&(false, events))))
    }

    /// From here on it is polled for bytes; how is JSON.
    #[napi]
    pub fn begin_bytes(&self, encoding: String) -> napi::Result<()> {
        self.0.begin_bytes(&encoding).map_err(thrown)
    }

    /// The bytes that are there; none after the last; `null` when the news will tell that there are some.
    #[napi]
    pub fn poll_bytes(&self) -> napi::Result<Option<Buffer>> {
        Ok(bytes(self.0.poll_bytes().map_err(thrown)?))
    }

    /// Ends the subscription.
    #[napi]
    pub fn close(&self) {
        self.0.close();
    }
}

/// A response of the HTTP API.
#[napi]
#[derive(Debug)]
pub struct Served(bridge::Served);

#[napi]
impl Served {
    pub(crate) fn new(served: bridge::Served) -> Self {
        Self(served)
    }

    /// Its head, as JSON.
    #[napi(getter)]
    pub fn head(&self) -> String {
        self.0.head().to_owned()
    }

    /// The bytes that are there; none after the last; `null` when the news will tell that there are some.
    #[napi]
    pub fn poll_bytes(&self) -> napi::Result<Option<Buffer>> {
        Ok(bytes(self.0.poll_bytes().map_err(thrown)?))
    }

    /// Ends it.
    #[napi]
    pub fn close(&self) {
        self.0.close();
    }
}

fn bytes(polled: Polled<Vec<u8>>) -> Option<Buffer> {
    match polled {
        Polled::Ready(bytes) => Some(bytes.into()),
        Polled::Waiting => None,
        Polled::Over => Some(Buffer::from(Vec::new())),
    }
}

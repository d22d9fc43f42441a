//! A reply as the loop reads it.

use std::sync::{Arc, Mutex, PoisonError};

use catgpt_core::bridge::{Polled, Subscription};
use napi::bindgen_prelude::Buffer;
use napi_derive::napi;

use crate::hub::{Hub, Reading};
use crate::{read, thrown, write};

/// A subscription, polled for events or for bytes.
#[napi]
pub struct Stream {
    subscription: Arc<Subscription>,
    reading: Mutex<Option<Reading>>,
}

#[napi]
impl Stream {
    pub(crate) fn new(subscription: Subscription, hub: &Hub) -> Self {
        let subscription = Arc::new(subscription);
        let reading = Mutex::new(Some(hub.reads(&subscription)));
        Self { subscription, reading }
    }

    /// The events that are there, as JSON; an empty list after the last; `null` when the news will bring them.
    #[napi]
    pub fn poll(&self) -> napi::Result<Option<String>> {
        Ok(match self.subscription.poll().map_err(thrown)? {
            Polled::Ready(events) => Some(write(&events)),
            Polled::Waiting => None,
            Polled::Over => Some("[]".into()),
        })
    }

    /// From here on it is polled for bytes.
    #[napi]
    pub fn begin_sse(&self, options: String) -> napi::Result<()> {
        self.unread();
        self.subscription.into_sse(read(&options)?).map_err(thrown)
    }

    /// The bytes that are there; none after the last; `null` when the news will tell that there are some.
    #[napi]
    pub fn poll_sse(&self) -> napi::Result<Option<Buffer>> {
        Ok(match self.subscription.poll_sse().map_err(thrown)? {
            Polled::Ready(bytes) => Some(bytes.into()),
            Polled::Waiting => None,
            Polled::Over => Some(Buffer::from(Vec::new())),
        })
    }

    /// Ends the subscription.
    #[napi]
    pub fn close(&self) {
        self.unread();
        self.subscription.close();
    }

    fn unread(&self) {
        self.reading.lock().unwrap_or_else(PoisonError::into_inner).take();
    }
}

impl std::fmt::Debug for Stream {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.subscription.fmt(f)
    }
}

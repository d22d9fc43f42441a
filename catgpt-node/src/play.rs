//! The scripted model, for tests.

use std::sync::Arc;

use catgpt_core::bridge;
use catgpt_core::model::ChatModel;
use napi_derive::napi;

use crate::thrown;

/// Scripts, and the gates in them.
#[napi]
#[derive(Debug)]
pub struct Play(bridge::Play);

#[napi]
impl Play {
    #[napi(constructor)]
    pub fn new(scripts: String) -> napi::Result<Self> {
        bridge::Play::new(&scripts).map(Self).map_err(thrown)
    }

    /// Opens a gate. Says whether there is one of this name.
    #[napi]
    pub fn open(&self, gate: String) -> bool {
        self.0.open(&gate)
    }

    /// What the model was asked, as JSON.
    #[napi]
    pub fn requests(&self) -> String {
        self.0.requests()
    }

    /// How many of its answers were dropped before their end.
    #[napi]
    pub fn dropped(&self) -> u32 {
        self.0.dropped().try_into().unwrap_or(u32::MAX)
    }

    pub(crate) fn model(&self) -> Arc<dyn ChatModel> {
        self.0.model()
    }
}

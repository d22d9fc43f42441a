//! The models of an application's own, as an engine is given them: in order, so that its config can name them by numbers.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use catgpt_core::bridge::{DeskModel, DeskTimeouts};
use catgpt_core::model::ChatModel;
use napi_derive::napi;

use crate::desk::Desk;
use crate::play::Play;
use crate::read;

/// Models in order.
#[napi]
#[derive(Debug, Default)]
pub struct Models(Mutex<Vec<Arc<dyn ChatModel>>>);

#[napi]
impl Models {
    /// None yet.
    #[napi(constructor)]
    pub fn new() -> Self {
        Self::default()
    }

    /// One that is asked at this desk.
    #[napi]
    pub fn desk(&self, desk: &Desk, name: String, timeouts: String) -> napi::Result<()> {
        let timeouts: DeskTimeouts = read(&timeouts)?;
        self.list().push(Arc::new(DeskModel::new(name, desk.shared(), timeouts)));
        Ok(())
    }

    /// One that plays scripts.
    #[napi]
    pub fn play(&self, play: &Play) {
        self.list().push(play.model());
    }

    pub(crate) fn all(&self) -> Vec<Arc<dyn ChatModel>> {
        self.list().clone()
    }

    fn list(&self) -> MutexGuard<'_, Vec<Arc<dyn ChatModel>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

//! How far a long call has come.

use std::sync::{Arc, Mutex, PoisonError};

use super::hub::{Hub, Notice, fresh};
use crate::transfer::Progress;

/// How far a long call has come: told by a [`Notice::Ready`] with its own number, at most one until somebody looks.
#[derive(Debug)]
pub(super) struct Watch {
    pub(super) id: u64,
    hub: Arc<Hub>,
    /// What nobody has looked at yet.
    news: Mutex<Option<Progress>>,
}

impl Watch {
    pub(super) fn new(hub: &Arc<Hub>) -> Arc<Self> {
        Arc::new(Self { id: fresh(), hub: Arc::clone(hub), news: Mutex::default() })
    }

    /// What tells it how far it has come.
    pub(super) fn hears(self: &Arc<Self>) -> impl FnMut(Progress) + Send + 'static {
        let watch = Arc::clone(self);
        move |progress| {
            let before = watch.news.lock().unwrap_or_else(PoisonError::into_inner).replace(progress);
            if before.is_none() {
                watch.hub.post(Notice::Ready { id: watch.id });
            }
        }
    }

    /// The same for work that counts without knowing its end; nothing if nobody wants to hear it.
    pub(super) fn counts(self: &Arc<Self>, wanted: bool) -> impl FnMut(u64) + Send + 'static {
        let mut hears = wanted.then(|| self.hears());
        move |done| {
            if let Some(hears) = &mut hears {
                hears(Progress { done, total: None });
            }
        }
    }

    pub(super) fn take(&self) -> Option<Progress> {
        self.news.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

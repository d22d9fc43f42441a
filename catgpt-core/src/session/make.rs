//! What a model makes of a session when somebody asks for it: a title, a summary.

use std::fmt;
use std::future::IntoFuture;
use std::sync::Arc;

use futures_util::future::BoxFuture;

use super::{Session, Summary};
use crate::error::Result;
use crate::id::Seq;
use crate::limits::{Limit, LimitKeys};
use crate::runner::limits::Counted;

/// Something that a model is to make; await it. It counts as a turn: one more of [`Unit::Turns`](crate::memory::Unit), and
/// its tokens and their cost, by the engine's limits or by those that are given. Who stops waiting leaves it to its end.
#[must_use = "nothing is made before it is awaited"]
pub struct Make<T> {
    make: Box<dyn FnOnce(Counted) -> BoxFuture<'static, Result<T>> + Send>,
    counted: Counted,
}

impl Session {
    /// Has a model make a title of the first message now, as the engine does for new sessions if it is
    /// [told to](crate::EngineBuilder::titles), and tells it.
    ///
    /// # Errors
    /// `Conflict` if a person gave the session its title, `InvalidInput` if nothing was said, `Limited` if a limit is
    /// reached, `Truncated` if there is no title in the answer, and whatever keeps the model from answering.
    pub fn make_title(&self) -> Make<String> {
        let Self { runner, owner, id } = self.clone();
        Make::new(move |counted| {
            let maker = Arc::clone(&runner);
            Box::pin(async move { runner.made(async move { maker.make_title(&owner, &id, counted).await }).await })
        })
    }

    /// Has the conversation summed up now, up to the end of the turn of message `upto` (`None`: of the newest whole turn),
    /// and uses that from the next turn on. It may take as long as
    /// [`Summaries::deadline`](crate::Summaries::deadline), and a turn may run meanwhile. What stands further back than
    /// two windows is not read.
    ///
    /// # Errors
    /// `InvalidInput` if nothing was said after the last summary, `NotFound` if `upto` is not of the active branch,
    /// `Conflict` if another summary was made meanwhile, `Limited` if a limit is reached, and whatever keeps the model from
    /// answering.
    pub fn summarize(&self, upto: impl Into<Option<Seq>>) -> Make<Summary> {
        let (Self { runner, owner, id }, upto) = (self.clone(), upto.into());
        Make::new(move |counted| {
            let maker = Arc::clone(&runner);
            let make = async move {
                let seq = maker.summarize(&owner, &id, upto, counted).await?;
                Ok(Summary::new(maker.summary(&owner, &id, seq).await?, Some(seq)))
            };
            Box::pin(async move { runner.made(make).await })
        })
    }
}

impl<T> Make<T> {
    fn new(make: impl FnOnce(Counted) -> BoxFuture<'static, Result<T>> + Send + 'static) -> Self {
        Self { make: Box::new(make), counted: Counted::default() }
    }

    /// The value of a key that limits count by, as with [`Send::limit_key`](crate::Send::limit_key).
    pub fn limit_key(mut self, key: impl Into<String>, value: impl Into<String>) -> Self {
        self.counted.keys.insert(key.into(), value.into());
        self
    }

    /// These limits instead of the engine's: the owner's plan.
    pub fn limits(mut self, limits: impl Into<Vec<Limit>>) -> Self {
        self.counted.limits = Some(limits.into());
        self
    }

    /// Counted by this.
    pub(crate) fn counted(self, limits: Option<Vec<Limit>>, keys: LimitKeys) -> Self {
        Self { counted: Counted { limits, keys }, ..self }
    }
}

impl<T> fmt::Debug for Make<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Make").finish_non_exhaustive()
    }
}

impl<T> IntoFuture for Make<T> {
    type Output = Result<T>;
    type IntoFuture = BoxFuture<'static, Result<T>>;

    fn into_future(self) -> Self::IntoFuture {
        (self.make)(self.counted)
    }
}

//! The contract of [`Memory`] as a test suite, for authors of other backends (feature `conformance`).
//!
//! Write a [`Harness`] and expand [`conformance_tests!`](crate::conformance_tests): every behaviour becomes one test.
//! Whoever wants one answer instead of many tests calls [`run`]. What a backend cannot do at all it answers with
//! [`Lacks`]: a declared difference that stands in the [`Report`], never a behaviour that is silently skipped.
//!
//! ```
//! use std::sync::Arc;
//! use async_trait::async_trait;
//! use catgpt_core::memory::conformance::{self, Harness, Lacks, Store};
//! use catgpt_core::{InMemory, Memory};
//!
//! struct Mine;
//! struct MyStore(Arc<InMemory>);
//!
//! #[async_trait]
//! impl Harness for Mine {
//!     async fn open(&self) -> Box<dyn Store> {
//!         Box::new(MyStore(Arc::new(InMemory::new())))
//!     }
//! }
//!
//! #[async_trait]
//! impl Store for MyStore {
//!     fn memory(&self) -> Arc<dyn Memory> {
//!         self.0.clone()
//!     }
//!     async fn second(&self) -> Result<Arc<dyn Memory>, Lacks> {
//!         Ok(self.0.clone())
//!     }
//!     async fn reopen(&self) -> Result<Arc<dyn Memory>, Lacks> {
//!         Err(Lacks("what is in it goes with the process"))
//!     }
//!     async fn crash(&self) -> Result<Arc<dyn Memory>, Lacks> {
//!         Err(Lacks("what is in it goes with the process"))
//!     }
//!     async fn set_full(&self, _: bool) -> Result<(), Lacks> {
//!         Err(Lacks("nothing outside takes its room away"))
//!     }
//!     async fn set_read_only(&self, _: bool) -> Result<(), Lacks> {
//!         Err(Lacks("it can always be written"))
//!     }
//! }
//!
//! catgpt_core::conformance_tests!(Mine);
//!
//! #[tokio::main(flavor = "current_thread")]
//! async fn main() {
//!     let report = conformance::run(&Mine).await;
//!     assert!(report.failed.is_empty() && report.differences.len() == 4, "{report}");
//! }
//! ```

#![allow(clippy::unwrap_used, reason = "a broken expectation is a failed test")]

mod append;
mod apply;
mod begin;
mod bulk;
mod checkpoint;
mod claim;
mod concurrency;
mod delete;
mod finish;
mod import;
mod isolation;
mod journal;
pub(super) mod kit;
mod ledger;
mod limits;
mod names;
mod organize;
mod outage;
mod reading;
mod reseal;
mod search;
mod summary;
mod takeover;
mod titles;
mod tree;
mod window;

use std::any::Any;
use std::fmt;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use async_trait::async_trait;
use futures_util::FutureExt;
use futures_util::future::BoxFuture;

use crate::memory::Memory;

/// What the suite needs from a backend: an empty store, as often as it asks.
#[async_trait]
pub trait Harness: Send + Sync {
    /// Makes a new, empty store that shares nothing with any other.
    async fn open(&self) -> Box<dyn Store>;
}

/// One store, and what can be done to it from outside. It lives as long as the behaviour that uses it.
#[async_trait]
pub trait Store: Send + Sync {
    /// The first handle; the same one every time.
    fn memory(&self) -> Arc<dyn Memory>;

    /// Another handle on the same store, which shares with the first only what two processes share.
    async fn second(&self) -> Result<Arc<dyn Memory>, Lacks>;

    /// Closes the first handle and opens the store again.
    async fn reopen(&self) -> Result<Arc<dyn Memory>, Lacks>;

    /// Opens the store as it would be if the process had been killed now; the first handle is not used any more.
    async fn crash(&self) -> Result<Arc<dyn Memory>, Lacks>;

    /// Takes away all room (`true`), or gives it back. A message of 1 MiB must not fit any more.
    async fn set_full(&self, full: bool) -> Result<(), Lacks>;

    /// Makes the store unwritable for the first handle (`true`), or writable again.
    async fn set_read_only(&self, read_only: bool) -> Result<(), Lacks>;
}

/// What a backend cannot do, in a sentence: a declared difference.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lacks(pub &'static str);

impl fmt::Display for Lacks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

/// What a behaviour answers when it does not panic.
pub type Checked = Result<(), Lacks>;

/// One promise of the contract.
#[derive(Clone, Copy)]
pub struct Behaviour {
    /// Its topic and its name: `begin::a_retried_begin_is_one`.
    pub name: &'static str,
    check: for<'a> fn(&'a dyn Store) -> BoxFuture<'a, Checked>,
}

impl fmt::Debug for Behaviour {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)
    }
}

impl Behaviour {
    /// Checks it on a fresh store. Panics where the backend breaks the promise.
    pub async fn check(&self, harness: &dyn Harness) -> Checked {
        let store = harness.open().await;
        (self.check)(&*store).await
    }
}

/// Checks one behaviour by its name. Panics where the backend breaks it, or if there is no such behaviour.
pub async fn check(harness: &dyn Harness, name: &str) -> Checked {
    let behaviour = ALL.iter().find(|behaviour| behaviour.name == name);
    behaviour.unwrap_or_else(|| panic!("no behaviour is called {name}")).check(harness).await
}

/// Checks all behaviours, one after the other.
pub async fn run(harness: &dyn Harness) -> Report {
    let mut report = Report::default();
    for behaviour in ALL {
        match AssertUnwindSafe(behaviour.check(harness)).catch_unwind().await {
            Ok(Ok(())) => report.passed.push(behaviour.name),
            Ok(Err(lacks)) => report.differences.push((behaviour.name, lacks)),
            Err(panic) => report.failed.push((behaviour.name, said(&*panic))),
        }
    }
    report
}

fn said(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<String>().map(String::as_str).or_else(|| panic.downcast_ref::<&str>().copied());
    text.unwrap_or("it panicked without a text").to_owned()
}

/// What [`run`] found.
#[derive(Clone, Debug, Default)]
pub struct Report {
    /// Behaviours that hold.
    pub passed: Vec<&'static str>,
    /// Behaviours that could not be tried, and what the backend lacks for them.
    pub differences: Vec<(&'static str, Lacks)>,
    /// Behaviours that do not hold, and how that showed.
    pub failed: Vec<(&'static str, String)>,
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (name, lacks) in &self.differences {
            writeln!(f, "differs  {name}: {lacks}")?;
        }
        for (name, how) in &self.failed {
            writeln!(f, "FAILED   {name}: {how}")?;
        }
        let (passed, differences, failed) = (self.passed.len(), self.differences.len(), self.failed.len());
        write!(f, "{passed} hold, {differences} differ by declaration, {failed} failed")
    }
}

macro_rules! list {
    ([] $($topic:ident { $($name:ident)* })*) => {
        /// Every behaviour of the suite.
        pub const ALL: &[Behaviour] = &[$($(Behaviour {
            name: concat!(stringify!($topic), "::", stringify!($name)),
            check: |store| Box::pin($topic::$name(store)),
        },)*)*];
    };
}
crate::__conformance_behaviours!([list] []);

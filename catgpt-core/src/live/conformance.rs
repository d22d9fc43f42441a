//! The contract of [`Live`] as a test suite, for authors of other live logs (feature `conformance`).
//!
//! Write a [`Harness`] and expand [`live_tests!`](crate::live_tests): every behaviour becomes one test.
//!
//! ```
//! use std::sync::Arc;
//! use async_trait::async_trait;
//! use catgpt_core::live::conformance::{self, Harness, Server};
//! use catgpt_core::live::{InMemoryLive, Live};
//!
//! struct Mine;
//! struct MyServer(InMemoryLive);
//!
//! #[async_trait]
//! impl Harness for Mine {
//!     async fn open(&self) -> Box<dyn Server> {
//!         Box::new(MyServer(InMemoryLive::new()))
//!     }
//! }
//!
//! #[async_trait]
//! impl Server for MyServer {
//!     async fn handle(&self) -> Arc<dyn Live> {
//!         Arc::new(self.0.again())
//!     }
//!     async fn wipe(&self) {
//!         self.0.wipe();
//!     }
//!     async fn set_gone(&self, gone: bool) {
//!         self.0.set_gone(gone);
//!     }
//! }
//!
//! catgpt_core::live_tests!(Mine);
//!
//! #[tokio::main(flavor = "current_thread")]
//! async fn main() {
//!     conformance::check(&Mine, "a_repeated_frame_is_one").await;
//! }
//! ```

#![allow(clippy::unwrap_used, reason = "a broken expectation is a failed test")]

mod behaviours;

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use futures_util::future::BoxFuture;

use crate::live::Live;

/// What the suite needs: an empty live log, as often as it asks.
#[async_trait]
pub trait Harness: Send + Sync {
    /// Makes one that shares nothing with any other.
    async fn open(&self) -> Box<dyn Server>;
}

/// Where frames are, and what can be done to it from outside. It lives as long as the behaviour that uses it.
#[async_trait]
pub trait Server: Send + Sync {
    /// A new handle on it, which shares with others only what two processes share.
    async fn handle(&self) -> Arc<dyn Live>;

    /// Forgets all frames.
    async fn wipe(&self);

    /// Cannot be reached any more (`true`), or can be again; whether frames survive that is its own affair.
    async fn set_gone(&self, gone: bool);
}

/// One promise of the contract.
#[derive(Clone, Copy)]
pub struct Behaviour {
    /// Its name.
    pub name: &'static str,
    check: for<'a> fn(&'a dyn Server) -> BoxFuture<'a, ()>,
}

impl fmt::Debug for Behaviour {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)
    }
}

/// Checks one behaviour by its name. Panics where it does not hold, or if there is none of that name.
pub async fn check(harness: &dyn Harness, name: &str) {
    let behaviour = ALL.iter().find(|behaviour| behaviour.name == name);
    let behaviour = behaviour.unwrap_or_else(|| panic!("no behaviour is called {name}"));
    let server = harness.open().await;
    (behaviour.check)(&*server).await;
}

macro_rules! list {
    ([] $($name:ident)*) => {
        /// Every behaviour of the suite.
        pub const ALL: &[Behaviour] = &[$(Behaviour {
            name: stringify!($name),
            check: |server| Box::pin(behaviours::$name(server)),
        },)*];
    };
}
crate::__live_behaviours!([list] []);

/// Expands to one `#[tokio::test]` for every behaviour. The argument is an expression that makes the
/// [`Harness`](crate::live::conformance::Harness).
///
/// The crate that uses it needs `tokio` with the features `macros` and `rt-multi-thread`.
#[macro_export]
macro_rules! live_tests {
    ($harness:expr) => {
        $crate::__live_behaviours!([$crate::__live_expand][$harness]);
    };
}

#[doc(hidden)]
#[macro_export]
macro_rules! __live_expand {
    ([$harness:expr] $($name:ident)*) => {
        $(
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $name() {
                $crate::live::conformance::check(&$harness, stringify!($name)).await;
            }
        )*
    };
}

// The one list of names: `ALL` and `live_tests!` both come from it.
#[doc(hidden)]
#[macro_export]
macro_rules! __live_behaviours {
    ([$($then:tt)*] $with:tt) => {
        $($then)*! {
            $with
            frames_come_in_order_to_the_last
            bytes_come_back_as_they_went
            who_comes_first_waits
            who_comes_late_gets_what_there_was
            who_comes_in_the_middle_gets_the_rest
            who_has_seen_everything_gets_the_end
            a_repeated_frame_is_one
            what_comes_after_the_last_does_not_count
            turns_do_not_meet
            many_followers_see_the_same
            followers_of_one_turn_may_be_at_different_places
            many_turns_are_followed_at_once
            who_is_slow_misses_nothing
            who_goes_away_disturbs_nobody
            a_tail_does_not_wait
            what_was_forgotten_shows_as_a_gap
            an_outage_is_told_and_passes
            a_closed_handle_says_so
        }
    };
}

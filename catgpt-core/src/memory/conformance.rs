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

mod apply;
mod begin;
mod checkpoint;
mod concurrency;
mod delete;
mod finish;
mod isolation;
mod journal;
pub(super) mod kit;
mod outage;
mod reading;
mod takeover;
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

/// Expands to one `#[tokio::test]` for every behaviour, in one module for every topic. The argument is an expression
/// that makes the [`Harness`](crate::memory::conformance::Harness).
///
/// The crate that uses it needs `tokio` with the features `macros` and `rt-multi-thread`.
#[macro_export]
macro_rules! conformance_tests {
    ($harness:expr) => {
        $crate::__conformance_behaviours!([$crate::__conformance_expand][$harness]);
    };
}

#[doc(hidden)]
#[macro_export]
macro_rules! __conformance_expand {
    ([$harness:expr] $($topic:ident $names:tt)*) => {
        $($crate::__conformance_topic!([$harness] $topic $names);)*
    };
}

#[doc(hidden)]
#[macro_export]
macro_rules! __conformance_topic {
    ([$harness:expr] $topic:ident { $($name:ident)* }) => {
        mod $topic {
            #[allow(unused_imports, reason = "a harness may need nothing from outside")]
            use super::*;

            $(
                #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn $name() {
                    let name = concat!(stringify!($topic), "::", stringify!($name));
                    if let Err(lacks) = $crate::memory::conformance::check(&$harness, name).await {
                        eprintln!("differs  {name}: {lacks}");
                    }
                }
            )*
        }
    };
}

// The one list of names: `ALL` and `conformance_tests!` both come from it.
#[doc(hidden)]
#[macro_export]
macro_rules! __conformance_behaviours {
    ([$($then:tt)*] $with:tt) => {
        $($then)*! {
            $with
            isolation {
                what_is_foreign_answers_as_if_it_were_not_there
                a_foreign_turn_goes_on_untouched
                two_owners_may_use_the_same_session_id_and_key
                the_turn_id_of_another_owner_is_refused
                the_operation_id_of_another_owner_is_free
                lists_turns_and_changes_show_only_ones_own
                names_are_taken_literally
                three_owners_at_random_never_meet
            }
            begin {
                the_first_send_makes_the_session
                the_rows_say_what_was_asked
                a_retried_begin_is_one
                a_retried_begin_takes_its_lease_again
                the_begin_of_a_turn_that_ended_is_a_replay
                a_turn_id_stays_in_its_session
                a_key_replays_its_turn_running_or_not
                a_key_used_for_something_else_is_a_conflict
                a_key_belongs_to_its_session
                a_begin_that_did_not_start_keeps_no_key
                a_wrong_version_is_a_conflict
                a_second_turn_is_busy_and_writes_nothing
                an_outlived_turn_is_stale_and_nothing_is_written
                it_decides_by_turn_then_key_then_version_then_lease
                a_title_is_for_the_session_that_is_made
                a_persona_stays_until_it_is_replaced
                bytes_come_back_as_they_went
                what_is_too_large_is_refused
            }
            tree {
                numbers_are_dense_and_every_change_raises_the_version
                an_edit_is_a_sibling
                a_new_answer_is_a_sibling
                a_turn_may_go_on_from_anywhere
                only_a_users_message_is_answered_again
                a_parent_that_is_not_there_is_not_found
                the_head_moves_and_the_next_turn_follows_it
                the_head_stays_where_it_is_while_a_turn_runs
            }
            window {
                it_ends_at_the_number_of_messages
                it_ends_at_the_number_of_bytes
                it_never_holds_less_than_one_message
                it_never_mixes_branches
                random_trees_equal_a_plain_model
            }
            checkpoint {
                pieces_are_kept_until_the_end
                a_retried_piece_is_one
                a_gap_is_a_conflict
                a_malformed_piece_is_refused
                an_empty_piece_renews_the_lease_only
                it_hears_of_a_cancel
                it_is_refused_after_the_end
                an_unknown_turn_is_refused
            }
            finish {
                it_ends_the_turn_and_frees_the_session
                every_final_status_comes_back
                a_retried_finish_is_one
                running_is_not_an_end
                an_unknown_turn_is_not_found
                an_end_that_is_too_large_leaves_the_turn_running
            }
            takeover {
                who_waits_too_long_is_buried
                every_reader_is_told_at_once
                a_live_turn_is_not_buried
                a_checkpoint_brings_a_turn_back
                the_late_writer_gets_what_is_stored
                sweep_names_the_dead_of_every_owner
            }
            reading {
                a_tail_begins_where_it_is_asked
                a_running_reply_comes_with_its_pieces
                a_branch_says_whether_there_is_more
                a_tree_is_read_page_by_page
                an_empty_session_is_no_error
                what_is_not_there_is_not_found
                sessions_come_latest_first_and_page_by_page
                running_turns_are_listed
                the_greatest_numbers_are_numbers
            }
            apply {
                what_it_does_can_be_read
                creating_twice_is_creating_once
                a_retried_call_is_one
                it_is_all_or_nothing
                one_call_may_undo_what_it_did
                cancelling_what_has_ended_does_nothing
                what_is_not_there_is_not_found
            }
            delete {
                everything_in_it_goes
                a_running_turn_is_refused_from_then_on
                keys_outlive_the_session
                the_id_may_be_used_again
            }
            journal {
                it_holds_every_change_in_order
                it_is_read_from_where_one_was
                retries_and_refusals_leave_no_entry
            }
            concurrency {
                one_of_64_begins_wins
                one_key_begins_one_turn
                one_turn_id_begins_one_turn
                turns_that_wait_their_turn_see_each_other
                many_sessions_do_not_disturb_each_other
                one_of_64_finishes_wins
                one_of_64_retried_calls_is_made
                the_dead_are_buried_once
                a_sign_of_life_and_a_burial_do_not_both_win
                an_end_and_a_deletion_leave_nothing_behind
            }
            outage {
                two_handles_are_one_store
                two_handles_have_one_winner_of_64
                a_cancel_is_heard_by_the_other_handle
                what_was_answered_survives_a_reopen
                what_was_answered_survives_a_crash
                a_full_store_says_so_and_recovers
                a_read_only_store_says_so_and_recovers
                a_closed_store_says_so
            }
        }
    };
}

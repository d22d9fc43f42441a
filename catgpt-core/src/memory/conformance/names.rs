//! The names of all behaviours, once: for the list and for the tests.

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
                a_reply_is_gone_on_from
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
                imported_trees_equal_a_plain_model
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
                a_tree_may_be_read_without_its_bodies
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
                each_change_is_made_once
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
                the_journals_of_many_are_read_at_once
                retries_and_refusals_leave_no_entry
            }
            organize {
                a_mark_changes_what_it_names_and_nothing_else
                metadata_is_set_and_taken_away
                the_pinned_come_first_page_by_page
                a_time_to_live_is_set_and_taken_away
                the_sweep_deletes_what_has_lived_its_time
                a_session_outlives_its_time_while_a_turn_runs
            }
            titles {
                the_journal_tells_a_persons_title_from_the_engines
                a_title_that_was_changed_meanwhile_stays
                a_retried_title_answers_what_it_answered
                one_of_64_titles_takes_the_place
                the_first_words_are_the_title_of_what_has_none
            }
            bulk {
                those_that_are_there_are_deleted
                only_what_is_empty_goes_as_empty
                an_owner_is_erased_step_by_step
                an_erasure_keeps_no_answer
                an_erasure_that_fails_leaves_all
            }
            claim {
                all_of_it_goes_along
                nothing_of_it_stays_behind
                equal_ids_are_refused_with_their_list
                it_waits_until_no_turn_runs
                a_retried_claim_is_one
                a_claim_that_fails_leaves_both_as_they_are
                equal_lines_of_the_ledgers_become_one
                of_two_equal_keys_the_one_that_comes_counts
            }
            import {
                it_can_be_read_as_it_came
                its_turns_are_not_kept
                turns_go_on_from_it
                more_of_it_follows_what_is_there
                what_does_not_follow_is_a_conflict
                what_is_malformed_is_refused
                it_waits_until_no_turn_runs
                a_retried_import_is_one
                an_import_that_fails_leaves_nothing
            }
            append {
                it_can_be_read_as_it_came
                it_goes_on_where_the_branch_ends
                it_goes_under_and_beside_any_message
                without_messages_it_moves_the_head
                only_the_version_that_is_named_is_changed
                it_waits_until_no_turn_runs
                what_cannot_be_added_is_refused
                the_first_words_are_a_title
                a_retried_append_is_one
                of_64_at_once_none_is_lost_and_none_is_torn
                of_64_that_name_a_version_one_wins
            }
            summary {
                it_hangs_under_what_it_covers_and_moves_no_head
                a_turn_is_given_the_summary
                it_may_come_while_a_turn_runs
                it_takes_only_the_place_of_the_one_it_knows
                it_is_undone_and_done_again
                what_is_not_there_is_not_found
                it_is_neither_answered_nor_gone_on_from
                a_retried_summary_is_one
            }
            search {
                all_words_must_be_there
                the_last_word_may_be_the_beginning_of_one
                the_newest_come_first_page_by_page
                what_comes_meanwhile_disturbs_no_page
                it_goes_on_only_from_where_it_is
                it_changes_nothing_else
                a_title_is_found_as_long_as_it_is_the_title
                what_is_not_indexed_is_listed
                what_is_gone_is_not_found
                everybody_finds_only_his_own
            }
            reseal {
                each_comes_in_the_place_of_what_was_read
                what_no_turn_wrote_is_resealed_too
                a_reply_that_runs_is_left_alone
                at_another_version_nothing_is_resealed
                what_is_unindexed_is_found_no_more
                owners_are_listed_by_name
            }
            ledger {
                every_end_is_counted
                the_dead_are_counted_once
                it_is_summed_up_by_what_is_asked
                it_is_kept_by_the_day
                it_outlives_its_sessions
                a_retried_bill_is_one
                everybody_sees_only_his_own
                many_at_once_add_up
            }
            limits {
                a_turn_passes_below_the_limit_and_adds
                all_counters_are_passed_or_none
                a_name_and_a_key_are_a_counter
                what_does_not_start_reserves_nothing
                it_decides_by_lease_then_parent_then_limit
                one_of_64_begins_passes_the_last_place
                what_is_reserved_is_known_until_the_end
                it_is_settled_once
                a_counter_never_falls_below_nothing
                a_window_begins_from_nothing
                a_window_has_a_length
                only_so_many_turns_run
                of_64_begins_only_so_many_run
                what_is_used_beside_the_turns_is_limited_too
                of_64_reservations_beside_the_turns_one_passes_the_last_place
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
                one_of_64_imports_is_made
                one_of_64_summaries_stands
                a_claim_and_a_turn_do_not_both_have_the_session
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

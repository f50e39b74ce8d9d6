//! What every engine must do, as dialogues: questions by some nodes, and the answers and news they get. Each engine runs
//! them against itself: the memory engine in its own time, those with a server against the real one. It knows the contract
//! and no engine.

pub mod agenda;
pub mod epochs;
pub mod erasing;
pub mod followers;
pub mod leases;
pub mod log;
pub mod restarts;
mod server;
pub mod snapshots;
pub mod soft;
mod table;
mod wired;
pub mod words;

pub use server::{Server, free_address};
pub use table::{Subject, Table};
pub use wired::{Plant, Wired, pass};

/// A test for each dialogue. `$subject` makes an engine that holds nothing, for one dialogue alone.
#[macro_export]
macro_rules! tests {
    ($subject:expr) => {
        $crate::dialogues!($subject, log:
            offsets_are_dense_from_one_whoever_appends,
            a_parcel_lies_together_under_one_key_and_is_placed_by_its_first_record,
            what_is_refused_stores_none_of_its_parcels,
            a_key_that_came_after_what_was_seen_is_answered_with_its_position,
            a_command_sent_five_times_from_two_nodes_is_stored_once_and_answered_alike,
            a_batch_asked_again_is_no_news,
            a_guarded_batch_behind_the_end_is_a_conflict_and_stores_nothing,
            exactly_one_of_two_rivals_wins_and_the_loser_may_decide_again,
            a_guarded_batch_asked_again_finds_itself_and_not_a_conflict,
            a_guarded_batch_of_which_only_a_part_is_known_still_stands_under_its_guard,
            an_append_from_another_past_is_lost_and_from_before_what_is_kept_is_behind,
            a_read_is_limited_and_says_where_the_end_is,
            an_untouched_room_has_nothing_to_read,
            bytes_of_any_kind_come_back_as_they_were,
            three_nodes_that_append_at_once_make_one_order_without_a_hole,
            the_check_of_every_record_is_kept,
        );
        $crate::dialogues!($subject, epochs:
            the_second_proposer_gets_the_epoch_of_the_first,
            an_epoch_is_begun_only_on_the_rooms_own_past,
            an_untouched_room_can_begin_an_epoch_too,
            an_untouched_room_can_begin_where_another_log_had_got_to,
            asking_again_for_the_epoch_that_now_is_changes_nothing,
            an_epoch_does_not_go_back,
            offsets_begin_at_one_and_the_old_epoch_is_lost,
            followers_hear_of_an_epoch_once,
        );
        $crate::dialogues!($subject, followers:
            an_untouched_room_is_loaded_empty_in_its_first_epoch,
            followers_hear_what_was_stored_and_the_asker_does_not,
            unfollow_ends_the_news,
            a_follower_that_returns_goes_on_from_what_it_has_seen,
            one_answer_holds_a_page_and_the_rest_is_read_on,
        );
        $crate::dialogues!($subject, snapshots:
            a_snapshot_lets_records_go_as_far_as_asked,
            nothing_beyond_the_snapshot_is_forgotten,
            offsets_go_on_where_all_is_forgotten,
            a_snapshot_of_another_past_or_an_older_one_changes_nothing,
            where_no_snapshot_is_kept_the_answer_says_none,
            a_large_snapshot_comes_back_whole,
            a_long_log_is_read_from_the_middle,
        );
        $crate::dialogues!($subject, erasing:
            the_first_the_last_and_one_in_the_middle_of_a_batch,
            what_was_beside_it_is_read_as_it_was_from_any_place_in_pages_of_any_size,
            the_check_of_every_place_stays_and_so_do_keys,
            the_log_goes_on_behind_an_erased_end,
            erasing_again_or_what_is_not_there_any_more_changes_nothing,
            who_is_behind_is_given_tombstones_and_finds_the_snapshot_from_behind_them,
            who_has_seen_another_past_or_names_what_it_has_not_seen_erases_nothing,
            who_follows_hears_nothing_of_it_and_who_loads_anew_sees_it_gone,
            what_was_erased_is_forgotten_like_the_rest,
            a_new_epoch_has_nothing_of_it,
            appends_that_come_meanwhile_find_their_places,
        );
        $crate::dialogues!($subject, agenda:
            what_is_due_within_the_lease_is_listed_and_nothing_later,
            each_steward_sees_the_rooms_of_its_own_slices,
            the_steward_hears_of_an_append_that_moves_the_due_time,
            settling_moves_or_clears_the_time_and_is_ignored_when_the_log_went_on,
            a_later_append_replaces_the_time,
        );
        $crate::dialogues!($subject, leases:
            a_lease_ends_after_its_term_and_who_renews_keeps_theirs,
            presence_and_claims_end_with_the_lease,
            a_newer_life_ends_the_older_ones_of_its_shard_alone,
            every_slice_has_one_steward_and_moves_only_from_the_gone,
        );
        $crate::dialogues!($subject, soft:
            presence_is_kept_for_each_publisher_and_a_count_of_zero_removes_it,
            a_publisher_hears_nothing_of_its_own,
            the_newest_stamp_wins_in_whatever_order_they_come,
            a_soft_value_can_be_ended_by_its_publisher,
            a_late_word_of_an_ended_value_does_not_bring_it_back,
            of_two_equal_stamps_the_end_wins,
            a_soft_value_ends_by_itself,
            the_newest_claim_wins_and_the_older_one_is_told,
        );
    };
}

/// The same for what survives a restart.
#[macro_export]
macro_rules! restart_tests {
    ($subject:expr) => {
        $crate::dialogues!($subject, restarts:
            records_survive,
            a_command_that_is_sent_again_after_a_restart_is_stored_once,
            snapshots_and_what_was_forgotten_survive,
            a_new_epoch_survives,
            the_agenda_survives,
            what_was_erased_stays_erased,
            the_first_epoch_of_untouched_rooms_stays_what_it_was,
        );
    };
}

#[macro_export]
macro_rules! dialogues {
    ($subject:expr, $part:ident: $($dialogue:ident,)*) => {
        mod $part {
            $(
                #[test]
                fn $dialogue() {
                    $crate::$part::$dialogue($crate::Table::new(Box::new($subject)));
                }
            )*
        }
    };
}

//! Who is alive, what ends with a lease, and which slices each is steward of.

use std::time::Duration;

use conformance::words::{A, B};
use engine::{Answer, Question};
use vocabulary::{Incarnation, SLICES, Slice};

use crate::table::{TERM, Table};

fn attend(table: &mut Table, by: Incarnation, shards: u16) -> Vec<Slice> {
    match table.ask(by, Question::Attend { shards }) {
        Answer::Attending { slices, .. } => slices,
        other => panic!("{other:?}"),
    }
}

fn ended(table: &mut Table, to: Incarnation) -> Vec<Incarnation> {
    let of = |news| match news {
        Answer::Ended { incarnation } => Some(incarnation),
        _ => None,
    };
    table.news(to).into_iter().filter_map(of).collect()
}

const PART: Duration = Duration::from_secs(4);

#[test]
fn a_lease_ends_after_its_term_and_the_ended_one_is_told_too() {
    let mut table = Table::new();
    for by in [A, B] {
        attend(&mut table, by, 1);
    }
    for waited in [PART, PART, TERM - PART * 2 - Duration::from_nanos(1)] {
        table.wait(waited);
        attend(&mut table, B, 1);
    }
    assert_eq!((ended(&mut table, A), ended(&mut table, B)), (vec![], vec![]), "not a moment early");
    assert_eq!(table.engine.next_deadline(), Some(table.now.tick + Duration::from_nanos(1)));
    table.wait(Duration::from_nanos(1));
    assert_eq!((ended(&mut table, A), ended(&mut table, B)), (vec![A], vec![A]));
}

#[test]
fn the_engines_own_silence_ends_no_lease() {
    let mut table = Table::new();
    for by in [A, B] {
        attend(&mut table, by, 1);
    }
    table.later(TERM * 100);
    attend(&mut table, A, 1);
    assert_eq!((ended(&mut table, A), ended(&mut table, B)), (vec![], vec![]));
    for _ in 0..3 {
        table.wait(PART);
        attend(&mut table, A, 1);
    }
    assert_eq!(ended(&mut table, A), [B], "afterwards terms count again");
}

#[test]
fn a_silence_shorter_than_a_term_ends_no_lease_either() {
    let mut table = Table::new();
    for by in [A, B] {
        attend(&mut table, by, 1);
    }
    for _ in 0..10 {
        table.wait(TERM / 3);
        table.later(TERM - Duration::from_nanos(1));
        // Whoever renews every third of a term is as late after the engine's silence as before it.
        attend(&mut table, A, 1);
        assert_eq!(ended(&mut table, A), []);
        attend(&mut table, B, 1);
    }
}

#[test]
fn who_is_gone_has_ended_after_a_few_looks_however_far_apart_they_are() {
    for apart in [TERM * 2, TERM, TERM / 2] {
        let mut table = Table::new();
        attend(&mut table, A, 1);
        let looks = (1..).find(|_| {
            table.later(apart);
            table.engine.tick(table.now);
            table.wait(Duration::ZERO);
            ended(&mut table, A) == [A]
        });
        assert_eq!(looks, Some(4), "looks {apart:?} apart");
    }
}

#[test]
fn an_engine_that_is_awake_is_woken_often_enough_to_count_every_moment() {
    let mut table = Table::new();
    attend(&mut table, A, 1);
    table.wait(TERM - Duration::from_nanos(1));
    assert_eq!(ended(&mut table, A), []);
    table.wait(Duration::from_nanos(1));
    assert_eq!(ended(&mut table, A), [A]);
}

#[test]
fn who_never_attended_is_steward_of_nothing_and_ends_all_the_same() {
    let mut table = Table::new();
    attend(&mut table, A, 1);
    table.load(B);
    assert_eq!(attend(&mut table, A, 1).len(), usize::from(SLICES));
    for _ in 0..3 {
        table.wait(PART);
        attend(&mut table, A, 1);
    }
    assert_eq!(ended(&mut table, A), [B]);
}

//! What is not in the log: presence, soft values, claims.

use engine::{Answer, Question, SoftEntry};

use crate::table::Table;
use crate::words::{A, B, C, entry, general, person, present};

fn soft_of(table: &mut Table) -> Vec<SoftEntry> {
    // How much of their life is left depends on when it is looked at.
    let whole = |entry: SoftEntry| SoftEntry { time_to_live: crate::words::LIFE, ..entry };
    let mut soft: Vec<SoftEntry> = table.load(C).soft.into_iter().map(whole).collect();
    soft.sort_by(|a, b| a.key.cmp(&b.key));
    soft
}

pub fn presence_is_kept_for_each_publisher_and_a_count_of_zero_removes_it(mut table: Table) {
    table.load(C);
    for (by, count) in [(A, 1), (B, 2), (A, 3), (A, 0)] {
        table.tell(by, Question::Present { room: general(), person: person("ana"), count });
        let told = table.hear(C, |news| matches!(news, Answer::Present { .. }));
        assert_eq!(told, Answer::Present { room: general(), present: present(by, count) });
    }
    assert_eq!(table.load(C).present, [present(B, 2)]);
}

pub fn a_publisher_hears_nothing_of_its_own(mut table: Table) {
    table.load(A);
    table.tell(A, Question::Present { room: general(), person: person("ana"), count: 1 });
    table.publish(A, entry("ana", Some("here"), 1));
    table.load(C);
    assert_eq!(table.news(A), []);
}

pub fn the_newest_stamp_wins_in_whatever_order_they_come(mut table: Table) {
    table.load(C);
    let newest = entry("ana", Some("new"), 20);
    table.publish(A, newest.clone());
    table.hear(C, |news| matches!(news, Answer::Soft { .. }));
    table.publish(B, entry("ana", Some("old"), 10));
    table.load(B);
    assert_eq!(table.news(C), []);
    assert_eq!(soft_of(&mut table), [newest]);
}

pub fn a_soft_value_can_be_ended_by_its_publisher(mut table: Table) {
    table.publish(A, entry("ana", Some("here"), 1));
    table.publish(A, entry("bo", Some("there"), 1));
    table.publish(A, entry("ana", None, 2));
    table.load(A);
    assert_eq!(soft_of(&mut table), [entry("bo", Some("there"), 1)]);
}

pub fn a_late_word_of_an_ended_value_does_not_bring_it_back(mut table: Table) {
    for (number, earlier) in
        [vec![entry("ana", Some("here"), 1), entry("ana", None, 2)], vec![entry("bo", None, 2)]]
            .into_iter()
            .enumerate()
    {
        let key = ["ana", "bo"][number];
        for entry in earlier {
            table.publish(A, entry);
        }
        table.publish(A, entry(key, Some("late"), 1));
        table.load(A);
        assert_eq!(soft_of(&mut table), [], "{key}");
    }
    let newer = entry("ana", Some("again"), 3);
    table.publish(A, newer.clone());
    table.load(A);
    assert_eq!(soft_of(&mut table), [newer], "a new value is welcome");
}

pub fn of_two_equal_stamps_the_end_wins(mut table: Table) {
    for (key, end_first) in [("ana", false), ("bo", true)] {
        let mut order = [entry(key, Some("here"), 1), entry(key, None, 1)];
        if end_first {
            order.reverse();
        }
        for entry in order {
            table.publish(A, entry);
        }
    }
    table.load(A);
    assert_eq!(soft_of(&mut table), []);
}

pub fn a_soft_value_ends_by_itself(mut table: Table) {
    let lease = table.lease();
    let short = SoftEntry { time_to_live: lease / 3, ..entry("ana", Some("here"), 1) };
    table.publish(A, short);
    table.publish(A, entry("bo", Some("there"), 1));
    table.load(A);
    table.pass(lease / 2);
    assert_eq!(soft_of(&mut table), [entry("bo", Some("there"), 1)]);
}

pub fn the_newest_claim_wins_and_the_older_one_is_told(mut table: Table) {
    let claim = |table: &mut Table, by, ticket| {
        let Answer::Claimed { token, .. } = table.ask(by, Question::Claim { name: "ana".into(), ticket })
        else {
            panic!("claimed")
        };
        token
    };
    let of_a = claim(&mut table, A, 1);
    let of_b = claim(&mut table, B, 2);
    assert!(of_b > of_a, "a newer claim has a higher token: {of_a}, {of_b}");
    table.hear(A, |news| *news == Answer::ClaimLost { name: "ana".into(), token: of_a });
    // Cleaning up the old one never touches the new one.
    table.tell(A, Question::Release { name: "ana".into(), token: of_a });
    let of_c = claim(&mut table, C, 3);
    table.hear(B, |news| *news == Answer::ClaimLost { name: "ana".into(), token: of_b });
    // Only the one that releases is sure to be heard after its release.
    table.tell(C, Question::Release { name: "ana".into(), token: of_c });
    claim(&mut table, C, 4);
    assert!(!table.news(C).iter().any(|news| matches!(news, Answer::ClaimLost { .. })), "it was released");
}

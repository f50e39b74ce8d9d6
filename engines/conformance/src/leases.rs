//! Who is alive, what ends with a lease, and which slices each is steward of.

use std::collections::BTreeMap;

use engine::{Answer, Question};
use vocabulary::{Incarnation, SLICES, ShardId, Slice};

use crate::table::Table;
use crate::words::{A, B, C, general, node, person};

fn attend(table: &mut Table, by: Incarnation, shards: u16) -> Vec<Slice> {
    match table.ask(by, Question::Attend { shards }) {
        Answer::Attending { slices, .. } => slices,
        other => panic!("{other:?}"),
    }
}

fn ended(of: Incarnation) -> impl Fn(&Answer) -> bool {
    move |answer| *answer == Answer::Ended { incarnation: of }
}

/// The living go on renewing until somebody is gone. In how many thirds of a term?
fn outlive(table: &mut Table, living: &[(Incarnation, u16)], gone: Incarnation) -> u32 {
    for third in 1..=12 {
        let part = table.lease() / 3;
        table.pass(part);
        for (by, shards) in living {
            attend(table, *by, *shards);
        }
        let news = table.news(living[0].0);
        if news.iter().any(ended(gone)) {
            return third;
        }
        assert!(!news.iter().any(|news| matches!(news, Answer::Ended { .. })), "{news:?}");
    }
    panic!("four terms, and the lease of {gone:?} has not ended");
}

pub fn a_lease_ends_after_its_term_and_who_renews_keeps_theirs(mut table: Table) {
    for by in [A, B] {
        attend(&mut table, by, 1);
    }
    let thirds = outlive(&mut table, &[(B, 1)], A);
    assert!(thirds >= 3, "not before its term: {thirds} thirds");
}

pub fn presence_and_claims_end_with_the_lease(mut table: Table) {
    for by in [A, B] {
        attend(&mut table, by, 1);
        table.tell(by, Question::Present { room: general(), person: person("ana"), count: 1 });
    }
    table.ask(A, Question::Claim { name: "ana".into(), ticket: 1 });
    outlive(&mut table, &[(B, 1)], A);
    let here: Vec<Incarnation> = table.load(C).present.into_iter().map(|present| present.by).collect();
    assert_eq!(here, [B]);
    table.news(A);
    table.ask(B, Question::Claim { name: "ana".into(), ticket: 2 });
    let lost = |news: &Answer| matches!(news, Answer::ClaimLost { .. });
    assert!(!table.news(A).iter().any(lost), "nobody held it any more");
}

pub fn a_newer_life_ends_the_older_ones_of_its_shard_alone(mut table: Table) {
    let newer = Incarnation { life: 2, ..A };
    let other_shard = Incarnation { shard: ShardId(1), ..A };
    for by in [A, other_shard, B] {
        attend(&mut table, by, 2);
    }
    attend(&mut table, newer, 2);
    for to in [A, other_shard, B] {
        table.hear(to, ended(A));
    }
    assert!(!attend(&mut table, newer, 2).is_empty());
    assert_eq!(table.news(B), [], "nobody else ended");
}

pub fn every_slice_has_one_steward_and_moves_only_from_the_gone(mut table: Table) {
    let of = |number, shards| {
        (0..shards).map(move |shard| (Incarnation { shard: ShardId(shard), ..node(number) }, shards))
    };
    let mut living: Vec<_> = of(1, 2).chain(of(2, 1)).chain(of(3, 1)).collect();
    for (by, shards) in &living {
        attend(&mut table, *by, *shards);
    }
    let before = stewards(&mut table, &living);
    for number in 1..=3 {
        assert!(before.values().any(|by| by.node == number), "node {number} has its share");
    }
    living.retain(|(by, _)| by.node != 2);
    outlive(&mut table, &living, node(2));
    let after = stewards(&mut table, &living);
    for (slice, by) in before {
        assert!(by.node == 2 || after[&slice] == by, "{slice:?} moved from the living");
    }
}

fn stewards(table: &mut Table, living: &[(Incarnation, u16)]) -> BTreeMap<Slice, Incarnation> {
    let mut stewards = BTreeMap::new();
    for (by, shards) in living {
        for slice in attend(table, *by, *shards) {
            assert_eq!(stewards.insert(slice, *by), None, "{slice:?} has two");
            assert_eq!(slice.home(*shards), by.shard, "{slice:?} is not at home there");
        }
    }
    assert_eq!(stewards.len(), usize::from(SLICES), "every slice has one");
    stewards
}

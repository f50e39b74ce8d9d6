//! Matches at random: whatever officials say, in whatever order, points are the sum of the log, nobody is on the mat twice, and the
//! past can be changed and changed back.

use proptest::prelude::*;
use serde_json::json;

use super::world::{World, organizer, scorer};
use crate::contest::Course;
use crate::kabaddi::{Place, Team};

/// What must hold after every record. That the fold of the log is the state is held where a snapshot, which has no game, is loaded.
pub(super) fn check(course: &Course) {
    let game = course.game();
    for team in Team::BOTH {
        let side = game.side(team);
        let sum = |of: &dyn Fn(&crate::kabaddi::Outcome) -> u16| -> u16 {
            course.entries.iter().filter_map(|entry| entry.outcome()).map(of).sum()
        };
        assert_eq!(side.score(), sum(&|outcome| outcome.points[team as usize].sum()));
        assert_eq!(side.tie_points, sum(&|outcome| outcome.tie_points[team as usize]));
        assert!(side.on_mat() <= game.rules.mat, "{} on the mat", side.on_mat());
        let out = side.ids(|player| player.place == Place::Out);
        let mut queued: Vec<String> = side.queued().map(str::to_owned).collect();
        queued.sort_by_key(|id| side.index(id));
        assert_eq!(queued, out, "who is out is in the queue, once");
        let players = |of: &dyn Fn(&crate::kabaddi::Figures) -> u16| -> u16 {
            side.players.iter().map(|player| of(&player.figures)).sum()
        };
        assert_eq!(side.points.touch, players(&|done| done.touch_points));
        assert_eq!(side.points.bonus, players(&|done| done.bonus_points));
        assert_eq!(side.points.tackle, players(&|done| done.tackle_points));
        assert!(side.empty_raids <= game.rules.empty_raids_max);
    }
    let raids = course.entries.iter().filter_map(|entry| entry.outcome()?.raid.as_ref()).count();
    let lost = course.entries.iter().filter(|entry| {
        let lost = matches!(&entry.action, crate::kabaddi::Action::Technical { turn_lost: true, .. });
        lost && entry.outcome().is_some()
    });
    assert_eq!(game.raid_number as usize, raids + lost.count() + 1, "a turn, a number");
}

/// A raid by somebody who may make one, and by now and then somebody who may not.
fn raid(world: &World, dice: &[u8; 6]) -> serde_json::Value {
    let course = world.contest().course.clone().expect("there is a match");
    let game = course.game();
    let team = game.raiding.unwrap_or(Team::A);
    let on_mat = |team: Team| game.side(team).ids(|player| player.place == Place::Mat);
    let (ours, theirs) = (on_mat(team), on_mat(team.other()));
    let pick = |of: &[String], die: u8| of.get(usize::from(die) % of.len().max(1)).cloned();
    let raider = pick(&ours, dice[0]).unwrap_or_else(|| "p1".into());
    let some = |die: u8, many: u8| -> Vec<String> {
        let from = usize::from(die) % theirs.len().max(1);
        theirs.iter().cycle().skip(from).take(usize::from(many).min(theirs.len())).cloned().collect()
    };
    let mut raid = json!({"raiderId": raider});
    match dice[1] % 8 {
        0..=2 => raid["touchedIds"] = json!(some(dice[2], 1 + dice[3] % 4)),
        3 | 4 => raid["tacklerIds"] = json!(some(dice[2], 1 + dice[3] % 3)),
        5 => raid["raiderOut"] = json!(["lobby", "bounds", "time"][usize::from(dice[2]) % 3]),
        6 => raid["selfOutIds"] = json!(some(dice[2], dice[3] % 3)),
        _ => {}
    }
    raid["bonus"] = json!(dice[4].is_multiple_of(4));
    raid
}

fn anything(world: &World, dice: &[u8; 6]) -> (&'static str, serde_json::Value) {
    let team = if dice[1].is_multiple_of(2) { "A" } else { "B" };
    let letter = if dice[1].is_multiple_of(2) { 'p' } else { 'q' };
    let player = |die: u8| format!("{letter}{}", die % 10 + 1);
    match dice[5] % 40 {
        0..=25 => ("raid", raid(world, dice)),
        26 => ("technical", json!({"team": team, "turnLost": dice[2].is_multiple_of(2)})),
        27 => ("substitute", json!({"team": team, "outId": player(dice[2]), "inId": player(dice[3])})),
        28 => {
            let card = ["green", "yellow", "red", "yellow"][usize::from(dice[3]) % 4];
            ("card", json!({"playerId": player(dice[2]), "card": card}))
        }
        29 => ("time_out", if dice[2].is_multiple_of(3) { json!({}) } else { json!({"team": team}) }),
        30 => ("review", json!({"team": team})),
        31 => ("decide_review", json!({"upheld": dice[2].is_multiple_of(2)})),
        32 => ("declare", json!({"team": team})),
        33 => ("stop_clock", json!({})),
        34 => ("start_clock", json!({})),
        35 => ("start_raid", json!({})),
        36 => ("end_half", json!({})),
        37 => ("start_half", json!({})),
        38 => ("set_clock", json!({"remainingMs": u32::from(dice[2]) * 1000})),
        _ => ("undo", json!({"force": true})),
    }
}

fn season(profile: &str, throws: &[[u8; 6]]) {
    let mut world =
        World::of(&json!({"profile": profile, "knockout": throws.len().is_multiple_of(2)}).to_string());
    let sam = scorer("sam");
    for dice in throws {
        world.wait(i64::from(dice[0]) * 100);
        world.clock();
        let (kind, payload) = anything(&world, dice);
        let before = world.contest().clone();
        if world.ask(&sam, kind, &payload.to_string()).is_err() {
            assert!(before == *world.contest(), "what is refused changes nothing");
        }
    }
    // Every action of the past, undone and done again.
    let actions = world.contest().course.as_ref().map_or(0, |course| course.entries.len());
    for number in (1..=actions).rev().step_by(1 + actions / 20) {
        let before = world.contest().course.clone().expect("there is a match");
        let payload = json!({"number": number, "force": true}).to_string();
        if world.ask(&sam, "undo", &payload).is_err() || world.reply["unchanged"] == true {
            continue;
        }
        let undone = world.contest().course.clone().expect("there is a match");
        assert!(undone.entries[number - 1].undone);
        world.does(&organizer(), "redo", &payload);
        let after = world.contest().course.clone().expect("there is a match");
        assert!(after.game() == before.game(), "undo and redo is nothing");
        assert!(after.entries == before.entries);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 12, max_shrink_iters: 40, ..ProptestConfig::default() })]

    #[test]
    fn whatever_is_said_in_pkl(throws in proptest::collection::vec(any::<[u8; 6]>(), 1..90)) {
        season("pkl", &throws);
    }

    #[test]
    fn whatever_is_said_in_akfi(throws in proptest::collection::vec(any::<[u8; 6]>(), 1..90)) {
        season("akfi", &throws);
    }

    #[test]
    fn whatever_is_said_in_raidx(throws in proptest::collection::vec(any::<[u8; 6]>(), 1..90)) {
        season("raidx", &throws);
    }
}

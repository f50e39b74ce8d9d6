//! How matches end that are level, in each profile, and matches that end otherwise.

use super::vectors::{caught, does, empty, ids, ready, refused, touching};
use crate::kabaddi::{Action, Alarm, Card, Game, Phase, Profile, Reason, Team, profiles};

fn named(name: &str) -> Profile {
    profiles().into_iter().find(|profile| profile.name == name).expect("there is such a profile")
}

fn level(profile: &str, knockout: bool) -> Game {
    let mut game = ready(named(profile), knockout);
    let halves = game.rules.halves;
    for _ in 0..halves {
        game = does(&game, 0, &Action::StartHalf).0;
        game = does(&game, 1000, &Action::EndHalf).0;
    }
    game
}

fn end() -> Action {
    Action::EndMatch { reason: Reason::Completed, winner: None }
}

fn winner(game: &Game) -> Option<Team> {
    does(game, 5000, &end()).0.ending.expect("it is over").winner
}

#[test]
fn a_league_shares_the_points_in_every_profile() {
    for profile in ["pkl", "akfi", "raidx"] {
        let game = level(profile, false);
        assert!(refused(&game, &Action::StartTieBreak).contains("in a league a tie stands"));
        assert_eq!(winner(&game), None);
    }
}

#[test]
fn a_knock_out_match_is_not_over_while_it_is_level() {
    for (profile, phase) in
        [("pkl", "awaiting_tie_raids"), ("akfi", "awaiting_overtime"), ("raidx", "awaiting_golden_raid")]
    {
        let game = level(profile, true);
        assert!(refused(&game, &end()).contains("needs a winner"), "{profile}");
        assert_eq!(game.phase_name(), phase);
        let ahead = does(&ready(named(profile), true), 0, &touching("p1", &["q1"], false)).0;
        let mut ahead = does(&ahead, 0, &Action::EndHalf).0;
        if ahead.phase == Phase::HalfTime {
            ahead = does(&ahead, 0, &Action::StartHalf).0;
            ahead = does(&ahead, 0, &Action::EndHalf).0;
        }
        assert_eq!((ahead.phase_name(), winner(&ahead)), ("full_time", Some(Team::A)));
        assert!(refused(&ahead, &Action::StartTieBreak).contains("is not level"));
    }
}

fn five(letter: char) -> Vec<String> {
    (1..=5).map(|number| format!("{letter}{number}")).collect()
}

fn tie_raids() -> Game {
    let mut game = level("pkl", true);
    game.sides[0].put_out(0);
    assert!(refused(&game, &Action::StartTieBreak).contains("name_tie_raiders comes first"));
    for (team, letter) in [(Team::A, 'p'), (Team::B, 'q')] {
        let name = |player_ids| Action::NameTieRaiders { team, player_ids };
        assert!(refused(&game, &name(ids(&["p1"]))).contains("5 raiders are named"));
        game = does(&game, 0, &name(five(letter))).0;
    }
    let game = does(&game, 0, &Action::StartTieBreak).0;
    assert_eq!((game.sides[0].on_mat(), game.raiding), (7, Some(Team::A)));
    game
}

#[test]
fn five_named_raiders_each_and_nobody_is_out() {
    let mut game = tie_raids();
    assert!(refused(&game, &empty("p2")).starts_with("p1 is the next raider of team A, as they were named"));
    for number in 1..=5 {
        // The baulk line is the bonus line, with however many defenders.
        let bonus = number == 3;
        game = does(&game, 0, &touching(&format!("p{number}"), &["q1"], bonus)).0;
        game = does(&game, 0, &caught(&format!("q{number}"), &["p7"], false)).0;
        assert_eq!((game.sides[0].on_mat(), game.sides[1].on_mat()), (7, 7));
    }
    assert_eq!((game.sides[0].tie_points, game.sides[1].tie_points), (11, 0));
    assert_eq!((game.sides[0].score(), game.sides[1].score()), (0, 0));
    assert_eq!((game.phase, winner(&game)), (Phase::AfterTie, Some(Team::A)));
    assert!(refused(&game, &empty("p1")).contains("after_tie_break"));
}

fn carded(game: &Game, id: &str) -> Game {
    does(game, 0, &Action::Card { player_id: id.into(), card: Card::Red }).0
}

fn naming(team: Team, raiders: &[&str]) -> Action {
    Action::NameTieRaiders { team, player_ids: ids(raiders) }
}

#[test]
fn a_carded_raider_of_a_tie_break_is_replaced_by_another() {
    let mut game = does(&tie_raids(), 0, &empty("p1")).0;
    game = does(&game, 0, &empty("q1")).0;
    game = carded(&game, "p2");
    assert_eq!(refused(&game, &empty("p2")), "p2 is not on the mat");
    assert!(refused(&game, &empty("p6")).contains("name_tie_raiders names others"));
    let names = |raiders: &[&str]| naming(Team::A, raiders);
    assert!(
        refused(&game, &names(&["p6", "p1", "p3", "p4", "p5"])).contains("p1 has raided in the place of p6")
    );
    assert!(
        refused(&game, &names(&["p1", "p2", "p3", "p4", "p5"])).contains("p2 is not among those who play")
    );
    assert!(
        refused(&game, &names(&["p1", "p1", "p3", "p4", "p5"])).contains("p1 is named twice, and p6 is free")
    );
    assert!(refused(&game, &names(&["p1", "p6", "p3", "p4"])).contains("5 raiders are named"));
    game = does(&game, 0, &names(&["p1", "p6", "p3", "p4", "p5"])).0;
    game = does(&game, 0, &empty("p6")).0;
    assert_eq!((game.sides[0].tie_raids, game.raiding), (2, Some(Team::B)));
    // With nobody else left who has not raided, somebody raids again.
    for id in ["q3", "q4", "q5", "q6", "q7"] {
        game = carded(&game, id);
    }
    game = does(&game, 0, &naming(Team::B, &["q1", "q2", "q1", "q2", "q1"])).0;
    for raider in ["q2", "p3", "q1", "p4", "q2", "p5", "q1"] {
        game = does(&game, 0, &empty(raider)).0;
    }
    assert_eq!(game.phase, Phase::AwaitingGolden);
}

#[test]
fn a_tie_break_has_as_many_raids_as_the_smaller_side_has_raiders() {
    let mut game = level("pkl", true);
    game = does(&game, 0, &naming(Team::B, &["q1", "q2", "q3", "q4", "q5"])).0;
    for id in ["p1", "p2", "p3"] {
        game = carded(&game, id);
    }
    assert!(
        refused(&game, &naming(Team::A, &["p4", "p5", "p6", "p7", "p1"])).contains("4 raiders are named")
    );
    game = does(&game, 0, &naming(Team::A, &["p4", "p5", "p6", "p7"])).0;
    assert!(refused(&game, &Action::StartTieBreak).contains("of team B: 4 who play"));
    game = does(&game, 0, &naming(Team::B, &["q1", "q2", "q3", "q4"])).0;
    let other = carded(&game, "q4");
    assert!(refused(&other, &Action::StartTieBreak).contains("of team B: 4 who play"));
    game = does(&game, 0, &Action::StartTieBreak).0;
    for raider in ["p4", "q1", "p5", "q2", "p6", "q3", "p7"] {
        game = does(&game, 0, &empty(raider)).0;
    }
    assert_eq!((game.phase, game.raids_of_tie()), (Phase::TieRaids, Some(4)));
    game = does(&game, 0, &touching("q4", &["p4"], false)).0;
    assert_eq!((game.phase, winner(&game)), (Phase::AfterTie, Some(Team::B)));
    let mut none = level("pkl", true);
    for number in 1..=7 {
        none = carded(&none, &format!("p{number}"));
    }
    assert!(refused(&none, &Action::StartTieBreak).contains("nobody left who raids"));
}

fn golden(game: &Game) {
    assert_eq!(game.phase_name(), "awaiting_golden_raid");
    assert!(game.play(0, &end()).is_err());
    assert!(refused(game, &Action::DecideByToss { winner: Team::A }).contains("after a golden raid"));
    let game = does(game, 0, &Action::GoldenRaid { team: Team::B }).0;
    let scored = does(&game, 0, &touching("q1", &[], true)).0;
    assert_eq!((scored.phase_name(), winner(&scored)), ("after_golden_raid", Some(Team::B)));
    let caught = does(&game, 0, &caught("q1", &["p1"], false)).0;
    assert_eq!(winner(&caught), Some(Team::A));
    let nothing = does(&game, 0, &empty("q1")).0;
    assert!(refused(&nothing, &end()).contains("needs a winner"));
    let tossed = does(&nothing, 0, &Action::DecideByToss { winner: Team::A }).0;
    assert_eq!(winner(&tossed), Some(Team::A));
    let again = does(&nothing, 0, &Action::GoldenRaid { team: Team::A }).0;
    assert_eq!(winner(&does(&again, 0, &touching("p1", &["q1"], false)).0), Some(Team::A));
}

#[test]
fn a_raid_of_a_tie_break_goes_on_when_its_review_is_decided() {
    let mut game = does(&tie_raids(), 0, &Action::StartRaid { raider_id: Some("p1".into()) }).0;
    game = does(&game, 10_000, &Action::Review { team: Team::B, raid_number: None }).0;
    assert_eq!(game.alarm(), None, "it is halted");
    game = does(&game, 60_000, &Action::DecideReview { upheld: false }).0;
    assert_eq!(game.alarm(), Some((80_000, Alarm::Raid)));
}

#[test]
fn a_golden_raid_and_then_a_toss_stand_behind_every_tie_break() {
    let mut pkl = tie_raids();
    for number in 1..=5 {
        pkl = does(&pkl, 0, &empty(&format!("p{number}"))).0;
        pkl = does(&pkl, 0, &empty(&format!("q{number}"))).0;
    }
    golden(&pkl);
    // Where it is called so, it can be said: with start_tie_break and without.
    let raidx = level("raidx", true);
    assert_eq!(raidx.phase_name(), "awaiting_golden_raid");
    golden(&raidx);
    golden(&does(&raidx, 0, &Action::StartTieBreak).0);
    assert!(refused(&level("raidx", false), &Action::GoldenRaid { team: Team::A }).contains("in a league"));
    assert!(
        refused(&level("pkl", true), &Action::GoldenRaid { team: Team::A }).contains("after a tie-break")
    );
    let mut akfi = does(&level("akfi", true), 10_000, &Action::StartTieBreak).0;
    assert_eq!(akfi.phase_name(), "overtime_first_half");
    assert_eq!(akfi.clock.remaining_ms(10_000), Some(180_000));
    akfi = does(&akfi, 0, &Action::EndHalf).0;
    assert_eq!(akfi.phase_name(), "overtime_pause");
    akfi = does(&akfi, 0, &Action::StartHalf).0;
    assert_eq!((akfi.phase_name(), akfi.raiding), ("overtime_second_half", Some(Team::B)));
    let ahead = does(&akfi, 0, &touching("q1", &["p1"], false)).0;
    let ahead = does(&ahead, 0, &Action::EndHalf).0;
    assert_eq!(winner(&ahead), Some(Team::B));
    golden(&does(&akfi, 0, &Action::EndHalf).0);
}

#[test]
fn a_match_may_end_before_its_time_with_a_reason() {
    let game = does(&ready(named("pkl"), true), 0, &Action::StartHalf).0;
    assert!(refused(&game, &end()).contains("give the reason"));
    let ends = |reason, winner| Action::EndMatch { reason, winner };
    assert!(refused(&game, &ends(Reason::Forfeit, None)).contains("winner is required"));
    let forfeit = does(&game, 0, &ends(Reason::Forfeit, Some(Team::B))).0;
    assert_eq!(forfeit.ending.expect("over").winner, Some(Team::B));
    let abandoned = does(&game, 0, &ends(Reason::Abandoned, None)).0;
    assert_eq!(
        (abandoned.phase, refused(&abandoned, &empty("p1"))),
        (Phase::Ended, "the match is over".into())
    );
    let untimed = does(&ready(named("raidx"), false), 0, &touching("p1", &["q1"], false)).0;
    assert!(refused(&untimed, &ends(Reason::Completed, Some(Team::B))).contains("who leads"));
    assert_eq!(winner(&untimed), Some(Team::A));
}

#[test]
fn nothing_is_completed_while_a_review_is_pending() {
    let review = Action::Review { team: Team::A, raid_number: None };
    let reviewed = |game: &Game| does(game, 0, &review).0;
    assert!(refused(&reviewed(&level("pkl", false)), &end()).contains("decide_review comes first"));
    let raidx = reviewed(&level("raidx", true));
    assert!(refused(&raidx, &Action::StartTieBreak).contains("decide_review comes first"));
    assert!(refused(&raidx, &Action::GoldenRaid { team: Team::A }).contains("decide_review comes first"));
    let abandoned = Action::EndMatch { reason: Reason::Abandoned, winner: None };
    assert_eq!(does(&raidx, 0, &abandoned).0.phase, Phase::Ended);
    let decided = does(&raidx, 0, &Action::DecideReview { upheld: false }).0;
    assert_eq!(does(&decided, 0, &Action::StartTieBreak).0.phase, Phase::AwaitingGolden);
}

//! The rule book, a row a test: squads, toss, turns, lobbies, technical points, declaring, substitutions, cards, figures.

use super::vectors::{at, caught, does, empty, ids, raid, ready, refused, seven, touching};
use crate::kabaddi::{
    Action, Card, Choice, Game, Phase, Place, Profile, Raid, SelfOut, Team, awards, profiles,
};

fn pkl() -> Profile {
    profiles().remove(0)
}

fn score(game: &Game) -> (u16, u16) {
    (game.sides[0].score(), game.sides[1].score())
}

fn place(game: &Game, id: &str) -> Place {
    let side = &game.sides[usize::from(id.starts_with('q'))];
    side.player(id).expect("there is such a player").place
}

#[test]
fn profiles_differ_in_numbers_alone() {
    type Row = (&'static str, u8, u32, u8, u32, u8, &'static str);
    let rows: [Row; 3] = [
        ("pkl", 2, 1_200_000, 1, 90_000, 1, "\"raids\""),
        ("akfi", 2, 1_200_000, 2, 30_000, 0, "\"extra_time\""),
        ("raidx", 1, 0, 1, 90_000, 1, "\"golden_raid\""),
    ];
    for (profile, (name, halves, half_ms, time_outs, time_out_ms, reviews, tie)) in
        profiles().iter().zip(rows)
    {
        let tie_break = serde_json::to_string(&profile.tie_break).expect("it is written");
        assert_eq!(
            (&*profile.name, profile.halves, profile.half_ms, profile.time_outs, profile.time_out_ms),
            (name, halves, half_ms, time_outs, time_out_ms)
        );
        assert_eq!((profile.reviews, &*tie_break), (reviews, tie));
        assert_eq!((profile.mat, profile.raid_ms, profile.bonus_defenders_min), (7, 30_000, 6));
        let read: Profile =
            serde_json::from_str(&serde_json::to_string(profile).expect("it is written")).expect("it reads");
        assert_eq!(read, *profile);
    }
}

#[test]
fn seven_of_the_squad_begin() {
    for profile in profiles() {
        let game = ready(profile, false);
        let line_up = |player_ids| Action::LineUp { team: Team::A, player_ids };
        assert_eq!(refused(&game, &line_up(ids(&["p1"]))), "7 players begin on the mat, got 1");
        let mut strange = seven('p');
        strange[6] = "q1".into();
        assert_eq!(refused(&game, &line_up(strange)), "q1 is not in the squad of team A");
        let mut twice = seven('p');
        twice[6] = "p1".into();
        assert_eq!(refused(&game, &line_up(twice)), "p1 is named twice");
        let begun = does(&game, 0, &Action::StartHalf).0;
        assert!(refused(&begun, &line_up(seven('p'))).contains("has begun"));
    }
}

#[test]
fn the_toss_says_who_raids_first_and_the_other_opens_the_second_half() {
    for (winner, decision, first) in [
        (Team::A, Choice::Raid, Team::A),
        (Team::A, Choice::Court, Team::B),
        (Team::B, Choice::Raid, Team::B),
        (Team::B, Choice::Court, Team::A),
    ] {
        let game = does(&ready(pkl(), false), 0, &Action::Toss { winner, decision }).0;
        let game = does(&game, 0, &Action::StartHalf).0;
        assert_eq!(game.raiding, Some(first));
        let game = does(&game, 0, &Action::EndHalf).0;
        let game = does(&game, 0, &Action::StartHalf).0;
        assert_eq!((game.phase, game.raiding), (Phase::SecondHalf, Some(first.other())));
    }
}

#[test]
fn raids_alternate_and_the_mat_stays_as_it_is_at_half_time() {
    let game = at(pkl(), 7, 7);
    assert!(refused(&game, &empty("q1")).contains("team A's raid"));
    let game = does(&game, 0, &touching("p1", &["q1"], false)).0;
    assert!(refused(&game, &empty("p1")).contains("team B's raid"));
    assert_eq!(refused(&game, &empty("q1")), "q1 is not on the mat");
    assert_eq!(refused(&game, &empty("q8")), "q8 is not on the mat");
    assert_eq!(refused(&game, &empty("x")), "x is not in the squad of team B");
    let game = does(&game, 0, &Action::EndHalf).0;
    let game = does(&game, 0, &Action::StartHalf).0;
    assert_eq!((game.sides[0].on_mat(), game.sides[1].on_mat()), (7, 6));
}

#[test]
fn a_raid_is_one_thing_and_names_who_stands_on_the_mat() {
    let game = at(pkl(), 7, 6);
    let of = |raid: Raid| Action::Raid(raid);
    for (raid, says) in [
        (Raid { touched_ids: ids(&["q7"]), ..raid("p1") }, "q7 is not on the mat"),
        (Raid { touched_ids: ids(&["p2"]), ..raid("p1") }, "p2 is not in the squad of team B"),
        (Raid { touched_ids: ids(&["q1", "q1"]), ..raid("p1") }, "q1 is named twice"),
        (
            Raid { tackler_ids: ids(&["q1"]), raider_out: Some(SelfOut::Bounds), ..raid("p1") },
            "a raider is caught, or goes out by himself: not both",
        ),
        (
            Raid { tackler_ids: ids(&["q1"]), touched_ids: ids(&["q2"]), ..raid("p1") },
            "touches count when the raider gets home, and this one does not",
        ),
        (
            Raid { touched_ids: ids(&["q1"]), self_out_ids: ids(&["q1"]), ..raid("p1") },
            "a defender who steps out is neither touched nor a tackler",
        ),
    ] {
        assert_eq!(refused(&game, &of(raid)), says);
    }
}

#[test]
fn defenders_who_follow_into_a_dead_lobby_are_all_out_and_the_points_are_the_teams() {
    for profile in profiles() {
        let game = at(profile, 7, 7);
        let followed = Action::Raid(Raid { self_out_ids: seven('q'), ..raid("p1") });
        let (game, outcome) = does(&game, 0, &followed);
        assert_eq!(score(&game), (9, 0));
        assert_eq!((outcome.points[0].technical, outcome.points[0].all_out), (7, 2));
        assert_eq!(game.sides[0].player("p1").expect("there").figures.total_points(), 0);
        assert_eq!(game.sides[1].on_mat(), 7);
        assert!(outcome.raid.expect("it is a raid").super_raid);
    }
}

#[test]
fn a_technical_point_is_the_teams_and_may_cost_a_turn() {
    let technical = |team, turn_lost| Action::Technical { team, reason: "late".into(), turn_lost };
    for profile in profiles() {
        let game = at(profile, 7, 7);
        let (kept, outcome) = does(&game, 0, &technical(Team::A, false));
        assert_eq!((score(&kept), kept.raiding, kept.raid_number), ((1, 0), Some(Team::A), 1));
        assert_eq!(outcome.raid, None);
        let (lost, _) = does(&game, 0, &technical(Team::B, true));
        assert_eq!((score(&lost), lost.raiding, lost.raid_number), ((0, 1), Some(Team::B), 2));
        assert!(refused(&game, &technical(Team::A, true)).contains("turnLost"));
    }
    assert!(refused(&ready(pkl(), false), &technical(Team::A, false)).contains("no half is on"));
}

#[test]
fn one_or_two_may_declare_and_the_others_get_them_and_two() {
    for profile in profiles() {
        for (there, points) in [(1, 3), (2, 4)] {
            let (game, outcome) = does(&at(profile.clone(), there, 7), 0, &Action::Declare { team: Team::A });
            assert_eq!((score(&game), game.sides[0].on_mat()), ((0, points), 7));
            assert!(outcome.all_out[0]);
        }
        let text = refused(&at(profile, 3, 7), &Action::Declare { team: Team::A });
        assert_eq!(text, "a captain declares with 1 to 2 players on the mat, there are 3");
    }
}

#[test]
fn five_may_be_substituted_and_nobody_who_is_out() {
    let change = |out_id: &str, in_id: &str| Action::Substitute {
        team: Team::A,
        out_id: out_id.into(),
        in_id: in_id.into(),
    };
    for profile in profiles() {
        let mut game = at(profile, 6, 7);
        assert!(refused(&game, &change("p7", "p8")).contains("is not on the mat"));
        assert!(refused(&game, &change("p1", "p2")).contains("is not on the bench"));
        for (out, comes) in [("p1", "p8"), ("p8", "p1"), ("p1", "p8"), ("p2", "p9"), ("p3", "p10")] {
            game = does(&game, 0, &change(out, comes)).0;
        }
        assert_eq!((place(&game, "p2"), place(&game, "p9")), (Place::Bench, Place::Mat));
        assert!(refused(&game, &change("p4", "p1")).contains("has had its substitutions (5"));
        assert_eq!(game.sides[0].on_mat(), 6);
    }
}

#[test]
fn cards_warn_suspend_and_expel() {
    let card = |player_id: &str, card| Action::Card { player_id: player_id.into(), card };
    for profile in profiles() {
        let game = at(profile, 6, 7);
        let green = does(&game, 0, &card("p1", Card::Green)).0;
        assert_eq!(place(&green, "p1"), Place::Mat);
        let yellow = does(&game, 1000, &card("p1", Card::Yellow)).0;
        assert!(matches!(place(&yellow, "p1"), Place::Suspended { until_ms: 121_000, .. }));
        assert_eq!(refused(&yellow, &empty("p1")), "p1 is not on the mat");
        // Who was out when suspended is not revived, and stands at the end of the queue after it.
        let out = does(&game, 0, &card("p7", Card::Yellow)).0;
        let (out, outcome) = does(&out, 0, &touching("p1", &["q1"], false));
        assert_eq!(outcome.back[0], ids(&[]));
        let over = Action::SuspensionOver { player_id: "p7".into() };
        assert_eq!(refused(&out, &over), "by the clock it is not time for that");
        let out = does(&out, 120_000, &over).0;
        assert_eq!(place(&out, "p7"), Place::Out);
        assert_eq!(refused(&out, &over), "by the clock it is not time for that");
        let red = does(&game, 0, &card("p7", Card::Red)).0;
        assert_eq!(refused(&red, &card("p7", Card::Green)), "p7 was expelled");
        let change = Action::Substitute { team: Team::A, out_id: "p7".into(), in_id: "p8".into() };
        assert!(refused(&red, &change).contains("is not on the mat"));
    }
}

#[test]
fn an_all_out_brings_back_whoever_may_play() {
    let yellow = Action::Card { player_id: "q1".into(), card: Card::Yellow };
    let game = does(&at(pkl(), 7, 3), 0, &yellow).0;
    let (game, outcome) = does(&game, 0, &touching("p1", &["q2", "q3"], false));
    assert_eq!((score(&game), game.sides[1].on_mat()), ((4, 0), 6));
    assert!(outcome.all_out[1]);
    let game = does(&game, 120_000, &Action::SuspensionOver { player_id: "q1".into() }).0;
    assert_eq!(game.sides[1].on_mat(), 7);
}

#[test]
fn a_card_that_leaves_nobody_on_the_mat_is_an_all_out_where_somebody_is_out() {
    let yellow = |id: &str| Action::Card { player_id: id.into(), card: Card::Yellow };
    let (game, outcome) = does(&at(pkl(), 7, 1), 0, &yellow("q1"));
    assert_eq!((score(&game), game.sides[1].on_mat(), outcome.all_out), ((2, 0), 6, [false, true]));
    let mut game = at(pkl(), 7, 7);
    for id in seven('q') {
        game = does(&game, 0, &yellow(&id)).0;
    }
    assert_eq!((score(&game), game.sides[1].on_mat()), ((0, 0), 0), "nobody was out");
}

#[test]
fn figures_and_awards_are_counted_from_raids() {
    let mut game = at(pkl(), 7, 7);
    for action in [
        touching("p1", &["q1", "q2"], true),
        caught("q3", &["p2", "p3"], false),
        empty("p1"),
        touching("q4", &["p4"], false),
        caught("p1", &["q4"], false),
    ] {
        game = does(&game, 0, &action).0;
    }
    let done = |id: &str| game.sides[usize::from(id.starts_with('q'))].player(id).expect("there").figures;
    let raider = done("p1");
    assert_eq!((raider.raids, raider.successful_raids, raider.empty_raids), (3, 1, 1));
    assert_eq!(
        (raider.touch_points, raider.bonus_points, raider.raid_points(), raider.super_raids),
        (2, 1, 3, 1)
    );
    // The first of those who caught the raider has the point, the other has helped.
    assert_eq!((done("p2").tackle_points, done("p2").successful_tackles, done("p2").tackles), (1, 1, 1));
    assert_eq!((done("p3").tackle_points, done("p3").successful_tackles, done("p3").tackles), (0, 0, 1));
    let awards = awards(&game);
    let of = |award: Option<crate::kabaddi::Award>| award.map(|award| (award.player_id, award.points));
    assert_eq!(of(awards.mvp), Some(("p1".into(), 3)));
    assert_eq!(of(awards.best_raider), Some(("p1".into(), 3)));
    assert_eq!(of(awards.best_defender), Some(("p2".into(), 1)));
}

#[test]
fn reviews_are_kept_if_they_are_upheld() {
    let review = Action::Review { team: Team::A, raid_number: Some(1) };
    let game = does(&at(pkl(), 7, 7), 0, &empty("p1")).0;
    let game = does(&game, 0, &review).0;
    assert!(!game.clock.is_running());
    assert!(refused(&game, &empty("q1")).contains("a review is pending"));
    assert!(refused(&game, &review).contains("a review is pending"));
    assert!(refused(&game, &Action::StartClock).contains("a review is pending"));
    let halved = does(&game, 0, &Action::EndHalf).0;
    assert!(refused(&halved, &Action::StartHalf).contains("a review is pending"));
    let kept = does(&game, 0, &Action::DecideReview { upheld: true }).0;
    let again = does(&kept, 0, &review).0;
    let lost = does(&again, 0, &Action::DecideReview { upheld: false }).0;
    assert!(refused(&lost, &review).contains("no review left (1"));
    assert!(refused(&at(profiles().remove(1), 7, 7), &review).contains("no review left (0"));
    assert!(refused(&lost, &Action::DecideReview { upheld: true }).contains("no review is pending"));
    let future = Action::Review { team: Team::B, raid_number: Some(2) };
    assert_eq!(refused(&lost, &future), "raidNumber 2 has not been raided");
}

#[test]
fn a_raid_that_is_on_keeps_its_players_for_its_result() {
    let started = |raider: &str| {
        let start = Action::StartRaid { raider_id: Some(raider.into()) };
        does(&at(pkl(), 7, 7), 0, &start).0
    };
    let card = |id: &str, card: Card| Action::Card { player_id: id.into(), card };
    for (id, colour, action, left) in [
        ("p1", Card::Red, caught("p1", &["q1"], false), (6, 7)),
        ("p1", Card::Yellow, touching("p1", &["q1"], false), (6, 6)),
        ("q1", Card::Red, caught("p1", &["q1"], false), (6, 6)),
        ("q1", Card::Yellow, touching("p1", &["q1"], false), (7, 6)),
        (
            "q1",
            Card::Yellow,
            Action::Technical { team: Team::B, reason: String::new(), turn_lost: true },
            (7, 6),
        ),
    ] {
        let game = does(&started("p1"), 0, &card(id, colour)).0;
        assert_eq!((game.sides[0].on_mat(), game.sides[1].on_mat()), (7, 7));
        let (game, outcome) = does(&game, 1000, &action);
        assert_eq!((game.sides[0].on_mat(), game.sides[1].on_mat()), left, "{id} {colour:?}");
        assert_eq!(outcome.carded, ids(&[id]));
        let place = game.sides.iter().find_map(|side| side.player(id)).expect("a player").place;
        assert_eq!(place == Place::Expelled, colour == Card::Red);
        assert_eq!(matches!(place, Place::Suspended { until_ms: 121_000, .. }), colour == Card::Yellow);
    }
    let red = does(&started("p1"), 0, &card("p1", Card::Red)).0;
    assert_eq!(refused(&red, &card("p1", Card::Yellow)), "p1 was expelled");
    let change = Action::Substitute { team: Team::A, out_id: "p1".into(), in_id: "p8".into() };
    assert!(refused(&started("p1"), &change).contains("waits for its end"));
    let ended = Action::EndMatch { reason: crate::kabaddi::Reason::Abandoned, winner: None };
    assert_eq!(does(&red, 0, &ended).1.carded, ids(&["p1"]));
    // Who raided is said by the result.
    assert_eq!(score(&does(&started("p1"), 0, &touching("p2", &["q1"], false)).0), (1, 0));
}

//! Raids as rows: how many stood on the mat, what happened, what it was worth. Every row holds for every profile.

use crate::kabaddi::{
    Action, Choice, Game, Outcome, PlayerSheet, Profile, Raid, SelfOut, Team, TeamSheet, profiles,
};

fn sheet(letter: char) -> TeamSheet {
    let player = |number: u8| PlayerSheet {
        id: format!("{letter}{number}"),
        name: format!("{letter}{number}").to_uppercase(),
        number: Some(number),
    };
    TeamSheet {
        name: letter.to_uppercase().to_string(),
        players: (1..=10).map(player).collect(),
        captain_id: None,
        vice_captain_id: None,
    }
}

pub(super) fn seven(letter: char) -> Vec<String> {
    (1..=7).map(|number| format!("{letter}{number}")).collect()
}

pub(super) fn does(game: &Game, at: i64, action: &Action) -> (Game, Outcome) {
    game.play(at, action).unwrap_or_else(|fault| panic!("{action:?}: {}", fault.0))
}

pub(super) fn refused(game: &Game, action: &Action) -> String {
    game.play(0, action).map(|_| ()).expect_err("the rules do not allow it").0
}

/// Teams `p` (A) and `q` (B), lined up; A raids first.
pub(super) fn ready(profile: Profile, knockout: bool) -> Game {
    let mut game = Game::new(profile, knockout, &[sheet('p'), sheet('q')]);
    for action in [
        Action::LineUp { team: Team::A, player_ids: seven('p') },
        Action::LineUp { team: Team::B, player_ids: seven('q') },
        Action::Toss { winner: Team::A, decision: Choice::Raid },
    ] {
        game = does(&game, 0, &action).0;
    }
    game
}

/// A to raid, with so many of either side on the mat; those with high numbers are out.
pub(super) fn at(profile: Profile, raiding: usize, defending: usize) -> Game {
    let mut game = does(&ready(profile, false), 0, &Action::StartHalf).0;
    for (side, many) in game.sides.iter_mut().zip([raiding, defending]) {
        (many..7).for_each(|index| side.put_out(index));
    }
    game
}

pub(super) fn ids(ids: &[&str]) -> Vec<String> {
    ids.iter().map(|id| (*id).to_owned()).collect()
}

pub(super) fn raid(raider: &str) -> Raid {
    Raid { raider_id: raider.into(), ..Raid::default() }
}

pub(super) fn touching(raider: &str, touched: &[&str], bonus: bool) -> Action {
    Action::Raid(Raid { touched_ids: ids(touched), bonus, ..raid(raider) })
}

pub(super) fn caught(raider: &str, tacklers: &[&str], bonus: bool) -> Action {
    Action::Raid(Raid { tackler_ids: ids(tacklers), bonus, ..raid(raider) })
}

pub(super) fn empty(raider: &str) -> Action {
    Action::Raid(raid(raider))
}

pub(super) fn out_by(raider: &str, way: SelfOut) -> Action {
    Action::Raid(Raid { raider_out: Some(way), ..raid(raider) })
}

/// Points of both, then who is on the mat of both, then marks.
fn told(game: &Game, outcome: &Outcome) -> String {
    let line = outcome.raid.as_ref();
    let marks = [
        (line.is_some_and(|line| line.super_raid), " super raid"),
        (line.is_some_and(|line| line.super_tackle), " super tackle"),
        (outcome.all_out.contains(&true), " all-out"),
    ];
    let [a, b] = &game.sides;
    let marks: String = marks.into_iter().filter(|(is, _)| *is).map(|(_, mark)| mark).collect();
    format!("{}-{} mat {}-{}{marks}", a.score(), b.score(), a.on_mat(), b.on_mat())
}

#[test]
fn every_vector_is_worth_what_the_rules_say_in_every_profile() {
    let out = |way| out_by("p1", way);
    for profile in profiles() {
        for (what, raiding, defending, action, expected) in [
            ("two touches and bonus", 5, 7, touching("p1", &["q1", "q2"], true), "3-0 mat 7-5 super raid"),
            ("bonus only", 6, 6, touching("p1", &[], true), "1-0 mat 6-6"),
            ("caught after bonus", 7, 6, caught("p1", &["q1"], true), "1-1 mat 6-7"),
            ("caught by three", 7, 3, caught("p1", &["q1", "q2"], false), "0-2 mat 6-4 super tackle"),
            (
                "the last one, caught by three",
                1,
                3,
                caught("p1", &["q1"], false),
                "0-4 mat 7-4 super tackle all-out",
            ),
            ("caught by four", 7, 4, caught("p1", &["q1"], false), "0-1 mat 6-5"),
            ("the last two touched", 5, 2, touching("p1", &["q1", "q2"], false), "4-0 mat 7-7 all-out"),
            (
                "the last two touched, one to revive",
                6,
                2,
                touching("p1", &["q1", "q2"], false),
                "4-0 mat 7-7 all-out",
            ),
            ("a dead lobby", 7, 5, out(SelfOut::Lobby), "0-1 mat 6-6"),
            ("out of bounds", 7, 7, out(SelfOut::Bounds), "0-1 mat 6-7"),
            ("not over the baulk line", 7, 5, out(SelfOut::Baulk), "0-1 mat 6-6"),
            ("the cant lost", 7, 5, out(SelfOut::Cant), "0-1 mat 6-6"),
            ("thirty seconds over", 7, 5, out(SelfOut::Time), "0-1 mat 6-6"),
            ("the last one, into a dead lobby", 1, 5, out(SelfOut::Lobby), "0-3 mat 7-6 all-out"),
            ("nothing", 7, 5, empty("p1"), "0-0 mat 7-5"),
            ("one touch", 6, 7, touching("p1", &["q3"], false), "1-0 mat 7-6"),
            ("three touches", 4, 7, touching("p1", &["q1", "q2", "q3"], false), "3-0 mat 7-4 super raid"),
        ] {
            let before = at(profile.clone(), raiding, defending);
            let (game, outcome) = does(&before, 1000, &action);
            assert_eq!(told(&game, &outcome), expected, "{}: {what}", profile.name);
            assert_eq!(game.side(Team::A).empty_raids, u8::from(what == "nothing"), "{what}");
            assert_eq!((game.raid_number, game.raiding), (2, Some(Team::B)), "{what}");
        }
    }
}

#[test]
fn the_raid_after_two_empty_ones_must_score_in_every_profile() {
    for profile in profiles() {
        for (raiding, defending, action, expected) in [
            (7, 7, empty("p1"), "0-1 mat 6-7"),
            (7, 5, empty("p1"), "0-1 mat 6-6"),
            (1, 5, empty("p1"), "0-3 mat 7-6 all-out"),
            (7, 7, touching("p1", &[], true), "1-0 mat 7-7"),
            (7, 7, touching("p1", &["q1"], false), "1-0 mat 7-6"),
            (7, 3, caught("p1", &["q1"], false), "0-2 mat 6-4 super tackle"),
        ] {
            let mut before = at(profile.clone(), raiding, defending);
            before.sides[0].empty_raids = 2;
            let (game, outcome) = does(&before, 1000, &action);
            assert_eq!(told(&game, &outcome), expected, "{}: {action:?}", profile.name);
            assert!(outcome.raid.expect("it is a raid").do_or_die);
            assert_eq!(game.side(Team::A).empty_raids, 0, "{action:?}");
        }
    }
}

#[test]
fn a_bonus_with_five_defenders_is_no_input() {
    for profile in profiles() {
        for action in [touching("p1", &[], true), touching("p1", &["q1"], true), caught("p1", &["q1"], true)]
        {
            let text = refused(&at(profile.clone(), 7, 5), &action);
            assert_eq!(text, "a bonus needs 6 defenders on the mat, there are 5", "{}", profile.name);
        }
    }
}

#[test]
fn whether_an_own_way_out_revives_is_the_profiles_word() {
    let mut strict = profiles().remove(0);
    strict.self_out_revives = false;
    let lobby = out_by("p1", SelfOut::Lobby);
    let (game, outcome) = does(&at(strict.clone(), 7, 5), 0, &lobby);
    assert_eq!(told(&game, &outcome), "0-1 mat 6-5");
    let followed = Action::Raid(Raid { self_out_ids: ids(&["q1", "q2"]), ..raid("p1") });
    let (game, outcome) = does(&at(strict, 4, 7), 0, &followed);
    assert_eq!(told(&game, &outcome), "2-0 mat 4-5");
    let (game, outcome) = does(&at(profiles().remove(0), 4, 7), 0, &followed);
    assert_eq!(told(&game, &outcome), "2-0 mat 6-5");
}

#[test]
fn who_is_out_comes_back_in_the_order_in_which_they_went() {
    let game = at(profiles().remove(0), 7, 7);
    // p5 goes before p2 does.
    let (game, _) = does(&game, 0, &caught("p5", &["q1"], false));
    let (game, _) = does(&game, 0, &empty("q1"));
    let (game, _) = does(&game, 0, &caught("p2", &["q1"], false));
    let (game, _) = does(&game, 0, &caught("q2", &["p1"], false));
    assert_eq!(game.side(Team::A).queued().collect::<Vec<_>>(), ["p2"]);
    let (game, outcome) = does(&game, 0, &touching("p5", &["q3", "q4"], false));
    assert_eq!(outcome.back[0], ["p2"]);
    assert_eq!(game.side(Team::B).queued().collect::<Vec<_>>(), ["q2", "q3", "q4"]);
}

//! The server's clock: raids of thirty seconds, halves, time-outs, suspensions; stopped, set, and seen by everybody alike.

use super::world::{BEGIN, World, scorer};

const SECOND: i64 = 1000;
const MINUTE: i64 = 60_000;

fn phase(world: &World) -> String {
    world.state()["phase"].as_str().expect("a phase").to_owned()
}

fn left(world: &World) -> i64 {
    let course = world.contest().course.clone().expect("there is a match");
    course.game().clock.remaining_ms(world.now.wall.0).expect("it is timed")
}

#[test]
fn a_raid_has_thirty_seconds_and_its_result_is_a_persons_word() {
    let (mut world, sam) = (World::ready(), scorer("sam"));
    assert_eq!(world.due(), None);
    world.does(&sam, "start_raid", r#"{"raiderId":"p1","raidNumber":1}"#);
    assert_eq!(world.due(), Some(BEGIN + 30 * SECOND));
    assert!(world.refused(&sam, "start_raid", "{}").contains("a raid is on"));
    world.wait(30 * SECOND - 1);
    assert_eq!(world.clock(), 0);
    world.wait(1);
    assert_eq!(world.clock(), 1);
    assert_eq!(world.state()["clock"]["raid"]["timeUp"], true);
    assert_eq!(world.score(), (0, 0));
    world.does(&sam, "raid", r#"{"raiderId":"p1","raiderOut":"time"}"#);
    assert_eq!(world.score(), (0, 1));
    assert_eq!(world.state()["clock"]["nextRaidBy"], "2026-01-01T10:00:35.000Z");
}

#[test]
fn a_half_ends_by_itself_and_a_raid_that_is_on_is_completed() {
    let (mut world, sam) = (World::ready(), scorer("sam"));
    world.does(&sam, "start_half", "{}");
    assert_eq!(phase(&world), "first_half");
    world.wait(20 * MINUTE - SECOND);
    world.does(&sam, "start_raid", "{}");
    world.wait(10 * SECOND);
    assert_eq!(world.clock(), 0, "the raid goes on");
    world.does(&sam, "raid", r#"{"raiderId":"p1","touchedIds":["q1"]}"#);
    assert_eq!(world.clock(), 1);
    assert_eq!((phase(&world), world.score(), left(&world)), ("half_time".into(), (1, 0), 0));
    // The first raid of the second half begins it; the other side raids first.
    world.wait(5 * MINUTE);
    world.does(&sam, "start_raid", r#"{"raiderId":"q2"}"#);
    assert_eq!((phase(&world), left(&world)), ("second_half".into(), 20 * MINUTE));
    world.does(&sam, "raid", r#"{"raiderId":"q2"}"#);
    world.wait(20 * MINUTE);
    assert_eq!(world.clock(), 1);
    assert_eq!(phase(&world), "full_time");
    assert_eq!(world.due(), None);
    assert!(world.refused(&sam, "raid", r#"{"raiderId":"p1"}"#).contains("the match is at full_time"));
    world.does(&sam, "end_match", "{}");
    assert_eq!(world.state()["result"]["winner"], "teamA");
}

#[test]
fn a_half_whose_clock_is_stopped_with_nothing_left_ends() {
    let (mut world, sam) = (World::ready(), scorer("sam"));
    world.does(&sam, "start_half", "{}");
    world.does(&sam, "set_clock", r#"{"remainingMs":300}"#);
    world.does(&sam, "start_raid", "{}");
    world.wait(600);
    world.does(&sam, "stop_clock", "{}");
    assert_eq!(world.clock(), 0, "the raid is completed");
    world.does(&sam, "raid", r#"{"raiderId":"p1"}"#);
    assert_eq!(world.clock(), 1);
    assert_eq!(phase(&world), "half_time");
}

#[test]
fn the_result_of_the_raid_that_a_half_ended_in_begins_no_half() {
    let (mut world, sam) = (World::ready(), scorer("sam"));
    world.does(&sam, "start_half", "{}");
    world.wait(20 * MINUTE);
    assert_eq!(world.clock(), 1);
    for raid in [r#"{"raiderId":"p1","touchedIds":["q1"],"raidNumber":1}"#, r#"{"raiderId":"q1"}"#] {
        let text = world.refused(&sam, "raid", raid);
        assert!(
            text.starts_with("RULE") && text.contains("start_half") && text.contains("set_clock"),
            "{text}"
        );
    }
    world.does(&sam, "set_clock", r#"{"remainingMs":0}"#);
    world.does(&sam, "raid", r#"{"raiderId":"p1","touchedIds":["q1"],"raidNumber":1}"#);
    assert_eq!(world.clock(), 1);
    assert_eq!((phase(&world), world.score()), ("half_time".into(), (1, 0)));
}

#[test]
fn the_clock_stops_goes_on_and_can_be_set() {
    let (mut world, sam) = (World::ready(), scorer("sam"));
    world.does(&sam, "start_half", "{}");
    world.wait(MINUTE);
    world.does(&sam, "stop_clock", r#"{"reason":"injury"}"#);
    world.wait(MINUTE);
    assert_eq!((left(&world), world.due()), (19 * MINUTE, None));
    assert!(world.refused(&sam, "stop_clock", "{}").contains("the clock stands"));
    world.does(&sam, "start_clock", "{}");
    assert!(world.refused(&sam, "start_clock", "{}").contains("the clock runs"));
    world.wait(MINUTE);
    assert_eq!(left(&world), 18 * MINUTE);
    world.does(&sam, "set_clock", r#"{"remainingMs":30000}"#);
    world.wait(30 * SECOND);
    world.clock();
    assert_eq!(phase(&world), "half_time");
    // A half that ended too early is taken back, with the clock at rest.
    world.does(&sam, "set_clock", r#"{"remainingMs":60000}"#);
    assert_eq!((phase(&world), world.due()), ("first_half".into(), None));
    assert!(world.refused(&sam, "set_clock", r#"{"remainingMs":1200001}"#).contains("a half has 1200000 ms"));
    world.does(&sam, "raid", r#"{"raiderId":"p1"}"#);
    assert_eq!(world.due(), Some(world.now.wall.0 + MINUTE));
}

#[test]
fn a_raid_that_is_halted_keeps_its_seconds() {
    let (mut world, sam) = (World::ready(), scorer("sam"));
    world.does(&sam, "start_raid", "{}");
    world.wait(10 * SECOND);
    world.does(&sam, "stop_clock", "{}");
    assert_eq!(world.state()["clock"]["raid"]["pausedAfterMs"], 10_000);
    world.wait(MINUTE);
    assert_eq!(world.due(), None);
    world.does(&sam, "start_clock", "{}");
    assert_eq!(world.due(), Some(world.now.wall.0 + 20 * SECOND));
    // Whoever has stopped it after the raid had a reason: the result does not start it.
    world.does(&sam, "stop_clock", "{}");
    world.does(&sam, "raid", r#"{"raiderId":"p1"}"#);
    assert_eq!(world.state()["clock"]["running"], false);
    world.does(&sam, "raid", r#"{"raiderId":"q1"}"#);
    assert_eq!(world.state()["clock"]["running"], true);
}

#[test]
fn time_outs_are_counted_and_end_by_themselves() {
    for (profile, many, seconds) in [("pkl", 1, 90), ("akfi", 2, 30)] {
        let sam = scorer("sam");
        let mut world = World::of(&format!("{{\"profile\":\"{profile}\"}}"));
        world.does(&sam, "start_half", "{}");
        for _ in 0..many {
            world.does(&sam, "time_out", r#"{"team":"A"}"#);
            assert!(world.refused(&sam, "time_out", r#"{"team":"B"}"#).contains("a time-out is on"));
            assert_eq!(world.due(), Some(world.now.wall.0 + seconds * SECOND));
            world.wait(seconds * SECOND);
            assert_eq!(world.clock(), 1);
            assert_eq!(world.state()["timeOut"], serde_json::Value::Null);
            assert_eq!(world.state()["clock"]["running"], false);
            world.does(&sam, "start_clock", "{}");
        }
        assert!(world.refused(&sam, "time_out", r#"{"team":"A"}"#).contains("has had its time-outs"));
        world.does(&sam, "time_out", "{}");
        world.does(&sam, "raid", r#"{"raiderId":"p1"}"#);
        assert_eq!(world.state()["timeOut"], serde_json::Value::Null, "a raid starts the clock again");
        assert_eq!(world.state()["clock"]["running"], true);
    }
}

#[test]
fn a_suspension_is_two_minutes_of_playing_time() {
    let (mut world, sam) = (World::ready(), scorer("sam"));
    world.does(&sam, "start_half", "{}");
    world.wait(19 * MINUTE);
    world.does(&sam, "card", r#"{"playerId":"p3","card":"yellow"}"#);
    assert_eq!(world.state()["playerStats"]["p3"]["status"], "suspended");
    world.wait(MINUTE);
    assert_eq!(world.clock(), 1, "the half ends, the suspension does not");
    world.wait(5 * MINUTE);
    assert_eq!(world.due(), None);
    world.does(&sam, "start_half", "{}");
    assert_eq!(world.due(), Some(world.now.wall.0 + MINUTE));
    world.wait(MINUTE);
    assert_eq!(world.clock(), 1);
    assert_eq!(world.state()["playerStats"]["p3"]["status"], "in");
}

#[test]
fn a_match_without_a_clock_goes_on_until_somebody_ends_it() {
    let sam = scorer("sam");
    let mut world = World::of(r#"{"profile":"raidx"}"#);
    world.does(&sam, "raid", r#"{"raiderId":"p1"}"#);
    assert_eq!(world.due(), None);
    assert!(world.refused(&sam, "set_clock", r#"{"remainingMs":1}"#).contains("have no clock"));
    world.does(&sam, "end_match", "{}");
    assert_eq!(phase(&world), "ended");
}

#[test]
fn juniors_play_shorter_halves() {
    let mut world = World::of(r#"{"halfMinutes":15}"#);
    world.does(&scorer("sam"), "start_half", "{}");
    assert_eq!(world.due(), Some(BEGIN + 15 * MINUTE));
}

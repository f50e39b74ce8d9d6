//! What the golden files cannot hold, because their client is a scorer who is in a match: before the join, and the viewers' side.

use std::fmt::Write;

use vocabulary::{RoomId, Verb, Wall, Word};

use super::*;

const WORDS: [&str; 6] = ["raid", "lobby_touch", "initial_state", "undo", "end_match", "get_match"];

fn decoded(side: MatchProtocol, own: Option<&RoomId>, text: &str) -> Result<Request, Misheard> {
    let word = |app: &str, name: &str| {
        let known = WORDS.into_iter().find(|known| app == "scores" && *known == name);
        known.map(Word::of_anyone)
    };
    let is_app = |app: &str| matches!(app, "scores" | "chat");
    side.decode(&Names { app: "scores", is_app: &is_app, own, word: &word }, text)
}

fn told(side: MatchProtocol, item: &Item<'_>) -> String {
    let mut out = Vec::new();
    assert_eq!(side.encode(None, item, &mut out), !out.is_empty());
    String::from_utf8(out).expect("text")
}

/// What a client is told of a message that was not understood.
fn refusal(side: MatchProtocol, own: Option<&RoomId>, text: &str) -> String {
    let Err(Misheard { tag, room, refusal }) = decoded(side, own, text) else { panic!("{text} is refused") };
    told(
        side,
        &Item::Refused { room: room.as_deref(), id: tag.id.as_deref(), refusal: &refusal, at: Wall(0) },
    )
}

#[test]
fn before_the_join_whatever_is_about_a_match_is_answered_with_a_request_to_join() {
    for side in [MatchProtocol::Scorers, MatchProtocol::Viewers] {
        for text in [
            r#"{"raidType":"successful","raiderId":"p1","defenderIds":["q1"]}"#,
            r#"{"type":"raid","raidType":"empty","raiderId":"p1","matchId":"m1"}"#,
            r#"{"type":"initialState","data":{}}"#,
            r#"{"type":"x"}"#,
            r#"{"teamA":{"score":9}}"#,
            "{}",
        ] {
            assert_eq!(refusal(side, None, text), r#"{"type":"requestJoin"}"#, "{text}");
        }
        let asked = decoded(side, None, r#"{"type":"join","matchId":"m1","mode":"delta"}"#);
        let Ok(Request::Room(Asked { room, verb: Verb::Join { since: None, payload }, .. })) = asked else {
            panic!("a join is understood");
        };
        assert_eq!((room.as_str(), &*payload), ("scores:m1", &br#"{"mode":"delta"}"#[..]));
        assert_eq!(decoded(side, None, r#"{"type":"ping"}"#), Ok(Request::Ping(Tag::default())));
        let without = refusal(side, None, r#"{"type":"join"}"#);
        assert!(without.starts_with(r#"{"error":"matchId is required"#), "{without}");
    }
}

#[test]
fn viewers_say_nothing_of_a_match_and_are_told_where_it_is_said() {
    let own = RoomId::new("scores", "m1");
    for text in [
        r#"{"raidType":"successful","raiderId":"p1","defenderIds":["q1"]}"#,
        r#"{"type":"endMatch","actionId":"a"}"#,
        r#"{"type":"initialState","data":{}}"#,
        r#"{"type":"get_match"}"#,
    ] {
        let told = refusal(MatchProtocol::Viewers, Some(&own), text);
        assert!(told.starts_with(&format!(r#"{{"error":"{VIEWERS_WATCH}","code":"FORBIDDEN""#)), "{told}");
    }
}

#[test]
fn of_a_match_that_does_not_exist_scorers_are_asked_for_it_and_viewers_told() {
    let about = Payload::from_static(br#"{"matchId":"m1","role":"scorer","mode":"whole","data":null}"#);
    let joined = Item::Joined {
        room: "m1",
        id: None,
        users: &[],
        count: 0,
        about: Some(&about),
        present: None,
        position: None,
        at: Wall(0),
    };
    assert_eq!(told(MatchProtocol::Scorers, &joined), r#"{"type":"requestInit","matchId":"m1"}"#);
    assert_eq!(
        told(MatchProtocol::Viewers, &joined),
        r#"{"error":"Match not initialized","code":"NOT_INITIALIZED","matchId":"m1"}"#
    );
}

/// Nothing but the words that a scorer may say becomes a command of a match, whatever else stands in a message.
#[test]
fn hostile_messages_never_touch_a_match() {
    let own = RoomId::new("scores", "m1");
    let deep =
        |depth: usize| format!(r#"{{"type":"raid","raiderId":{}{}}}"#, "[".repeat(depth), "]".repeat(depth));
    let mut many = String::from(r#"{"type":"raid""#);
    for number in 0..3000 {
        write!(many, r#","f{number}":0"#).expect("into a text");
    }
    many.push('}');
    let both = "{\"type\":\"raid\",\"data\":{\"raidType\":\"empty\"},\"raidType\":\"successful\"}";
    for (text, is) in [
        (deep(100), None),
        (deep(60), Some("raid")),
        (r#"{"type":"raid","raidNumber":1e999}"#.into(), None),
        (r#"{"type":"raid","raidNumber":123456789012345678901234567890}"#.into(), Some("raid")),
        (r#"{"type":["raid"],"raidType":"empty"}"#.into(), None),
        (r#"{"type":{"raid":1}}"#.into(), None),
        (r#"{"type":""}"#.into(), None),
        (r#"{"type":null,"raidType":"empty"}"#.into(), Some("raid")),
        (r#"{"type":null}"#.into(), None),
        (r#"{"raidType":null}"#.into(), Some("raid")),
        (r#"{"type":"ping","raidType":"empty"}"#.into(), None),
        (r#"{"type":"ping","actionId":{}}"#.into(), None),
        (r#"{"type":"Raid"}"#.into(), None),
        (r#"{"type":"RAID"}"#.into(), None),
        (r#"{"type":"delete"}"#.into(), None),
        (r#"{"type":"raid","data":"raid"}"#.into(), None),
        (r#"{"type":"raid","data":null}"#.into(), Some("raid")),
        (r#"{"type":"raid","matchId":["m1"]}"#.into(), None),
        (both.into(), None),
        (r#"["raid"]"#.into(), None),
        (r#"{"type":"raid","a":1,"\u0061":2}"#.into(), None),
        (many, Some("raid")),
        (String::new(), None),
        ("\u{0}".into(), None),
    ] {
        let kind = match decoded(MatchProtocol::Scorers, Some(&own), &text) {
            Ok(Request::Room(Asked { verb: Verb::Act { kind, payload, .. }, .. })) => {
                assert!(reading::is_readable(std::str::from_utf8(&payload).expect("text")), "{text}");
                Some(kind.into_owned())
            }
            Ok(Request::Ping(_)) => None,
            Ok(other) => panic!("{text}: {other:?}"),
            Err(misheard) => {
                assert!(misheard.refusal.text.len() < 512, "{}", misheard.refusal.text);
                None
            }
        };
        assert_eq!(kind.as_deref(), is, "{}", &text[..text.len().min(80)]);
    }
}

#[test]
fn a_message_of_several_lines_is_passed_on_in_one() {
    let own = RoomId::new("scores", "m1");
    let text = "{\n \"raidType\": \"empty\",\r\n \"defenderIds\": [\n\n],\n\"raiderId\": \"p\\n1\"}";
    let asked = decoded(MatchProtocol::Scorers, Some(&own), text);
    let Ok(Request::Room(Asked { verb: Verb::Act { payload, .. }, .. })) = asked else { panic!("a raid") };
    let payload = std::str::from_utf8(&payload).expect("text");
    assert_eq!(payload, r#"{"defenderIds":[  ],"raidType":"empty","raiderId":"p\n1"}"#);
}

//! What is said in this match and what of it is heard: raids that go on for ever, and of a long text the one number that counts.

use serde_json::json;

/// What a viewer is told.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Told {
    /// A state, with so many actions in it.
    State(u64),
    /// The action of this number.
    Action(u64),
    Other,
}

/// The create, the line-ups and the toss.
pub(super) fn opening(room: &str) -> Vec<String> {
    let squad = |letter: char| -> Vec<_> {
        (1..=12).map(|number| json!({"id": format!("{letter}{number}"), "name": format!("{} {number}", letter.to_ascii_uppercase()), "number": number})).collect()
    };
    let seven = |letter: char| (1..=7).map(|number| format!("{letter}{number}")).collect::<Vec<_>>();
    let say =
        |kind: &str, payload| json!({"type": kind, "room": room, "id": kind, "payload": payload}).to_string();
    vec![
        say(
            "create",
            json!({"title": "Final", "teamA": {"name": "Lions", "players": squad('p')}, "teamB": {"name": "Tigers", "players": squad('q')}}),
        ),
        say("line_up", json!({"team": "A", "playerIds": seven('p')}))
            .replace(r#""id":"line_up""#, r#""id":"line_up_a""#),
        say("line_up", json!({"team": "B", "playerIds": seven('q')}))
            .replace(r#""id":"line_up""#, r#""id":"line_up_b""#),
        say("toss", json!({"winner": "A", "decision": "raid"})),
    ]
}

/// Three actions come before the first raid. Each raid touches one, who is back with the next; so the match goes on like this for as long as anybody wants.
pub(super) fn raid(room: &str, actions: u64) -> String {
    let (raider, touched) = if actions % 2 == 1 { ("p2", "q1") } else { ("q2", "p1") };
    json!({"type": "raid", "room": room, "id": format!("r{actions}"), "payload": {"raiderId": raider, "touchedIds": [touched], "bonus": actions.is_multiple_of(5)}}).to_string()
}

pub(super) fn told(text: &[u8]) -> Told {
    if starts_with_type(text, b"match_action") {
        return number_after(text, br#""number":"#).map_or(Told::Other, Told::Action);
    }
    let is_state = [&b"enhancedStats"[..], b"initialState", b"room_info"]
        .iter()
        .any(|kind| starts_with_type(text, kind));
    match is_state {
        true => number_after(text, br#""actions":"#).map_or(Told::Other, Told::State),
        false => Told::Other,
    }
}

pub(super) fn is_refusal(text: &[u8]) -> bool {
    text.starts_with(br#"{"error""#) || starts_with_type(text, b"error")
}

/// Of an acknowledgement: the number of the action.
pub(super) fn acked(text: &[u8]) -> Option<u64> {
    starts_with_type(text, b"ack").then(|| number_after(text, br#""number":"#).unwrap_or(0))
}

fn starts_with_type(text: &[u8], kind: &[u8]) -> bool {
    text.strip_prefix(br#"{"type":""#)
        .and_then(|rest| rest.strip_prefix(kind))
        .is_some_and(|rest| rest.starts_with(b"\""))
}

fn number_after(text: &[u8], key: &[u8]) -> Option<u64> {
    let at = text.windows(key.len()).position(|part| part == key)? + key.len();
    let digits = text[at..].iter().take_while(|byte| byte.is_ascii_digit());
    digits.fold(None, |number: Option<u64>, digit| Some(number.unwrap_or(0) * 10 + u64::from(digit - b'0')))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_a_long_text_the_number_is_found() {
        let rows: [(&str, Told); 6] = [
            (
                r#"{"type":"match_action","data":{"action":{"type":"raid"},"line":{"number":7},"now":{"raidNumber":4},"number":7}}"#,
                Told::Action(7),
            ),
            (r#"{"type":"enhancedStats","data":{"actions":12,"raidNumber":9}}"#, Told::State(12)),
            (r#"{"type":"initialState","data":{"actions":3}}"#, Told::State(3)),
            (r#"{"type":"room_info","payload":{"about":{"data":{"actions":5}}}}"#, Told::State(5)),
            (r#"{"type":"match_actions","data":{"number":1}}"#, Told::Other),
            (r#"{"type":"pong"}"#, Told::Other),
        ];
        for (text, expected) in rows {
            assert_eq!(told(text.as_bytes()), expected, "{text}");
        }
    }
}

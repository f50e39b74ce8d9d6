//! Who sits at a match: a scorer's console or a screen, and what they say.

use serde_json::{Value, json};

use crate::support::{Client, Heard, Server};

/// One connection, and all that it says of frames.
pub(crate) struct Seat(pub(crate) Client);

impl Seat {
    pub(crate) fn open(address: &str, target: &str) -> Seat {
        Seat(Client::open_at(address, target, &[], &[]).expect("let in"))
    }

    /// Without a token.
    pub(crate) fn viewer(address: &str) -> Seat {
        Seat::open(address, "/ws/viewer")
    }

    pub(crate) fn scorer(server: &Server, user: &str) -> Seat {
        Seat::open(&server.address, &console(server, user))
    }

    /// In a match that has begun, which this scorer has begun if nobody had.
    pub(crate) fn begun(server: &Server, user: &str, name: &str) -> Seat {
        let mut seat = Seat::scorer(server, user);
        seat.begin(name);
        seat
    }

    /// Joins, and begins the match if nobody had; the state.
    pub(crate) fn begin(&mut self, name: &str) -> Value {
        self.say(&json!({"type": "join", "matchId": name}).to_string());
        if self.until(|frame| frame["type"] == "requestInit" || frame.get("data").is_some())["type"]
            == "requestInit"
        {
            self.say(&initial_state().to_string());
        } else {
            self.say(r#"{"type":"get_match"}"#);
        }
        self.until(|frame| frame["data"]["phase"].as_str().is_some_and(|phase| phase != "setup"))["data"]
            .clone()
    }

    pub(crate) fn say(&mut self, text: &str) {
        self.0.say(text);
    }

    pub(crate) fn hear(&mut self) -> Value {
        match self.0.hear() {
            Heard::Text(text) => serde_json::from_str(&text).expect("JSON"),
            other => panic!("heard {other:?}"),
        }
    }

    /// The first frame that is so; others may come before it.
    pub(crate) fn until(&mut self, wanted: impl Fn(&Value) -> bool) -> Value {
        loop {
            let frame = self.hear();
            if wanted(&frame) {
                return frame;
            }
        }
    }
}

/// Where a scorer of the demo connects.
pub(crate) fn console(server: &Server, user: &str) -> String {
    format!("/ws/scorer?token={}", server.token_with(&["--user", user, "--role", "scorer"]))
}

/// As a scorer's page begins a match.
pub(crate) fn initial_state() -> Value {
    let ids = |letter: &str| (1..=7).map(|number| format!("{letter}{number}")).collect::<Vec<_>>();
    let (ours, theirs) = (ids("p"), ids("q"));
    let stats = ours.iter().chain(&theirs).map(|id| {
        let name = if id == "p1" { "Asha" } else { id };
        let player = json!({"id": id, "name": name, "status": "in", "raidPoints": 0, "defencePoints": 0,
            "totalPoints": 0, "superRaids": 0, "superTackles": 0, "totalRaids": 0, "successfulRaids": 0,
            "totalTackles": 0, "successfulTackles": 0, "isCaptain": id.ends_with('1')});
        (id.clone(), player)
    });
    let stats: serde_json::Map<String, Value> = stats.collect();
    json!({"type": "initialState", "data": {"teamA": {"name": "A", "score": 0}, "teamB": {"name": "B", "score": 0},
        "teamAPlayerIds": ours, "teamBPlayerIds": theirs, "teamACaptainId": "p1", "teamAViceCaptainId": "p2",
        "teamBCaptainId": "q1", "teamBViceCaptainId": "q2", "playerStats": stats, "raidNumber": 1,
        "emptyRaidCounts": {"teamA": 0, "teamB": 0}, "tossWinner": "teamA", "tossDecision": "raid",
        "firstRaidingTeam": "teamA"}})
}

pub(crate) fn raid(raid: &Value) -> String {
    raid.to_string()
}

/// A raid of this number that puts nobody out: a point for the team whose turn it is, as often as one likes.
pub(crate) fn bonus(number: u64) -> String {
    raid(&bonus_by(number))
}

pub(crate) fn bonus_by(number: u64) -> Value {
    let raider = if number % 2 == 1 { "p1" } else { "q1" };
    json!({"raidType": "successful", "raiderId": raider, "defenderIds": [], "bonusTaken": true})
}

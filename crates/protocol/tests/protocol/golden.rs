//! What is said and what is heard, as files that any client can be tested with. `KULKUL_BLESS=1` writes the expected
//! side anew; the diff is then for a person to read.

mod told;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::{Arc, LazyLock};

use protocol::{HubProtocol, LivechatProtocol, MatchProtocol, Names, Protocol, RideProtocol, RoomsProtocol};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use vocabulary as v;

use told::{Position, Told, encoded, leaked, raw};

/// The protocols that have golden files, each in a folder of its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Tongue {
    Rooms,
    Hub,
    Livechat,
    /// Of a scorer, who is in a match.
    Match,
    /// Of a driver.
    Ride,
}

impl Tongue {
    pub(crate) const ALL: [Tongue; 5] =
        [Tongue::Rooms, Tongue::Hub, Tongue::Livechat, Tongue::Match, Tongue::Ride];

    pub(crate) fn protocol(self) -> &'static dyn Protocol {
        match self {
            Tongue::Rooms => &RoomsProtocol,
            Tongue::Hub => &HubProtocol,
            Tongue::Livechat => &LivechatProtocol,
            Tongue::Match => &MatchProtocol::Scorers,
            Tongue::Ride => &RideProtocol,
        }
    }

    fn folder(self) -> &'static str {
        match self {
            Tongue::Rooms => "rooms",
            Tongue::Hub => "hub",
            Tongue::Livechat => "livechat",
            Tongue::Match => "match",
            Tongue::Ride => "ride",
        }
    }
}

/// A client's frame, and what it is understood as.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ClientCase {
    says: String,
    pub text: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub asked: Option<Asked>,
    /// The joins in it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub resumes: Vec<Asked>,
    /// The token in it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub identify: Option<Identify>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ping: Option<Ping>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refused: Option<Refused>,
}

/// What a client is told, and the frame that tells it.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ServerCase {
    says: String,
    /// Whose connection it is for, where the protocol says that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    reader: Option<String>,
    item: Told,
    #[serde(default)]
    pub text: String,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Identify {
    id: Option<String>,
    token: String,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Ping {
    id: Option<String>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Asked {
    room: String,
    full_name: bool,
    id: Option<String>,
    verb: Verb,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
enum Verb {
    Join {
        since: Option<Position>,
        payload: Box<RawValue>,
    },
    Leave,
    Act {
        kind: String,
        payload: Option<Box<RawValue>>,
    },
    /// A request that needs no membership.
    ActFromOutside {
        kind: String,
        payload: Option<Box<RawValue>>,
    },
    History {
        limit: u32,
        from: From,
    },
    Members,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum From {
    Latest,
    Before(Position),
    After(Position),
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Refused {
    pub code: String,
    message: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    id: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    room: Option<String>,
}

/// Every code there is. A new one does not compile until it is here, and then it wants a golden file and a line on the
/// page.
pub(crate) fn codes() -> Vec<(&'static str, v::Code)> {
    use v::Code::*;
    let word = |code| match code {
        InvalidFormat => "INVALID_FORMAT",
        UnknownType => "UNKNOWN_TYPE",
        MissingRoom => "MISSING_ROOM",
        NotInRoom => "NOT_IN_ROOM",
        InvalidPayload => "INVALID_PAYLOAD",
        TooManyRooms => "TOO_MANY_ROOMS",
        RateLimit => "RATE_LIMIT",
        Busy => "BUSY",
        Unconfirmed => "UNCONFIRMED",
        Forbidden => "FORBIDDEN",
        Unauthorized => "UNAUTHORIZED",
        Internal => "INTERNAL_ERROR",
        App(code) => code,
    };
    let all = [
        InvalidFormat,
        UnknownType,
        MissingRoom,
        NotInRoom,
        InvalidPayload,
        TooManyRooms,
        RateLimit,
        Busy,
        Unconfirmed,
        Forbidden,
        Unauthorized,
        Internal,
    ];
    all.into_iter().map(|code| (word(code), code)).collect()
}

/// By app and name, who may say them.
pub(crate) fn words() -> BTreeMap<String, BTreeMap<String, String>> {
    serde_json::from_str(include_str!("../golden/rooms/words.json")).expect("words.json reads")
}

/// The requests that apps know, as `rooms/words.json` names them: the same file that the server's own tests hold against its apps.
fn word(app: &str, name: &str) -> Option<v::Word> {
    let words = words();
    let name = words.get(app)?.get_key_value(name)?;
    let word = match name.1.as_str() {
        "member" => v::Word::of_members,
        "anyone" => v::Word::of_anyone,
        other => panic!("words.json: {other} is no standing"),
    };
    Some(word(leaked(name.0)))
}

/// The mount of all golden files: short names belong to `chat`, unless a protocol is one app's, and `match` and `user` are apps too.
pub(crate) fn names(tongue: Tongue) -> Names<'static> {
    static SESSION: LazyLock<v::RoomId> =
        LazyLock::new(|| v::RoomId::new("support", "550e8400-e29b-41d4-a716-446655440000"));
    static MATCH: LazyLock<v::RoomId> = LazyLock::new(|| v::RoomId::new("scores", "m-abc123"));
    static DRIVER: LazyLock<v::RoomId> = LazyLock::new(|| v::RoomId::new("rides", "driver:7"));
    let (app, own) = match tongue {
        Tongue::Livechat => ("support", Some(&*SESSION)),
        Tongue::Match => ("scores", Some(&*MATCH)),
        Tongue::Ride => ("rides", Some(&*DRIVER)),
        Tongue::Rooms | Tongue::Hub => ("chat", None),
    };
    let is_app = &|name: &str| matches!(name, "chat" | "match" | "rides" | "scores" | "support" | "user");
    Names { app, is_app, own, word: &word }
}

fn understood(asked: v::Asked) -> Asked {
    let verb = match asked.verb {
        v::Verb::Join { since, payload } => {
            Verb::Join { since: since.map(Position::of), payload: raw(&payload) }
        }
        v::Verb::Leave => Verb::Leave,
        v::Verb::Act { kind, payload, standing } => {
            let (kind, payload) = (kind.to_string(), (!payload.is_empty()).then(|| raw(&payload)));
            match standing {
                v::Standing::Member => Verb::Act { kind, payload },
                v::Standing::Anyone => Verb::ActFromOutside { kind, payload },
            }
        }
        v::Verb::History { limit, from } => {
            let from = match from {
                v::HistoryFrom::Latest => From::Latest,
                v::HistoryFrom::Before(position) => From::Before(Position::of(position)),
                v::HistoryFrom::After(position) => From::After(Position::of(position)),
            };
            Verb::History { limit, from }
        }
        v::Verb::Members => Verb::Members,
    };
    let id = asked.tag.id.as_deref().map(str::to_owned);
    Asked { room: asked.room.to_string(), full_name: asked.tag.full_name, id, verb }
}

fn misunderstood(misheard: protocol::Misheard) -> Refused {
    let known = codes().into_iter().find(|(_, code)| *code == misheard.refusal.code);
    let id: Option<Arc<str>> = misheard.tag.id;
    Refused {
        code: known.expect("a code of the protocol's own").0.to_owned(),
        message: misheard.refusal.text.into_owned(),
        id: id.as_deref().map(str::to_owned),
        room: misheard.room,
    }
}

/// A golden file, with the side that follows from the other one.
trait Case: Serialize + for<'de> Deserialize<'de> {
    const FOLDER: &'static str;
    fn worked_out(self, tongue: Tongue) -> Self;
}

impl Case for ClientCase {
    const FOLDER: &'static str = "client";

    fn worked_out(mut self, tongue: Tongue) -> ClientCase {
        (self.resumes, self.ping) = (Vec::new(), None);
        let decoded = tongue.protocol().decode(&names(tongue), &self.text);
        (self.asked, self.identify, self.refused) = match decoded {
            Ok(v::Request::Room(asked)) => (Some(understood(asked)), None, None),
            Ok(v::Request::Resume(joins)) => {
                self.resumes = joins.into_iter().map(understood).collect();
                (None, None, None)
            }
            Ok(v::Request::Identify(tag, token)) => {
                let id = tag.id.as_deref().map(str::to_owned);
                (None, Some(Identify { id, token: token.0.into() }), None)
            }
            Ok(v::Request::Ping(tag)) => {
                self.ping = Some(Ping { id: tag.id.as_deref().map(str::to_owned) });
                (None, None, None)
            }
            Err(misheard) => (None, None, Some(misunderstood(misheard))),
        };
        self
    }
}

impl Case for ServerCase {
    const FOLDER: &'static str = "server";

    fn worked_out(mut self, tongue: Tongue) -> ServerCase {
        self.text = encoded(tongue, self.reader.as_deref(), &self.item);
        self
    }
}

fn files(tongue: Tongue, name: &str) -> Vec<PathBuf> {
    let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden");
    let entries =
        std::fs::read_dir(golden.join(tongue.folder()).join(name)).expect("the golden files are there");
    let mut files: Vec<_> = entries.map(|entry| entry.expect("readable").path()).collect();
    files.sort();
    assert!(!files.is_empty(), "no golden files in {name}");
    files
}

fn read<C: Case>(path: &Path) -> (String, C) {
    let text = std::fs::read_to_string(path).expect("readable");
    let case = serde_json::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    (text, case)
}

pub(crate) fn is_blessing() -> bool {
    std::env::var_os("KULKUL_BLESS").is_some_and(|value| value == "1")
}

/// Works each file out again and compares the whole text, so that a file cannot hold anything that is not tested.
fn check<C: Case>() {
    let mut stale = Vec::new();
    let all = Tongue::ALL.map(|tongue| files(tongue, C::FOLDER).into_iter().map(move |path| (tongue, path)));
    for (tongue, path) in all.into_iter().flatten() {
        let (text, case) = read::<C>(&path);
        let mut fresh = serde_json::to_string_pretty(&case.worked_out(tongue)).expect("writable");
        fresh.push('\n');
        if fresh == text {
            continue;
        }
        if is_blessing() {
            std::fs::write(&path, fresh).expect("writable");
        } else {
            stale.push(format!("{}\n  is\n{text}  should be\n{fresh}", path.display()));
        }
    }
    assert!(stale.is_empty(), "{}\nKULKUL_BLESS=1 writes them anew", stale.join("\n"));
}

#[test]
fn what_clients_say_is_understood_as_the_golden_files_say() {
    check::<ClientCase>();
}

#[test]
fn what_clients_are_told_reads_as_the_golden_files_say() {
    check::<ServerCase>();
}

pub(crate) fn client_cases(tongue: Tongue) -> Vec<ClientCase> {
    files(tongue, "client").iter().map(|path| read(path).1).collect()
}

pub(crate) fn server_cases(tongue: Tongue) -> Vec<ServerCase> {
    files(tongue, "server").iter().map(|path| read(path).1).collect()
}

/// The `type` of a frame, if it is an object that has one.
pub(crate) fn kind(text: &str) -> Option<String> {
    let frame: serde_json::Value = serde_json::from_str(text).ok()?;
    Some(frame.get("type")?.as_str()?.to_owned())
}

#[test]
fn every_code_is_told_in_some_golden_file() {
    let told: BTreeSet<String> = server_cases(Tongue::Rooms)
        .iter()
        .filter_map(|case| {
            let frame: serde_json::Value = serde_json::from_str(&case.text).ok()?;
            Some(frame["payload"]["code"].as_str()?.to_owned())
        })
        .collect();
    for (word, _) in codes() {
        assert!(told.contains(word), "{word} is told in no file of golden/rooms/server");
    }
}

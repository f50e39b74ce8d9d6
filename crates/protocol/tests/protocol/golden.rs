//! What is said and what is heard, as files that any client can be tested with. `KULKUL_BLESS=1` writes the expected
//! side anew; the diff is then for a person to read.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use protocol::{HubProtocol, Item, Names, Protocol, RoomsProtocol};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use vocabulary as v;

/// The protocols that have golden files, each in a folder of its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Tongue {
    Rooms,
    Hub,
}

impl Tongue {
    pub(crate) const ALL: [Tongue; 2] = [Tongue::Rooms, Tongue::Hub];

    pub(crate) fn protocol(self) -> &'static dyn Protocol {
        match self {
            Tongue::Rooms => &RoomsProtocol,
            Tongue::Hub => &HubProtocol,
        }
    }

    fn folder(self) -> &'static str {
        match self {
            Tongue::Rooms => "rooms",
            Tongue::Hub => "hub",
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

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Position {
    epoch: String,
    offset: u64,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Person {
    id: String,
    name: String,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Shown {
    kind: String,
    payload: Box<RawValue>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    sender: Option<Person>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    position: Position,
    at: i64,
    shown: Shown,
}

/// `protocol::Item`, owned and readable.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
enum Told {
    Record {
        room: String,
        shown: Shown,
        position: Position,
        at: i64,
    },
    Soft {
        room: String,
        shown: Shown,
        at: i64,
    },
    Announced {
        payload: Box<RawValue>,
        position: Position,
        at: i64,
    },
    Ack {
        room: String,
        id: Option<String>,
        position: Position,
        at: i64,
        reply: Option<Box<RawValue>>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        shown: Option<Shown>,
    },
    Left {
        room: String,
        id: Option<String>,
        at: i64,
    },
    Opened {
        shard: u16,
        slot: u32,
        generation: u32,
        at: i64,
    },
    Pong {
        id: Option<String>,
        at: i64,
    },
    Online {
        person: Person,
        at: i64,
    },
    Offline {
        person: Person,
        at: i64,
    },
    Done {
        room: String,
        id: Option<String>,
        at: i64,
        reply: Option<Box<RawValue>>,
    },
    Refused {
        room: Option<String>,
        id: Option<String>,
        refusal: Refusal,
        at: i64,
    },
    Joined {
        room: String,
        id: Option<String>,
        users: Vec<Person>,
        count: u32,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        about: Option<Box<RawValue>>,
        position: Option<Position>,
        at: i64,
    },
    Resumed {
        room: String,
        upto: Position,
        at: i64,
    },
    Gap {
        room: String,
        view: Box<RawValue>,
        upto: Position,
        at: i64,
    },
    Reset {
        room: String,
        view: Box<RawValue>,
        upto: Position,
        at: i64,
    },
    Came {
        room: String,
        person: Person,
        at: i64,
    },
    Went {
        room: String,
        person: Person,
        at: i64,
    },
    Members {
        room: String,
        id: Option<String>,
        users: Vec<Person>,
        count: u32,
        at: i64,
    },
    History {
        room: String,
        id: Option<String>,
        entries: Vec<Entry>,
        upto: Position,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        next: Option<Position>,
        at: i64,
    },
    Known {
        id: Option<String>,
        person: Person,
        expires: i64,
        at: i64,
    },
    Expiring {
        expires: i64,
        at: i64,
    },
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Refusal {
    code: String,
    message: Option<String>,
    retry_after_ms: Option<u32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    reference: Option<Reference>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Reference {
    node: u64,
    shard: u16,
    number: u64,
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

fn code(word: &str) -> v::Code {
    let known = codes().into_iter().find(|(known, _)| *known == word);
    known.map_or_else(|| v::Code::App(leaked(word)), |(_, code)| code)
}

/// Kinds and codes are static in the code; those of a test live as long as the test.
fn leaked(text: &str) -> &'static str {
    Box::leak(text.to_owned().into_boxed_str())
}

fn payload(raw: &RawValue) -> v::Payload {
    v::Payload::copy_from_slice(raw.get().as_bytes())
}

fn raw(payload: &v::Payload) -> Box<RawValue> {
    serde_json::from_slice(payload).expect("a payload is JSON")
}

impl Position {
    fn read(&self) -> v::Position {
        v::Position { epoch: self.epoch.parse().expect("an epoch of ours"), offset: self.offset }
    }

    fn of(position: v::Position) -> Position {
        Position { epoch: position.epoch.to_string(), offset: position.offset }
    }
}

impl Person {
    fn read(&self) -> v::Person {
        v::Person { id: v::UserId::new(&self.id), name: self.name.as_str().into() }
    }
}

impl Shown {
    fn read(&self) -> v::Shown {
        v::Shown {
            kind: leaked(&self.kind),
            payload: payload(&self.payload),
            sender: self.sender.as_ref().map(Person::read),
            class: v::Class::Record,
            lasting: true,
        }
    }
}

impl Refusal {
    fn read(&self) -> v::Refusal {
        let mut refusal = match (self.code.as_str(), &self.message, self.retry_after_ms) {
            ("UNAUTHORIZED", None, _) => v::Refusal::unauthorized(),
            ("NOT_IN_ROOM", None, _) => v::Refusal::not_in_room(),
            ("UNCONFIRMED", None, _) => v::Refusal::unconfirmed(),
            ("BUSY", None, Some(millis)) => v::Refusal::busy(millis),
            ("RATE_LIMIT", None, Some(millis)) => v::Refusal::rate_limit(millis),
            (_, Some(message), _) => v::Refusal::new(code(&self.code), message.clone()),
            (code, None, _) => panic!("{code} needs a message"),
        };
        refusal.retry_after_ms = self.retry_after_ms;
        refusal.reference = self.reference.as_ref().map(|it| {
            let (node, shard, number) = (it.node, v::ShardId(it.shard), it.number);
            Box::new(v::Reference { node, shard, number })
        });
        refusal
    }
}

fn people(people: &[Person]) -> Vec<v::Person> {
    people.iter().map(Person::read).collect()
}

/// The frame that tells it.
fn encoded(tongue: Tongue, reader: Option<&str>, told: &Told) -> String {
    let reader = reader.map(v::UserId::new);
    let write = |item: Item<'_>| {
        let mut out = Vec::new();
        let said = tongue.protocol().encode(reader.as_ref(), &item, &mut out);
        assert_eq!(said, !out.is_empty(), "a protocol that has a word writes it");
        String::from_utf8(out).expect("text")
    };
    match told {
        Told::Record { room, shown, position, at } => {
            write(Item::Record { room, shown: &shown.read(), position: position.read(), at: v::Wall(*at) })
        }
        Told::Soft { room, shown, at } => write(Item::Soft { room, shown: &shown.read(), at: v::Wall(*at) }),
        Told::Announced { payload: said, position, at } => {
            let (payload, position, at) = (&payload(said), position.read(), v::Wall(*at));
            write(Item::Announced { payload, position, at })
        }
        Told::Ack { room, id, position, at, reply, shown } => {
            let (reply, shown) = (reply.as_deref().map(payload), shown.as_ref().map(Shown::read));
            let (id, position, at) = (id.as_deref(), position.read(), v::Wall(*at));
            write(Item::Ack { room, id, position, at, reply: reply.as_ref(), shown: shown.as_ref() })
        }
        Told::Left { room, id, at } => write(Item::Left { room, id: id.as_deref(), at: v::Wall(*at) }),
        Told::Opened { shard, slot, generation, at } => {
            let (shard, slot, generation) = (v::ShardId(*shard), *slot, *generation);
            write(Item::Opened { client: v::ConnectionId { shard, slot, generation }, at: v::Wall(*at) })
        }
        Told::Pong { id, at } => write(Item::Pong { id: id.as_deref(), at: v::Wall(*at) }),
        Told::Online { person, at } => write(Item::Online { person: &person.read(), at: v::Wall(*at) }),
        Told::Offline { person, at } => write(Item::Offline { person: &person.read(), at: v::Wall(*at) }),
        Told::Done { room, id, at, reply } => {
            let reply = reply.as_deref().map(payload);
            write(Item::Done { room, id: id.as_deref(), at: v::Wall(*at), reply: reply.as_ref() })
        }
        Told::Refused { room, id, refusal, at } => {
            let (room, id) = (room.as_deref(), id.as_deref());
            write(Item::Refused { room, id, refusal: &refusal.read(), at: v::Wall(*at) })
        }
        Told::Joined { room, id, users, count, about, position, at } => {
            let (id, users, at) = (id.as_deref(), &people(users), v::Wall(*at));
            write(Item::Joined {
                room,
                id,
                users,
                count: *count,
                about: about.as_deref().map(payload).as_ref(),
                position: position.as_ref().map(Position::read),
                at,
            })
        }
        Told::Resumed { room, upto, at } => {
            write(Item::Resumed { room, upto: upto.read(), at: v::Wall(*at) })
        }
        Told::Gap { room, view, upto, at } => {
            write(Item::Gap { room, view: &payload(view), upto: upto.read(), at: v::Wall(*at) })
        }
        Told::Reset { room, view, upto, at } => {
            write(Item::Reset { room, view: &payload(view), upto: upto.read(), at: v::Wall(*at) })
        }
        Told::Came { room, person, at } => {
            write(Item::Came { room, person: &person.read(), at: v::Wall(*at) })
        }
        Told::Went { room, person, at } => {
            write(Item::Went { room, person: &person.read(), at: v::Wall(*at) })
        }
        Told::Members { room, id, users, count, at } => {
            let (id, users, at) = (id.as_deref(), &people(users), v::Wall(*at));
            write(Item::Members { room, id, users, count: *count, at })
        }
        Told::History { room, id, entries, upto, next, at } => {
            let entry = |entry: &Entry| v::PageEntry {
                position: entry.position.read(),
                at: v::Wall(entry.at),
                shown: Some(entry.shown.read()),
            };
            let entries: Vec<_> = entries.iter().map(entry).collect();
            let (id, upto, at) = (id.as_deref(), upto.read(), v::Wall(*at));
            let next = next.as_ref().map(Position::read);
            write(Item::History { room, id, entries: &entries, upto, next, at })
        }
        Told::Known { id, person, expires, at } => {
            let (id, person) = (id.as_deref(), &person.read());
            write(Item::Known { id, person, expires: v::Wall(*expires), at: v::Wall(*at) })
        }
        Told::Expiring { expires, at } => {
            write(Item::Expiring { expires: v::Wall(*expires), at: v::Wall(*at) })
        }
    }
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

/// The mount of all golden files: short names belong to `chat`, and `match` and `user` are apps too.
pub(crate) fn names() -> Names<'static> {
    Names { app: "chat", is_app: &|name| matches!(name, "chat" | "match" | "user"), word: &word }
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
        let decoded = tongue.protocol().decode(&names(), &self.text);
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

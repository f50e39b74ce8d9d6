//! A room's past for an operator: a record as it stands and as somebody sees it, and the log folded once more up to a place in it.

use std::collections::BTreeSet;

use app::{Action, App, Applied, Decision, Room, UnknownFormat};
use engine::{Answer, Nodes, Question, Read};
use rooms::{Limits, Rules};
use vocabulary::{
    Asker, Audience, CallId, Caller, Class, Code, Command, Delivery, Fate, FoldEnds, FoldSeen, Now, Payload,
    Person, Position, Record, RecordSeen, Refusal, Reply, ReplyTo, Retell, Retold, RoomId, ShardId, Shown,
    Tag, Touched, UserId, tombstone,
};

use crate::desk::{Desk, ME, OTHER, room};

/// Keeps all that was said. `+bo` lets somebody in and `-bo` does not any more; `*` is shown to nobody.
struct Tally;

#[derive(Default)]
struct Said {
    lines: Vec<String>,
    members: BTreeSet<String>,
}

impl App for Tally {
    type State = Said;

    fn start(&self, _: &RoomId) -> Said {
        Said::default()
    }
    fn admit(&self, _: Now, state: &Said, caller: &Caller, _: &Payload) -> Result<Audience, Refusal> {
        match caller {
            Caller::Visitor { user } if !state.members.contains(user.person.id.as_str()) => {
                Err(Refusal::new(Code::Forbidden, "no member"))
            }
            _ => Ok(Audience::default()),
        }
    }
    fn about(&self, _: Now, state: &Said, _: &Caller, _: &Payload) -> Option<Payload> {
        Some(state.lines.join(",").into())
    }
    fn decide(&self, _: Now, _: Room<'_, Said>, _: &Caller, said: Action<'_>) -> Result<Decision, Refusal> {
        let decision = Decision::record("said", said.payload.clone());
        let text = String::from_utf8_lossy(said.payload);
        Ok(match text.strip_prefix(['+', '-']) {
            Some(user) => decision.touching(Touched::Users(vec![UserId::new(user)])),
            None => decision,
        })
    }
    fn apply(&self, state: &mut Said, record: &Record) -> Applied {
        let text = String::from_utf8_lossy(&record.body).into_owned();
        if let Some(user) = text.strip_prefix('+') {
            state.members.insert(user.to_owned());
        } else if let Some(user) = text.strip_prefix('-') {
            state.members.remove(user);
        }
        state.lines.push(text);
        Applied::Done
    }
    fn show(&self, _: &Said, record: &Record, _: Audience) -> Option<Shown> {
        let (payload, sender) = (record.body.clone(), record.author.clone());
        (*payload != *b"*").then_some(Shown {
            kind: "said",
            payload,
            sender,
            class: Class::Record,
            lasting: true,
        })
    }
    fn view(&self, state: &Said, _: Audience) -> Payload {
        state.lines.len().to_string().into()
    }
    fn save(&self, _: &Said) -> Payload {
        Payload::new()
    }
    fn load(&self, _: &RoomId, _: &Payload) -> Result<Said, UnknownFormat> {
        Ok(Said::default())
    }
}

const SCRIPT: [&str; 6] = ["one", "+bo", "two", "*", "-bo", "three"];

fn scripted() -> Desk {
    scripted_of(Nodes::One)
}

fn scripted_of(nodes: Nodes) -> Desk {
    let mut desk = Desk::serving(app::host(Tally), nodes, Limits::default(), Rules::default());
    desk.join();
    desk.carry_all();
    for text in SCRIPT {
        desk.say(text);
        desk.carry_all();
    }
    desk.told.clear();
    desk
}

/// What is told; `engine` says something else in the place of what it would.
fn told(desk: &mut Desk, asks: Retell, engine: impl Fn(u64, &mut Read)) -> Retold {
    let asker = Asker::Call(CallId { shard: ShardId(0), number: 1 });
    let reply = ReplyTo { asker, tag: Tag::default(), frees: false };
    desk.command(Command::Retell { room: room(), reply, asks });
    while let Some(read) = desk.take(|question| matches!(question, Question::Read { .. })) {
        let Question::Read { after, .. } = read else { continue };
        let mut answers = desk.engine_says(read);
        for answer in &mut answers {
            if let Answer::Read { outcome, .. } = answer {
                engine(after, outcome);
            }
        }
        desk.hear(answers);
    }
    let told = desk.told.drain(..).find_map(|delivery| match delivery {
        Delivery::Reply { reply: Reply::Retold(retold), .. } => Some(*retold),
        _ => None,
    });
    told.expect("an answer")
}

fn folded(desk: &mut Desk, upto: u64, engine: impl Fn(u64, &mut Read)) -> FoldSeen {
    match told(desk, Retell::Fold { upto }, engine) {
        Retold::Fold(seen) => seen,
        other => panic!("{other:?}"),
    }
}

fn record(desk: &mut Desk, offset: u64, user: &str, engine: impl Fn(u64, &mut Read)) -> RecordSeen {
    match told(desk, Retell::Record { offset, user: Some(UserId::new(user)) }, engine) {
        Retold::Record(seen) => seen,
        other => panic!("{other:?}"),
    }
}

fn as_it_is(_: u64, _: &mut Read) {}

#[test]
fn at_each_place_the_room_is_what_it_was_there_and_members_are_those_of_then() {
    let mut desk = scripted();
    for upto in 0..=SCRIPT.len() {
        let seen = folded(&mut desk, upto as u64, as_it_is);
        let about = seen.about.as_deref().map(String::from_utf8_lossy).unwrap_or_default().into_owned();
        assert_eq!(about, SCRIPT[..upto].join(","), "at {upto}");
        assert_eq!(seen.view.as_deref(), Some(upto.to_string().as_bytes()));
        assert_eq!((seen.upto, seen.from, seen.records, seen.ends), (upto as u64, 1, upto as u64, None));
        let bo = (2..=SCRIPT.len()).contains(&upto).then(|| (UserId::new("bo"), upto < 5));
        assert_eq!(seen.touched, Vec::from_iter(bo), "at {upto}");
        let wrote: Vec<u32> = seen.authors.iter().map(|(_, records)| *records).collect();
        assert_eq!(wrote, Vec::from_iter((upto > 0).then_some(upto as u32)));
    }
    let beyond = folded(&mut desk, 99, as_it_is);
    assert_eq!((beyond.upto, beyond.head.offset), (6, 6));
}

#[test]
fn an_engine_that_gives_little_at_once_is_asked_again() {
    let mut desk = scripted();
    let seen = folded(&mut desk, 6, |_, read| {
        if let Read::Records { records, .. } = read {
            records.truncate(2);
        }
    });
    assert_eq!((seen.records, seen.about.as_deref()), (6, Some(SCRIPT.join(",").as_bytes())));
}

#[test]
fn what_is_trimmed_erased_foreign_or_damaged_is_said() {
    let mut desk = scripted();
    let mend = |place: u64, data: fn(&Payload) -> Payload| {
        move |_: u64, read: &mut Read| {
            let Read::Records { records, .. } = read else { return };
            records.iter_mut().filter(|it| it.offset == place).for_each(|it| it.data = data(&it.data));
        }
    };
    let erased = folded(&mut desk, 3, mend(1, tombstone));
    assert_eq!((erased.erased, erased.records, erased.about.as_deref()), (1, 3, Some(&b"+bo,two"[..])));
    let foreign = folded(&mut desk, 3, mend(3, |_| Payload::from_static(&[250, 1, 2])));
    assert_eq!((foreign.unknown, foreign.upto), (1, 3));
    assert_eq!(record(&mut desk, 1, "bo", mend(1, tombstone)).fate, Fate::Erased);
    assert_eq!(
        record(&mut desk, 1, "bo", mend(1, |_| Payload::from_static(&[250, 1, 2]))).fate,
        Fate::Foreign
    );
    let trimmed = folded(&mut desk, 6, |after, read| {
        if after < 3 {
            *read = Read::Behind(3);
        }
    });
    assert_eq!((trimmed.from, trimmed.records, trimmed.upto), (4, 3, 6), "from the oldest that is kept");
    assert_eq!(trimmed.about.as_deref(), Some(&b"*,-bo,three"[..]));
    assert_eq!(record(&mut desk, 2, "bo", as_it_is).fate, Fate::Trimmed, "that is known by now");
    let mut desk = scripted();
    assert_eq!(record(&mut desk, 2, "bo", |_, read| *read = Read::Damaged).fate, Fate::Damaged);
    let mut desk = scripted();
    let lost = folded(&mut desk, 6, |after, read| {
        let Read::Records { records, .. } = read else { return };
        if after == 0 { records.truncate(2) } else { *read = Read::Lost }
    });
    assert_eq!((lost.upto, lost.ends), (2, Some(FoldEnds::Unread)));
}

#[test]
fn a_record_is_told_with_who_wrote_it_and_whether_somebody_would_see_it() {
    let mut desk = scripted();
    let seen = record(&mut desk, 3, "ana", as_it_is);
    let Fate::Kept { kind, author, bytes, touches, .. } = seen.fate else { panic!("{seen:?}") };
    assert_eq!(
        (kind.as_str(), author.map(|it| it.id), bytes, touches),
        ("said", Some(UserId::new("ana")), 3, false)
    );
    let ana = seen.beholder.expect("she was asked about");
    assert_eq!((ana.seats, ana.may, ana.shown), (1, Ok(()), Some(true)));
    assert_eq!(record(&mut desk, 4, "ana", as_it_is).beholder.expect("she is").shown, Some(false));
    let bo = record(&mut desk, 3, "bo", as_it_is).beholder.expect("he is");
    assert_eq!((bo.seats, bo.may, bo.shown), (0, Err("no member".to_owned()), None));
    let ahead = record(&mut desk, 7, "ana", as_it_is);
    assert_eq!((ahead.fate, ahead.head), (Fate::Ahead, Position { offset: 6, ..ahead.head }));
}

#[test]
fn a_stretch_of_the_log_is_told_as_it_is_stored() {
    let mut desk = scripted();
    let mut lines = |before, limit| match told(&mut desk, Retell::Records { before, limit }, |_, read| {
        // As much as this engine gives at once.
        if let Read::Records { records, .. } = read {
            records.truncate(2);
        }
    }) {
        Retold::Records(seen) => {
            let text = |body: &Payload| String::from_utf8_lossy(body).into_owned();
            seen.records.iter().map(|it| it.body.as_ref().map(text).unwrap_or_default()).collect::<Vec<_>>()
        }
        other => panic!("{other:?}"),
    };
    assert_eq!(lines(u64::MAX, 3), SCRIPT[3..]);
    assert_eq!(lines(u64::MAX, 100), SCRIPT);
    assert_eq!(lines(4, 2), SCRIPT[1..3]);
    assert_eq!(lines(1, 2), [""; 0]);
}

#[test]
fn which_other_node_says_that_somebody_is_there_is_told() {
    let mut desk = scripted_of(Nodes::Many);
    let person = Person { id: UserId::new("bo"), name: "Bo".into() };
    let news = desk.engine_tells(ME, OTHER, Question::Present { room: room(), person, count: 1 });
    desk.hear(news);
    assert_eq!(record(&mut desk, 3, "bo", as_it_is).beholder.expect("he is").nodes, [OTHER.node]);
    assert_eq!(record(&mut desk, 3, "ana", as_it_is).beholder.expect("she is").nodes, [0; 0]);
}

#[test]
fn a_past_of_more_records_than_are_folded_for_one_question_is_not_begun() {
    let mut desk = scripted();
    for more in SCRIPT.len()..20_001 {
        desk.say(&more.to_string());
        desk.carry_all();
        desk.told.clear();
    }
    let seen = folded(&mut desk, u64::MAX, as_it_is);
    assert_eq!((seen.head.offset, seen.records, seen.ends), (20_001, 0, Some(FoldEnds::TooMany(20_001))));
    assert_eq!(folded(&mut desk, 20_000, as_it_is).records, 20_000);
}

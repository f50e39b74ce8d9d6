//! Erasing: what an app says is to be erased goes from the engine, from the ring and from the snapshot, once, whatever comes
//! between.

use std::collections::BTreeSet;
use std::time::Duration;

use app::{Action, App, Applied, Decision, Duties, Duty, Needs, Room, Sweep, UnknownFormat};
use engine::{Answer, Asked, Erased, Followed, Loaded, Nodes, Question, Read};
use rooms::{Limits, Rules};
use vocabulary::{
    Audience, Caller, Class, Delivery, Now, Payload, Position, Record, Refusal, Reply, RoomId, Seen, Shown,
    is_tombstone,
};

use crate::desk::{Desk, OTHER, room};

/// What is said is recorded; `forget` erases all that was said with the letter behind it, up to there.
pub(crate) struct Forgetful;

#[derive(Default)]
pub(crate) struct State {
    /// Erasures: of which letter, up to where. Those that are not at their end.
    forgotten: Vec<(u8, Position)>,
    open: BTreeSet<Position>,
    /// So that a snapshot from before holds it.
    last: Payload,
    /// However much of it is erased.
    said: usize,
}

impl State {
    fn is_forgotten(&self, body: &[u8], at: Position) -> bool {
        self.forgotten.iter().any(|(letter, upto)| body.first() == Some(letter) && at < *upto)
    }
}

impl App for Forgetful {
    type State = State;

    fn needs(&self) -> Needs {
        Needs { duties: Duties::Sometimes, ..Needs::default() }
    }
    fn start(&self, _: &RoomId) -> State {
        State::default()
    }
    fn admit(&self, _: Now, _: &State, _: &Caller, _: &Payload) -> Result<Audience, Refusal> {
        Ok(Audience::default())
    }
    /// All that it is.
    fn about(&self, _: Now, state: &State, _: &Caller, _: &Payload) -> Option<Payload> {
        Some(self.save(state))
    }
    fn decide(&self, _: Now, _: Room<'_, State>, by: &Caller, said: Action<'_>) -> Result<Decision, Refusal> {
        if let Caller::Duty { payload, .. } = by {
            return Ok(Decision::record("swept", payload.clone()));
        }
        let kind = if said.payload.starts_with(b"forget ") { "forgot" } else { "said" };
        Ok(Decision { wakes: kind == "forgot", ..Decision::record(kind, said.payload.clone()) })
    }
    fn apply(&self, state: &mut State, record: &Record) -> Applied {
        match &*record.kind {
            "said" => (state.said, state.last) = (state.said + 1, record.body.clone()),
            "forgot" => {
                state.forgotten.push((record.body[7], record.position));
                state.open.insert(record.position);
                state.last.clear();
            }
            _ => state.open.retain(|at| at.to_string().as_bytes() != record.body),
        }
        Applied::Done
    }
    fn show(&self, state: &State, record: &Record, _: Audience) -> Option<Shown> {
        let payload = record.body.clone();
        let is_shown = record.kind == "said" && !state.is_forgotten(&payload, record.position);
        is_shown.then_some(Shown { kind: "said", payload, sender: None, class: Class::Record, lasting: true })
    }
    fn view(&self, _: &State, _: Audience) -> Payload {
        Payload::new()
    }
    fn sweeps(&self, state: &State) -> Option<Sweep> {
        let upto = *state.open.first()?;
        let payload = Payload::from(upto.to_string());
        Some(Sweep { upto, then: Duty { name: "swept".into(), payload } })
    }
    fn is_erased(&self, state: &State, record: &Record) -> bool {
        record.kind == "said" && state.is_forgotten(&record.body, record.position)
    }
    fn save(&self, state: &State) -> Payload {
        let position = |at: &Position| at.to_string();
        let forgotten = state.forgotten.iter().map(|(letter, at)| format!("{} {at}", *letter as char));
        let open: Vec<String> = state.open.iter().map(position).collect();
        let forgotten: Vec<String> = forgotten.collect();
        let last = String::from_utf8_lossy(&state.last);
        Payload::from(format!("{}|{}|{}|{last}", forgotten.join(","), open.join(","), state.said))
    }
    fn load(&self, _: &RoomId, saved: &Payload) -> Result<State, UnknownFormat> {
        let text = String::from_utf8_lossy(saved).into_owned();
        let mut parts = text.splitn(4, '|');
        let mut list =
            || parts.next().unwrap_or_default().split(',').filter(|it| !it.is_empty()).map(str::to_owned);
        let forgotten: Vec<String> = list().collect();
        let open = list().filter_map(|at| at.parse().ok()).collect();
        let one = |it: &String| Some((it.as_bytes()[0], it[2..].parse().ok()?));
        let forgotten = forgotten.iter().filter_map(one).collect();
        let said = parts
            .next()
            .and_then(|said| said.parse().ok())
            .ok_or_else(|| UnknownFormat("said".to_owned()))?;
        Ok(State { forgotten, open, last: Payload::from(parts.next().unwrap_or_default().to_owned()), said })
    }
}

pub(crate) fn limits() -> Limits {
    Limits { ring_records_max: 8, lease: Duration::from_secs(100_000), ..Limits::default() }
}

pub(crate) fn opened() -> Desk {
    Desk::serving(app::host(Forgetful), Nodes::Many, limits(), Rules::default())
}

pub(crate) fn becomes_steward(desk: &mut Desk) {
    desk.rooms.answered(desk.now, Answer::Attending { slices: vec![room().slice()], due: Vec::new() });
    desk.collect();
}

pub(crate) fn say_all(desk: &mut Desk, said: impl IntoIterator<Item = String>) {
    for id in said {
        desk.say(&id);
        desk.carry_all();
    }
}

/// Some hundred records by two, told apart by their first letter.
pub(crate) fn talk(records: usize) -> impl Iterator<Item = String> {
    (0..records).map(|number| format!("{}{number}", if number % 3 == 0 { 'a' } else { 'b' }))
}

/// At the steward's, with somebody in it.
pub(crate) fn desk() -> Desk {
    let mut desk = opened();
    desk.join();
    desk.carry_all();
    becomes_steward(&mut desk);
    desk
}

pub(crate) fn loaded(desk: &mut Desk) -> Loaded {
    let question = Question::Follow { room: room(), seen: None, ticket: 77 };
    desk.engine.handle(desk.now, Asked { by: OTHER, question });
    let mut found = None;
    while let Some((to, answer)) = desk.engine.next_answer() {
        if let (true, Answer::Followed { outcome: Followed::Loaded(loaded), .. }) = (to == OTHER, answer) {
            found = Some(loaded);
        }
    }
    found.expect("it is there")
}

/// The whole log: a text, or nothing.
pub(crate) fn log(desk: &mut Desk) -> Vec<Option<String>> {
    let epoch = loaded(desk).head.epoch;
    let mut log = Vec::new();
    loop {
        let after = log.len() as u64;
        let question = Question::Read { room: room(), epoch, after, limit: 500, ticket: 5 };
        match desk.engine_says_to(OTHER, question).pop() {
            Some(Answer::Read { outcome: Read::Records { records, .. }, .. }) if !records.is_empty() => {
                let text = |data: &[u8]| String::from_utf8_lossy(&data[11..]).into_owned();
                log.extend(records.iter().map(|it| (!is_tombstone(&it.data)).then(|| text(&it.data))));
            }
            _ => return log,
        }
    }
}

/// Records with such a text in them.
pub(crate) fn with(log: &[Option<String>], text: &str) -> usize {
    log.iter().flatten().filter(|it| it.contains(text)).count()
}

/// Until nothing more is done.
pub(crate) fn go_on(desk: &mut Desk) -> usize {
    let mut asked = 0;
    for _ in 0..200 {
        desk.wait(Duration::from_millis(20));
        asked += desk.asked.iter().filter(|it| matches!(it, Question::Erase { .. })).count();
        desk.carry_all();
    }
    asked
}

pub(crate) fn erasures(log: &[Option<String>]) -> usize {
    log.iter().filter(|it| it.is_none()).count()
}

#[test]
fn what_the_app_says_is_erased_goes_and_the_rest_stays_and_the_end_is_recorded_once() {
    let mut desk = desk();
    say_all(&mut desk, talk(600));
    say_all(&mut desk, ["forget a".to_owned(), "a and later".to_owned()]);
    go_on(&mut desk);
    let found = log(&mut desk);
    assert_eq!((erasures(&found), with(&found, "swept")), (200, 1));
    let told = |desk: &mut Desk| {
        desk.told.clear();
        desk.look_back("h");
        desk.carry_all();
        desk.told.drain(..).count()
    };
    assert!(told(&mut desk) > 0);
    assert_eq!(found.len(), 603);
    assert!(found[601].as_ref().is_some_and(|it| it.contains("a and later")), "what came after it stays");
    let kept = loaded(&mut desk).snapshot.expect("one from after it");
    assert!(kept.seen.position.offset >= 601, "{:?}", kept.seen);
    assert_eq!(desk.rooms.counts().records_erased, 200);
    assert_eq!(go_on(&mut desk), 0, "nothing more is asked");
    assert_eq!(log(&mut desk).len(), 603, "nor recorded");
}

#[test]
fn the_check_stays_so_that_the_room_goes_on_and_is_read_anew() {
    let mut desk = desk();
    say_all(&mut desk, talk(30));
    say_all(&mut desk, ["forget a".to_owned()]);
    go_on(&mut desk);
    say_all(&mut desk, ["b more".to_owned()]);
    let before = log(&mut desk);
    let mut other = opened();
    std::mem::swap(&mut other.engine, &mut desk.engine);
    other.now = desk.now;
    other.join();
    other.carry_all();
    say_all(&mut other, ["b from elsewhere".to_owned()]);
    assert_eq!(log(&mut other).len(), before.len() + 1);
    assert_eq!(other.rooms.counts().records_unknown, 0, "a tombstone is nothing unknown");
    // Who is behind reads past what is gone.
    let Loaded { head, .. } = loaded(&mut other);
    let seen = Seen { position: Position { offset: 0, ..head }, ..Seen::default() };
    let question = Question::Follow { room: room(), seen: Some(seen), ticket: 9 };
    let answer = other.engine_says_to(OTHER, question).pop();
    assert!(matches!(answer, Some(Answer::Followed { outcome: Followed::Continues { .. }, .. })));
}

#[test]
fn a_new_steward_begins_again_and_ends_it() {
    for steps in 1..12 {
        let mut desk = desk();
        say_all(&mut desk, talk(300));
        desk.say("forget a");
        // Killed in the middle: what is on the desk is not asked any more.
        for _ in 0..steps {
            if let Some(question) = desk.asked.pop_front() {
                let answers = desk.engine_says(question);
                desk.hear(answers);
            }
            desk.wait(Duration::from_millis(20));
        }
        let mut other = opened();
        std::mem::swap(&mut other.engine, &mut desk.engine);
        other.now = desk.now;
        let due = vec![room()];
        other.rooms.answered(other.now, Answer::Attending { slices: vec![room().slice()], due });
        other.collect();
        other.carry_all();
        go_on(&mut other);
        let found = log(&mut other);
        assert_eq!((erasures(&found), with(&found, "swept")), (100, 1), "after {steps} steps");
        let loaded = loaded(&mut other);
        assert!(loaded.snapshot.is_some_and(|it| it.seen.position.offset > 300), "after {steps} steps");
    }
}

#[test]
fn who_is_no_steward_erases_nothing_and_shows_none_of_it() {
    let mut desk = opened();
    desk.join();
    desk.carry_all();
    say_all(&mut desk, talk(6));
    say_all(&mut desk, ["forget a".to_owned()]);
    assert_eq!(go_on(&mut desk), 0);
    assert_eq!(erasures(&log(&mut desk)), 0);
    desk.told.clear();
    desk.look_back("h");
    desk.carry_all();
    let shown: Vec<String> = desk
        .told
        .drain(..)
        .filter_map(|delivery| match delivery {
            Delivery::Reply { reply: Reply::History { entries, .. }, .. } => Some(entries),
            _ => None,
        })
        .flatten()
        .filter_map(|entry| Some(String::from_utf8_lossy(&entry.shown?.payload).into_owned()))
        .collect();
    assert_eq!(shown, ["b2", "b4", "b5"]);
    becomes_steward(&mut desk);
    go_on(&mut desk);
    assert_eq!(erasures(&log(&mut desk)), 2, "and who becomes one does");
}

#[test]
fn what_is_not_answered_is_asked_again_and_what_is_refused_later() {
    let mut desk = desk();
    say_all(&mut desk, talk(9));
    desk.say("forget a");
    let is_erase = |question: &Question| matches!(question, Question::Erase { .. });
    let carry_but = |desk: &mut Desk| {
        let mut held = Vec::new();
        while let Some(question) = desk.asked.pop_front() {
            match question {
                question @ Question::Erase { .. } => held.push(question),
                question => {
                    let answers = desk.engine_says(question);
                    desk.hear(answers);
                }
            }
        }
        held
    };
    let lost = carry_but(&mut desk);
    assert_eq!(lost.len(), 1, "the first thing that an erasure does");
    desk.wait(Duration::from_millis(500));
    assert_eq!(carry_but(&mut desk).len(), 0);
    desk.wait(Duration::from_millis(600));
    let again = carry_but(&mut desk).pop().expect("it is asked again");
    let Question::Erase { ticket, .. } = again else { panic!("{again:?}") };
    let refused = Answer::Erased { room: room(), ticket, outcome: Erased::Refused };
    desk.hear(vec![refused]);
    desk.wait(Duration::from_secs(9));
    assert!(desk.take(is_erase).is_none(), "not soon");
    desk.wait(Duration::from_secs(2));
    desk.carry_all();
    go_on(&mut desk);
    assert_eq!(erasures(&log(&mut desk)), 3);
}

/// Whoever folds the room anew begins behind what is erased: else its app would not see what the others saw.
#[test]
fn nothing_is_erased_before_a_snapshot_from_after_it_is_kept() {
    let mut desk = desk();
    say_all(&mut desk, talk(9));
    desk.say("forget a");
    let mut kept = false;
    for _ in 0..100 {
        desk.wait(Duration::from_millis(20));
        while let Some(question) = desk.asked.pop_front() {
            if let Question::Erase { offsets, .. } = &question {
                assert!(kept || offsets.is_empty(), "{offsets:?}");
            }
            kept |= matches!(question, Question::Store { .. });
            let answers = desk.engine_says(question);
            desk.hear(answers);
        }
    }
    assert!(kept);
    assert_eq!(erasures(&log(&mut desk)), 3);
}

#[test]
fn where_no_snapshot_is_kept_nothing_is_erased() {
    let mut desk = desk();
    say_all(&mut desk, talk(9));
    desk.say("forget a");
    let mut stores = 0;
    for _ in 0..2000 {
        desk.wait(Duration::from_millis(20));
        while let Some(question) = desk.asked.pop_front() {
            if let Question::Store { .. } = question {
                stores += 1;
                continue;
            }
            let answers = desk.engine_says(question);
            desk.hear(answers);
        }
    }
    assert_eq!(erasures(&log(&mut desk)), 0);
    assert!((3..=5).contains(&stores), "tried again, and not all the time: {stores} in 40 s");
}

#[test]
fn two_erasures_end_one_after_the_other() {
    let mut desk = desk();
    say_all(&mut desk, talk(90));
    desk.say("forget a");
    say_all(&mut desk, ["a again".to_owned(), "forget b".to_owned(), "forget a twice".to_owned()]);
    go_on(&mut desk);
    let found = log(&mut desk);
    assert_eq!((erasures(&found), with(&found, "swept")), (91, 3));
    assert!(loaded(&mut desk).snapshot.is_some_and(|it| it.seen.position.offset >= 94));
    assert_eq!(desk.rooms.counts().records_unknown, 0);
}

//! A room and an engine whose answers come late, twice or never, and which loses records: what was stored is shown, and
//! nobody is told otherwise.

use std::time::Duration;

use engine::{Answer, Appended, Batch, Followed, Nodes, Parcel, Question, Stored};
use rooms::Limits;
use vocabulary::{Check, Code, Command, Delivery, Epoch, Key, Payload, Position, Seen};

use crate::desk::{ANA, Desk, ME, OTHER, ana, room};

/// What an engine answers that has no place for the batch just now.
fn refusal_of(append: &Question) -> Vec<Answer> {
    let Question::Append { room, batch } = append else { panic!("{append:?}") };
    vec![Answer::Appended { room: room.clone(), number: batch.number, outcome: Appended::Refused }]
}

fn acked(id: &str) -> (Vec<String>, Vec<(String, Code)>) {
    (vec![id.to_owned()], vec![])
}

fn refused(id: &str, code: Code) -> (Vec<String>, Vec<(String, Code)>) {
    (vec![], vec![(id.to_owned(), code)])
}

#[test]
fn a_batch_that_was_asked_once_and_refused_is_surely_not_stored() {
    let mut desk = Desk::new();
    desk.say("a");
    let append = desk.append();
    desk.hear(refusal_of(&append));
    assert_eq!(desk.answered(), refused("a", Code::Busy));
    assert!(desk.asked.is_empty());
}

#[test]
fn a_batch_whose_first_asking_was_stored_and_whose_second_was_refused_is_shown() {
    let mut desk = Desk::new();
    desk.say("a");
    let first = desk.append();
    // Stored, and the answer is lost.
    desk.engine_says(first);
    desk.wait(Duration::from_secs(1));
    let second = desk.append();
    desk.hear(refusal_of(&second));
    assert_eq!(desk.answered(), (vec![], vec![]), "nobody knows yet");
    desk.carry_all();
    assert_eq!(desk.answered(), acked("a"));
}

#[test]
fn a_batch_of_which_no_asking_was_stored_is_told_to_be_unknown_when_one_might_have_been() {
    let mut desk = Desk::new();
    desk.say("a");
    desk.append();
    desk.wait(Duration::from_secs(1));
    let second = desk.append();
    desk.hear(refusal_of(&second));
    desk.carry_all();
    assert_eq!(desk.answered(), refused("a", Code::Unconfirmed));
}

#[test]
fn a_batch_that_is_stored_after_one_of_its_askings_was_refused_is_shown() {
    let mut desk = Desk::new();
    desk.say("a");
    let first = desk.append();
    desk.wait(Duration::from_secs(1));
    let second = desk.append();
    desk.hear(refusal_of(&first));
    // The room has looked and found nothing before the second asking came to the engine.
    desk.carry_all();
    desk.answered();
    let stored = desk.engine_says(second);
    desk.hear(stored);
    desk.carry_all();
    let shown = desk.told.iter().any(|told| matches!(told, Delivery::Records { .. }));
    assert!(shown, "the only word of it was the answer to a batch that was over: {:?}", desk.told);
}

#[test]
fn who_sends_an_id_again_while_it_is_under_way_learns_unknown_in_a_time_of_its_own() {
    let mut desk = Desk::new();
    desk.say("a");
    desk.wait(Duration::from_secs(6));
    desk.say("a");
    desk.wait(Duration::from_millis(4100));
    assert_eq!(desk.answered(), refused("a", Code::Unconfirmed), "the first");
    desk.wait(Duration::from_millis(5500));
    assert_eq!(desk.answered(), (Vec::new(), Vec::new()), "not yet");
    desk.wait(Duration::from_millis(500));
    assert_eq!(desk.answered(), refused("a", Code::Unconfirmed), "the second");
}

#[test]
fn what_waited_for_the_append_before_is_unknown_ten_seconds_after_it_was_said() {
    let mut desk = Desk::new();
    desk.say("a");
    desk.say("b");
    desk.wait(Duration::from_secs(9));
    let first = desk.append();
    let answers = desk.engine_says(first);
    desk.hear(answers);
    assert_eq!(desk.answered(), acked("a"));
    desk.wait(Duration::from_millis(1100));
    assert_eq!(desk.answered(), refused("b", Code::Unconfirmed));
}

#[test]
fn whoever_waits_for_what_is_found_waits_ten_seconds() {
    let mut desk = Desk::new();
    desk.say("a");
    let first = desk.append();
    desk.wait(Duration::from_millis(1100));
    desk.hear(refusal_of(&first));
    // Asked twice and refused once: what is read would say what became of it, and nothing is answered.
    desk.wait(Duration::from_millis(8800));
    assert_eq!(desk.answered(), (Vec::new(), Vec::new()), "not yet");
    desk.wait(Duration::from_millis(200));
    assert_eq!(desk.answered(), refused("a", Code::Unconfirmed));
}

#[test]
fn history_that_does_not_come_is_refused_in_time_and_no_more_than_so_many_wait_for_it() {
    let limits = Limits { ring_records_max: 1, waiting_max: 3, ..Limits::default() };
    let mut desk = Desk::with(Nodes::One, limits);
    for id in ["a", "b", "c"] {
        desk.say(id);
        desk.carry_all();
    }
    desk.answered();
    for number in 0..5 {
        desk.look_back(&format!("h{number}"));
    }
    // Ana, who may need a page, takes no place from those who look back.
    assert_eq!(desk.answered(), refused("h4", Code::Busy), "one too many");
    desk.wait(Duration::from_secs(9));
    assert_eq!(desk.answered(), (Vec::new(), Vec::new()), "asked again, and not given up");
    desk.wait(Duration::from_millis(1100));
    let (_, refused) = desk.answered();
    assert_eq!(refused.len(), 4);
    assert!(refused.iter().all(|(_, code)| *code == Code::Busy));
}

/// How far the engine's log goes, for somebody who reads all of it.
fn end_of_log(desk: &mut Desk) -> Seen {
    let answers = desk.engine_says_to(OTHER, Question::Follow { room: room(), seen: None, ticket: 0 });
    let [Answer::Followed { outcome: Followed::Loaded(loaded), .. }] = &answers[..] else {
        panic!("{answers:?}")
    };
    let roll = |check: Check, stored: &Stored| check.roll(Check::hash(&stored.data));
    Seen { position: loaded.head, check: loaded.records.iter().fold(Check::default(), roll) }
}

#[test]
fn what_is_stored_while_a_new_epoch_is_proposed_is_in_its_past() {
    let mut desk = Desk::new();
    for id in ["a", "b"] {
        desk.say(id);
        desk.carry_all();
    }
    desk.engine.lose_tail(1);
    let survives = end_of_log(&mut desk);
    desk.say("c");
    let proposal = loop {
        match desk.asked.pop_front().expect("the room finds out and proposes") {
            proposal @ Question::BeginEpoch { .. } => break proposal,
            question => {
                let answers = desk.engine_says(question);
                desk.hear(answers);
            }
        }
    };
    let parcel =
        Parcel { key: Key::client(&ana().person.id, "d"), records: vec![Payload::from_static(b"d")] };
    let batch = Batch { number: 1, seen: survives, guarded: false, parcels: vec![parcel], due: None };
    let stored = desk.engine_says_to(OTHER, Question::Append { room: room(), batch });
    assert!(matches!(&stored[..], [Answer::Appended { outcome: Appended::Stored { .. }, .. }]), "{stored:?}");
    let answers = desk.engine_says(proposal);
    desk.hear(answers);
    desk.carry_all();
    let epoch = end_of_log(&mut desk).position.epoch;
    assert!(epoch > survives.position.epoch, "a new epoch began all the same");
    desk.told.clear();
    desk.say("d");
    assert!(matches!(&desk.told[..], [Delivery::Acked { .. }]), "the room knows of it: {:?}", desk.told);
}

/// How many records, and how many bytes of what was said, an append carries.
fn size_of(append: &Question) -> (usize, usize) {
    let Question::Append { batch, .. } = append else { panic!("{append:?}") };
    let records = batch.parcels.iter().flat_map(|parcel| &parcel.records);
    let head = "\u{1}12345678".len() + 2 + "said".len() + 2 + "ana".len() + 2 + "Ana".len() + 2;
    (records.clone().count(), records.map(|record| record.len() - head).sum())
}

#[test]
fn a_batch_holds_its_bytes_and_a_larger_command_goes_alone() {
    let mut desk = Desk::new();
    desk.say("first");
    for (id, bytes) in [("a", 40_000), ("b", 20_000), ("c", 10_000), ("d", 90_000), ("e", 1)] {
        desk.say_at_length(id, bytes);
    }
    let mut sizes = Vec::new();
    while !desk.asked.is_empty() {
        let append = desk.append();
        sizes.push(size_of(&append));
        let answers = desk.engine_says(append);
        desk.hear(answers);
    }
    assert_eq!(sizes, [(1, 5), (2, 60_000), (1, 10_000), (1, 90_000), (1, 1)]);
    assert_eq!(desk.answered().0, ["first", "a", "b", "c", "d", "e"]);
}

#[test]
fn a_page_holds_its_bytes_wherever_it_is_read_from_and_a_larger_record_is_a_page() {
    let sizes = [30_000, 30_000, 30_000, 90_000, 10];
    // In the ring the newest 256 KB stand; what is older is read from the engine.
    for later in [0, 300] {
        let mut desk = Desk::new();
        for (index, bytes) in sizes.into_iter().enumerate() {
            desk.say_at_length(&format!("{index}"), bytes);
            desk.carry_all();
        }
        for index in 0..later {
            desk.say(&format!("later {index}"));
            desk.carry_all();
        }
        desk.told.clear();
        let (mut offset, mut pages) = (0, Vec::new());
        while offset < sizes.len() as u64 {
            let since = Position { epoch: Epoch::new(1, 7), offset };
            desk.command(Command::Page { room: room(), connection: ANA, ticket: 1, since });
            desk.carry_all();
            let Some(Delivery::Page(page)) = desk.told.pop() else { panic!("{:?}", desk.told) };
            pages.push(page.entries.iter().filter(|entry| entry.position.offset <= 5).count());
            offset = page.upto.offset;
        }
        assert_eq!(pages, [2, 1, 1, 1], "{later} later");
    }
}

/// The bytes of what Ana's room would store for these words.
fn record_of(said: &str) -> Payload {
    let mut desk = Desk::new();
    desk.say(said);
    let Question::Append { batch, .. } = desk.append() else { panic!("an append") };
    batch.parcels[0].records[0].clone()
}

#[test]
fn a_record_in_the_place_of_another_makes_the_room_ask_which_past_is_true() {
    for (said, looks) in [("a", false), ("b", true)] {
        let mut desk = Desk::new();
        desk.say("a");
        desk.carry_all();
        let stored = Stored { offset: 1, key: Key::once(2, 1), data: record_of(said) };
        desk.hear(vec![Answer::Grown { room: room(), epoch: Epoch::new(1, 7), records: vec![stored] }]);
        let asked =
            desk.asked.iter().any(|question| matches!(question, Question::Follow { seen: Some(_), .. }));
        assert_eq!(asked, looks, "{said} in the place of a");
    }
}

/// A room that is not open yet is followed, and another node stores something before the answer comes.
#[test]
fn what_is_heard_while_a_room_is_followed_is_read_when_the_answer_lacks_it() {
    let mut desk = Desk::empty(Nodes::Many, Limits::default());
    desk.join();
    let follow =
        desk.take(|question| matches!(question, Question::Follow { .. })).expect("the room is followed");
    let old = desk.engine_says(follow);
    let seen = Seen { position: start_of(&old), check: Check::default() };
    let batch = Batch {
        number: 1,
        seen,
        guarded: false,
        parcels: vec![Parcel { key: Key::client(&ana().person.id, "x"), records: vec![record_of("x")] }],
        due: None,
    };
    let news = desk.engine_tells(ME, OTHER, Question::Append { room: room(), batch });
    desk.hear(news);
    desk.hear(old);
    assert!(
        desk.asked.iter().any(|question| matches!(question, Question::Read { after: 0, .. })),
        "the log goes on behind the answer: {:?}",
        desk.asked
    );
    desk.carry_all();
    let joined = desk.told.iter().any(|delivery| matches!(delivery, Delivery::Joined(_)));
    assert!(joined, "{:?}", desk.told);
}

fn start_of(answers: &[Answer]) -> Position {
    let [Answer::Followed { outcome: Followed::Loaded(loaded), .. }] = answers else { panic!("{answers:?}") };
    loaded.head
}

#[test]
fn what_is_to_be_seen_by_the_next_ends_its_batch() {
    let mut desk = Desk::new();
    desk.say("first");
    let first = desk.append();
    for said in ["a", "!b", "c", "!d", "!e", "f"] {
        desk.say(said);
    }
    let answers = desk.engine_says(first);
    desk.hear(answers);
    let mut batches = Vec::new();
    while let Some(append) = desk.take(|question| matches!(question, Question::Append { .. })) {
        let Question::Append { batch, .. } = &append else { continue };
        batches.push(batch.parcels.len());
        let answers = desk.engine_says(append);
        desk.hear(answers);
    }
    assert_eq!(batches, [2, 2, 1, 1]);
}

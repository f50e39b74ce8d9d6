//! The checker is held to account: a sound history passes, and each way to spoil it is caught by the property that is
//! named for it.

use super::{Property, judge};
use crate::history::{Diary, Epochs, Event, History, Id, Log, Noted, Position, Room};

const ROOM: Room = 3;

fn id(sender: u32, number: u32) -> Id {
    Id { sender, number }
}

/// Two senders and a listener; one of the senders is cut off in the middle, resumes and sends again. Each property but one
/// has something to look at.
fn sound() -> History {
    let mut epochs = Epochs::default();
    let epoch = epochs.named("1a");
    let at = |offset| Position { epoch, offset };
    let order = [id(0, 1), id(1, 1), id(0, 2), id(1, 2), id(0, 3), id(1, 3)];
    let room = ROOM;
    let received =
        |offset: usize| Event::Received { room, id: order[offset - 1], position: at(offset as u64) };
    let acked = |offset: usize| Event::Acked { room, id: order[offset - 1], position: at(offset as u64) };
    let sent = |offset: usize| Event::Sent { room, id: order[offset - 1] };
    let stands = Event::Stands { room, position: at(0) };
    let first = vec![
        stands,
        sent(1),
        acked(1),
        received(2),
        sent(3),
        sent(5),
        Event::Ended,
        Event::Resumed { room, upto: at(4) },
        acked(3),
        received(4),
        // Sent again, and stored before: the old place.
        acked(3),
        acked(5),
        received(6),
    ];
    let second = vec![
        stands,
        received(1),
        sent(2),
        acked(2),
        received(3),
        sent(4),
        acked(4),
        received(5),
        sent(6),
        acked(6),
    ];
    let third = std::iter::once(stands).chain((1..=6).map(received)).collect();
    let diary = |events: Vec<Event>| Diary {
        events: (0..).zip(events).map(|(at, event)| Noted { at, event }).collect(),
        live: true,
    };
    let log = Log { epoch: Some(epoch), records: (1..).zip(order).collect() };
    History { epochs, diaries: vec![diary(first), diary(second), diary(third)], logs: [(ROOM, log)].into() }
}

fn records(history: &mut History) -> &mut Vec<(u64, Id)> {
    &mut history.logs.get_mut(&ROOM).expect("the room").records
}

fn events(history: &mut History, client: usize) -> &mut Vec<Noted> {
    &mut history.diaries[client].events
}

fn index_of(history: &mut History, client: usize, which: fn(&Event) -> bool) -> usize {
    events(history, client).iter().position(|noted| which(&noted.event)).expect("it is there")
}

fn receives(event: &Event, offset: u64) -> bool {
    matches!(event, Event::Received { position, .. } if position.offset == offset)
}

/// Numbers the log anew, as a store that lost a record would.
fn close_up(records: &mut [(u64, Id)]) {
    for (offset, record) in (1..).zip(records) {
        record.0 = offset;
    }
}

type Mutant = (&'static str, fn(&mut History), Property);

const MUTANTS: &[Mutant] = &[
    (
        "an acknowledged record is lost",
        |history| {
            records(history).remove(2);
        },
        Property::AckedIsStored,
    ),
    (
        "the last record is lost",
        |history| {
            records(history).pop();
        },
        Property::AckedIsStored,
    ),
    (
        "an acknowledgement names the wrong place",
        |history| {
            let index = index_of(
                history,
                1,
                |event| matches!(event, Event::Acked { position, .. } if position.offset == 4),
            );
            if let Event::Acked { position, .. } = &mut events(history, 1)[index].event {
                position.offset = 2;
            }
        },
        Property::AckIsAtItsPlace,
    ),
    (
        "an id is stored twice",
        |history| {
            let records = records(history);
            let again = records[3].1;
            records.push((7, again));
        },
        Property::StoredOnce,
    ),
    (
        "the log has a hole",
        |history| {
            for record in records(history).iter_mut().skip(4) {
                record.0 += 1;
            }
        },
        Property::OffsetsAreDense,
    ),
    ("a record that nobody sent", |history| records(history).push((7, id(9, 9))), Property::StoredWasSent),
    (
        "a record whose bytes are others",
        |history| records(history)[1].1 = crate::history::STRANGE,
        Property::StoredWasSent,
    ),
    (
        "a sender's order is broken",
        |history| {
            let records = records(history);
            let (one, other) = (records[2].1, records[4].1);
            (records[2].1, records[4].1) = (other, one);
        },
        Property::SendersOrder,
    ),
    (
        "somebody received what the log does not have there",
        |history| {
            let index = index_of(history, 2, |event| receives(event, 5));
            if let Event::Received { id, .. } = &mut events(history, 2)[index].event {
                id.number += 100;
            }
        },
        Property::ReceivedIsStored,
    ),
    (
        "somebody received what is in no log",
        |history| {
            let records = records(history);
            records.remove(5);
            close_up(records);
        },
        Property::ReceivedIsStored,
    ),
    (
        "a delivery is repeated",
        |history| {
            let index = index_of(history, 2, |event| receives(event, 3));
            let again = events(history, 2)[index];
            events(history, 2).insert(index + 1, again);
        },
        Property::ReceivedIsContiguous,
    ),
    (
        "two deliveries are swapped",
        |history| {
            let index = index_of(history, 2, |event| receives(event, 3));
            events(history, 2).swap(index, index + 1);
        },
        Property::ReceivedIsContiguous,
    ),
    (
        "a delivery is dropped in the middle and no gap is told",
        |history| {
            let index = index_of(history, 2, |event| receives(event, 3));
            events(history, 2).remove(index);
        },
        Property::ReceivedIsContiguous,
    ),
    (
        "an acknowledgement overtakes a delivery",
        |history| {
            let index = index_of(history, 1, |event| receives(event, 3));
            events(history, 1).swap(index, index + 2);
        },
        Property::ReceivedIsContiguous,
    ),
    (
        "a resume begins behind where the client stands",
        |history| {
            let index = index_of(history, 0, |event| matches!(event, Event::Resumed { .. }));
            if let Event::Resumed { upto, .. } = &mut events(history, 0)[index].event {
                upto.offset = 1;
            }
        },
        Property::ReceivedIsContiguous,
    ),
    (
        "the last delivery never comes",
        |history| {
            events(history, 2).pop();
        },
        Property::ToldInTheEnd,
    ),
];

#[test]
fn a_sound_history_passes() {
    assert_eq!(judge(&sound()), []);
}

#[test]
fn each_mutant_is_caught_by_its_property() {
    for (name, spoil, property) in MUTANTS {
        let mut history = sound();
        spoil(&mut history);
        let found: Vec<Property> = judge(&history).iter().map(|violation| violation.property).collect();
        assert!(found.contains(property), "{name}: found {found:?}");
    }
    for property in Property::ALL {
        assert!(MUTANTS.iter().any(|(_, _, named)| *named == property), "no mutant for {property:?}");
    }
}

#[test]
fn what_is_told_is_no_violation() {
    let spoils: [fn(&mut History); 3] = [
        // A gap in place of two deliveries.
        |history| {
            let index = index_of(history, 2, |event| receives(event, 2));
            let upto = Position {
                offset: 3,
                ..history.logs[&ROOM].epoch.map(|epoch| Position { epoch, offset: 0 }).expect("an epoch")
            };
            let events = events(history, 2);
            events.drain(index..index + 2);
            events.insert(index, Noted { at: 0, event: Event::Gap { room: ROOM, upto } });
        },
        // Refused, sent again, and overtaken by a later one.
        |history| {
            let refused = Event::Refused { room: ROOM, id: id(0, 2) };
            events(history, 0).insert(5, Noted { at: 0, event: refused });
            let records = records(history);
            let (one, other) = (records[2].1, records[4].1);
            (records[2].1, records[4].1) = (other, one);
            for diary in &mut history.diaries {
                for noted in &mut diary.events {
                    if let Event::Acked { id, position, .. } | Event::Received { id, position, .. } =
                        &mut noted.event
                    {
                        match position.offset {
                            3 => *id = other,
                            5 => *id = one,
                            _ => {}
                        }
                    }
                }
            }
        },
        // Away at the end.
        |history| {
            events(history, 2).pop();
            history.diaries[2].live = false;
        },
    ];
    for (number, spoil) in spoils.iter().enumerate() {
        let mut history = sound();
        spoil(&mut history);
        assert_eq!(judge(&history), [], "case {number}");
    }
}

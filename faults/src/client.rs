//! One client of the native protocol, as docs/protocol.md outlines it: what it says next, and what it makes of what it
//! hears. It has no socket and no clock; times are milliseconds that it is told.

use std::collections::{BTreeMap, VecDeque};

use crate::front::author;
use crate::heard::{Heard, number};
use crate::history::{Diary, Epochs, Event, Id, Log, Noted, Position, Room};
use crate::presence::Watched;

/// What the protocol allows, and so the most that is sent again after a break.
pub(crate) const UNACKED_MAX: usize = 64;
/// A refused join or message that names no delay is tried again then.
const AGAIN_MS: u64 = 1000;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Seat {
    Out,
    /// A join is to be sent then.
    Later(u64),
    Asked,
    /// Resumed, and not yet there.
    Behind(Position),
    In,
}

#[derive(Debug)]
struct Membership {
    room: Room,
    seat: Seat,
    position: Option<Position>,
}

#[derive(Debug)]
struct Pending {
    id: Id,
    room: Room,
    flies: bool,
    not_before: u64,
}

#[derive(Debug)]
pub(crate) struct Client {
    pub(crate) number: u32,
    rooms: Vec<Membership>,
    pending: VecDeque<Pending>,
    sent: u32,
    open: bool,
    pub(crate) attempt: u32,
    pub(crate) diary: Diary,
    /// What no run of ours should bring: the first is enough to tell.
    pub(crate) complaint: Option<String>,
    /// No more than this unanswered; the protocol allows [`UNACKED_MAX`].
    pub(crate) unacked_max: usize,
    /// What it was told of people, if it watches them.
    pub(crate) watched: Option<Watched>,
}

/// What a message was to the one who counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Meant {
    Acked,
    Received,
    Refused,
    Other,
}

impl Client {
    pub(crate) fn new(number: u32, rooms: &[Room]) -> Client {
        let member = |room: &Room| Membership { room: *room, seat: Seat::Out, position: None };
        Client {
            number,
            rooms: rooms.iter().map(member).collect(),
            pending: VecDeque::new(),
            sent: 0,
            open: false,
            attempt: 0,
            diary: Diary::default(),
            complaint: None,
            unacked_max: UNACKED_MAX,
            watched: None,
        }
    }

    pub(crate) fn user(&self) -> String {
        format!("u{}", self.number)
    }

    pub(crate) fn unacked(&self) -> usize {
        self.pending.len()
    }

    /// In all its rooms, and nothing behind.
    pub(crate) fn is_live(&self) -> bool {
        self.open && self.rooms.iter().all(|member| member.seat == Seat::In)
    }

    /// Whether it stands at the end of each of its rooms.
    pub(crate) fn has_heard(&self, logs: &BTreeMap<Room, Log>) -> bool {
        self.rooms.iter().all(|member| {
            let end = logs.get(&member.room).map_or(0, Log::head);
            member.position.is_some_and(|at| at.offset >= end)
        })
    }

    fn note(&mut self, now: u64, event: Event) {
        self.diary.events.push(Noted { at: now as u32, event });
    }

    pub(crate) fn opened(&mut self, now: u64, epochs: &Epochs, say: &mut Vec<String>) {
        self.open = true;
        for member in &mut self.rooms {
            member.seat = Seat::Later(now);
        }
        self.wake(now, epochs, say);
    }

    pub(crate) fn ended(&mut self, now: u64) {
        self.open = false;
        for member in &mut self.rooms {
            member.seat = Seat::Out;
        }
        for pending in &mut self.pending {
            (pending.flies, pending.not_before) = (false, 0);
        }
        self.note(now, Event::Ended);
    }

    /// A message more, in the room of its turn; it leaves when the room is joined. Not more than the protocol allows.
    pub(crate) fn send(&mut self, now: u64, say: &mut Vec<String>) -> bool {
        if self.pending.len() >= self.unacked_max {
            return false;
        }
        self.sent += 1;
        let id = Id { sender: self.number, number: self.sent };
        let member = &self.rooms[self.sent as usize % self.rooms.len()];
        let (room, flies) = (member.room, self.open && matches!(member.seat, Seat::In | Seat::Behind(_)));
        self.note(now, Event::Sent { room, id });
        self.pending.push_back(Pending { id, room, flies, not_before: 0 });
        if flies {
            say.push(message(room, id));
        }
        true
    }

    /// Says what is due; when to be woken again.
    pub(crate) fn wake(&mut self, now: u64, epochs: &Epochs, say: &mut Vec<String>) -> Option<u64> {
        if !self.open {
            return None;
        }
        let mut next = None;
        let mut later = |at: u64| next = Some(next.map_or(at, |next: u64| next.min(at)));
        for member in &mut self.rooms {
            match member.seat {
                Seat::Later(at) if at <= now => {
                    say.push(join(member, epochs));
                    member.seat = Seat::Asked;
                }
                Seat::Later(at) => later(at),
                _ => {}
            }
        }
        let rooms = &self.rooms;
        let joined = |room: Room| {
            rooms.iter().any(|it| it.room == room && matches!(it.seat, Seat::In | Seat::Behind(_)))
        };
        for pending in self.pending.iter_mut().filter(|pending| !pending.flies) {
            if pending.not_before > now {
                later(pending.not_before);
            } else if joined(pending.room) {
                pending.flies = true;
                say.push(message(pending.room, pending.id));
            }
        }
        next
    }

    pub(crate) fn heard(&mut self, now: u64, text: &str, epochs: &mut Epochs) -> Meant {
        let heard: Heard<'_> = match serde_json::from_str(text) {
            Ok(heard) => heard,
            Err(error) => return self.complain(format!("{error}: {text}")),
        };
        let room = heard.room.and_then(|room| number(room, 'r')).map(|room| room as Room);
        if let (Some(watched), Some(room)) = (&mut self.watched, room) {
            watched.hear(&heard, room);
        }
        let position = heard.position.map(|place| place.known(epochs));
        let upto = heard.payload.upto.map(|place| place.known(epochs));
        match (heard.kind, room, position, upto) {
            ("new_message", Some(room), Some(position), _) => {
                let id = author(&heard);
                self.note(now, Event::Received { room, id, position });
                self.advance(room, position);
                Meant::Received
            }
            ("ack", Some(room), Some(position), _) => {
                let Some(id) = heard.id.and_then(Id::read) else {
                    return self.complain(format!("an ack of nothing: {text}"));
                };
                self.pending.retain(|pending| pending.id != id);
                self.note(now, Event::Acked { room, id, position });
                self.advance(room, position);
                Meant::Acked
            }
            ("room_info", Some(room), position, _) if heard.id.is_some() => {
                self.attempt = 0;
                if let Some(position) = position {
                    self.stand(room, position, Seat::In);
                    self.note(now, Event::Stands { room, position });
                }
                Meant::Other
            }
            ("resumed", Some(room), _, Some(upto)) => {
                self.note(now, Event::Resumed { room, upto });
                self.resume(room, upto);
                Meant::Other
            }
            (kind @ ("gap" | "reset"), Some(room), _, Some(upto)) => {
                let event =
                    if kind == "gap" { Event::Gap { room, upto } } else { Event::Reset { room, upto } };
                self.note(now, event);
                self.stand(room, upto, Seat::In);
                Meant::Other
            }
            ("error", ..) => self.refused(now, &heard, room, text),
            _ => Meant::Other,
        }
    }

    fn refused(&mut self, now: u64, heard: &Heard<'_>, room: Option<Room>, text: &str) -> Meant {
        let code = heard.payload.code.unwrap_or_default();
        let again = now + heard.payload.retry_after_ms.unwrap_or(AGAIN_MS);
        let passing = matches!(code, "BUSY" | "RATE_LIMIT" | "UNCONFIRMED");
        if let Some(id) = heard.id.and_then(Id::read) {
            let Some(pending) = self.pending.iter_mut().find(|pending| pending.id == id) else {
                return Meant::Other;
            };
            let room = pending.room;
            (pending.flies, pending.not_before) = (false, again);
            self.note(now, Event::Refused { room, id });
            if code == "NOT_IN_ROOM" {
                self.seat(room, Seat::Later(now));
            } else if !passing {
                return self.complain(text.to_owned());
            }
            return Meant::Refused;
        }
        let joining = heard.id.and_then(|id| number(id, 'j')).map(|room| room as Room);
        match joining.or(room) {
            Some(room) => {
                self.seat(room, Seat::Later(again));
                if passing { Meant::Refused } else { self.complain(text.to_owned()) }
            }
            None => self.complain(text.to_owned()),
        }
    }

    fn complain(&mut self, words: String) -> Meant {
        self.complaint.get_or_insert(words);
        Meant::Other
    }

    fn seat(&mut self, room: Room, seat: Seat) {
        if let Some(member) = self.rooms.iter_mut().find(|member| member.room == room) {
            member.seat = seat;
        }
    }

    fn stand(&mut self, room: Room, position: Position, seat: Seat) {
        if let Some(member) = self.rooms.iter_mut().find(|member| member.room == room) {
            (member.position, member.seat) = (Some(position), seat);
        }
    }

    fn resume(&mut self, room: Room, upto: Position) {
        if let Some(member) = self.rooms.iter_mut().find(|member| member.room == room) {
            let there = member.position.is_some_and(|at| at.epoch == upto.epoch && at.offset >= upto.offset);
            member.seat = if there { Seat::In } else { Seat::Behind(upto) };
        }
    }

    /// Never backwards within an epoch.
    fn advance(&mut self, room: Room, position: Position) {
        let Some(member) = self.rooms.iter_mut().find(|member| member.room == room) else { return };
        if member.position.is_none_or(|at| at.epoch != position.epoch || at.offset < position.offset) {
            member.position = Some(position);
        }
        if let Seat::Behind(upto) = member.seat
            && upto.epoch == position.epoch
            && upto.offset <= position.offset
        {
            member.seat = Seat::In;
        }
    }
}

fn join(member: &Membership, epochs: &Epochs) -> String {
    let room = member.room;
    let since = member
        .position
        .map(|at| format!(r#","since":{{"epoch":"{}","offset":{}}}"#, epochs.text(at.epoch), at.offset));
    let since = since.unwrap_or_default();
    format!(r#"{{"type":"join_room","id":"j{room}","payload":{{"room_id":"r{room}"{since}}}}}"#)
}

fn message(room: Room, id: Id) -> String {
    format!(
        r#"{{"type":"send_message","room":"r{room}","id":"{id}","payload":{{"content":"{}"}}}}"#,
        id.content()
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Talk {
        client: Client,
        epochs: Epochs,
    }

    impl Talk {
        fn new() -> Talk {
            Talk { client: Client::new(4, &[7]), epochs: Epochs::default() }
        }

        fn hears(&mut self, text: &str) -> Vec<String> {
            self.client.heard(5, text, &mut self.epochs);
            self.says(5)
        }

        fn says(&mut self, now: u64) -> Vec<String> {
            let mut said = Vec::new();
            self.client.wake(now, &self.epochs, &mut said);
            said
        }

        fn opens(&mut self) -> Vec<String> {
            let mut said = Vec::new();
            self.client.opened(1, &self.epochs, &mut said);
            said
        }

        fn sends(&mut self) -> Vec<String> {
            let mut said = Vec::new();
            self.client.send(2, &mut said);
            said
        }
    }

    const INFO: &str = r#"{"type":"room_info","id":"j7","room":"r7","payload":{"room_id":"r7","users":[],"count":1},"position":{"epoch":"1a","offset":4}}"#;

    #[test]
    fn what_was_not_answered_is_sent_again_after_the_resume_unchanged() {
        let mut talk = Talk::new();
        assert!(talk.opens()[0].contains("join_room"));
        assert!(talk.sends().is_empty(), "not before the room is joined");
        let said = talk.hears(INFO);
        assert!(said.len() == 1 && said[0].contains("c4-1"), "{said:?}");
        talk.client.ended(9);
        let joins = talk.opens();
        assert!(joins[0].contains(r#""since":{"epoch":"1a","offset":4}"#), "{joins:?}");
        assert_eq!(talk.hears(r#"{"type":"resumed","room":"r7","payload":{"room_id":"r7","upto":{"epoch":"1a","offset":5}}}"#), said);
        assert!(!talk.client.is_live(), "one record is behind");
        talk.hears(
            r#"{"type":"ack","id":"c4-1","room":"r7","payload":{},"position":{"epoch":"1a","offset":5}}"#,
        );
        assert!(talk.client.is_live());
        assert_eq!(talk.client.unacked(), 0);
    }

    #[test]
    fn a_refusal_waits_as_long_as_it_says() {
        let mut talk = Talk::new();
        talk.opens();
        talk.hears(INFO);
        assert_eq!(talk.sends().len(), 1);
        talk.hears(r#"{"type":"error","id":"c4-1","room":"r7","payload":{"code":"BUSY","message":"","retry_after_ms":500}}"#);
        assert!(talk.says(504).is_empty());
        assert_eq!(talk.says(505).len(), 1);
        assert!(talk.client.complaint.is_none());
    }

    #[test]
    fn no_more_than_the_protocol_allows_is_unanswered() {
        let mut talk = Talk::new();
        talk.opens();
        talk.hears(INFO);
        let sent = (0..100).map(|_| talk.sends().len()).sum::<usize>();
        assert_eq!(sent, UNACKED_MAX);
    }
}

//! What is said in rooms, stored in streams, one after the other and under its own position, which the server knows again for a while.
//! Which rooms have something, and where each stands, is the crossing's.

use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;
use std::sync::atomic::AtomicU64;
use std::time::{Duration, Instant};

use async_nats::header::HeaderMap;
use crossing::{
    Carried, Carrier, Fields, Goes, ORIGIN, POSITION, ROOM, Stage, Template, add, envelope, fields_of, pause,
};
use node::Desk;
use vocabulary::{Outward, RoomId};

use crate::heard::MESSAGE_ID;
use crate::jetstream::Fault;
use crate::parts::Parts;
use crate::rides::Authority;

const AGAIN_MAX: Duration = Duration::from_secs(5);
/// A subject that is refused is tried again so soon, by one message.
const REFUSED_FOR: Duration = Duration::from_secs(10);
/// Subjects that are refused and remembered; beyond it they are tried each time.
const REFUSED_MAX: usize = 1024;
/// Servers take no longer ones.
const SUBJECT_BYTES_MAX: usize = 255;

/// Which rooms' messages go to which subject.
#[derive(Clone, Debug)]
pub struct Sink {
    /// A full name, or the beginning of one and `*`.
    pub rooms: String,
    pub subject: Template,
}

/// A message as it is stored.
#[derive(Debug, PartialEq)]
pub(crate) struct Made {
    pub(crate) subject: String,
    pub(crate) value: String,
    pub(crate) position: String,
}

/// The first that fits a room is its own.
pub(crate) struct Ways {
    pub(crate) sinks: Vec<Sink>,
    pub(crate) rides: Option<Authority>,
}

enum Way<'a> {
    Sink(&'a Sink),
    Rides(Authority),
}

impl Ways {
    fn way(&self, room: &RoomId) -> Option<Way<'_>> {
        let fits = |sink: &&Sink| match sink.rooms.strip_suffix('*') {
            Some(beginning) => room.as_str().starts_with(beginning),
            None => room.as_str() == sink.rooms,
        };
        let rides = self.rides.filter(|_| room.app() == crate::rides::APP);
        self.sinks.iter().find(fits).map(Way::Sink).or(rides.map(Way::Rides))
    }

    /// None: it has no subject there.
    fn made(&self, outward: &Outward) -> Option<Made> {
        let position = outward.position.to_string();
        let (subject, value) = match self.way(&outward.room)? {
            Way::Rides(authority) => {
                let (subject, value) = authority.row(outward)?;
                (subject.to_owned(), value.to_string())
            }
            Way::Sink(sink) => {
                let mut fields = fields_of(outward);
                fields["kind"] = outward.shown.kind.into();
                (sink.subject.fill(&Fields::of(&fields)).ok()?, envelope(outward)?)
            }
        };
        is_subject(&subject).then_some(Made { subject, value, position })
    }
}

/// One that can be published to.
fn is_subject(text: &str) -> bool {
    let is_token = |token: &str| {
        !token.is_empty()
            && !token.chars().any(|c| c.is_whitespace() || c.is_control() || matches!(c, '*' | '>'))
    };
    text.len() <= SUBJECT_BYTES_MAX && !text.starts_with('$') && text.split('.').all(is_token)
}

/// What carries rooms' messages to NATS.
pub(crate) struct Sinks {
    pub(crate) parts: Rc<Parts>,
    pub(crate) ways: Ways,
    /// By subject, when it may be tried again.
    pub(crate) refused: RefCell<HashMap<String, Instant>>,
}

impl Carrier for Sinks {
    fn desk(&self) -> &Desk {
        &self.parts.desk
    }

    fn panics(&self) -> &AtomicU64 {
        &self.parts.counts.panics_total
    }

    fn is_away(&self) -> bool {
        self.parts.counts.reach.is_away()
    }

    fn has_ended(&self) -> bool {
        self.parts.stage() == Stage::Ends
    }

    async fn rest(&self, time: Duration) {
        self.parts.rest(time).await;
    }

    fn goes(&self, room: &RoomId) -> Goes {
        // Which subject it is depends on the message.
        if self.ways.way(room).is_some() { Goes::Now } else { Goes::Nowhere }
    }

    /// What has left is put down also where the rest waits: it may wait for longer than the server knows ids again.
    async fn carry(&self, room: &RoomId, entries: &[Outward]) -> Carried {
        let mut left = None;
        for entry in entries {
            let Some(made) = self.ways.made(entry) else {
                add(&self.parts.counts.unmapped_total, 1);
                continue;
            };
            if !self.store(room, &made).await {
                return left.map_or(Carried::Nothing, Carried::Upto);
            }
            left = Some(entry.position);
        }
        Carried::All { some: left.is_some() }
    }
}

impl Sinks {
    /// Whether it is there, or is left out for what it is. The next one goes behind it, so that a room's order holds.
    async fn store(&self, room: &RoomId, made: &Made) -> bool {
        let parts = &*self.parts;
        let mut tries = 0;
        loop {
            if !self.may_try(&made.subject) {
                return false;
            }
            let stored =
                parts.js.store(&made.subject, headers(parts, room, made), made.value.clone().into()).await;
            match stored {
                Ok(_) => {
                    add(&parts.counts.produced_total, 1);
                    parts.counts.reach.succeeded();
                    self.takes(&made.subject);
                    return true;
                }
                Err(Fault::TooLarge(why)) => {
                    let (room, position, subject) = (room.as_str(), &*made.position, &*made.subject);
                    tracing::error!(
                        room,
                        position,
                        subject,
                        why,
                        "a message is left out: the server does not take it"
                    );
                    add(&parts.counts.left_out_total, 1);
                    return true;
                }
                Err(fault @ (Fault::NoStream | Fault::Absent | Fault::Denied(_))) => {
                    self.refuses(&made.subject, &fault.words());
                    return false;
                }
                Err(Fault::Unanswered(_)) if parts.signals.is_denied(&made.subject) => {
                    self.refuses(&made.subject, "this user may not publish there");
                    return false;
                }
                Err(fault) => parts.counts.reach.failed(&fault.words()),
            }
            if self.has_ended() || self.is_away() {
                return false;
            }
            tries += 1;
            add(&parts.counts.produced_again_total, 1);
            parts.rest(pause(tries + 4, AGAIN_MAX)).await;
        }
    }

    /// If the subject is refused, others wait for what this one finds.
    fn may_try(&self, subject: &str) -> bool {
        let (mut refused, now) = (self.refused.borrow_mut(), Instant::now());
        match refused.get_mut(subject) {
            Some(again) if now < *again => false,
            Some(again) => {
                *again = now + REFUSED_FOR;
                true
            }
            None => true,
        }
    }

    fn refuses(&self, subject: &str, why: &str) {
        let mut refused = self.refused.borrow_mut();
        if refused.len() < REFUSED_MAX || refused.contains_key(subject) {
            refused.insert(subject.to_owned(), Instant::now() + REFUSED_FOR);
        }
        let many =
            if refused.len() > 1 { format!(", and {} others", refused.len() - 1) } else { String::new() };
        let why = format!(
            "{subject}{many}: no stream takes it, or not from us, and its rooms wait: make one, or allow it ({why})"
        );
        self.parts.counts.reach.is_amiss(SUBJECTS, &why);
    }

    fn takes(&self, subject: &str) {
        let mut refused = self.refused.borrow_mut();
        if refused.remove(subject).is_some() && refused.is_empty() {
            self.parts.counts.reach.is_well(SUBJECTS);
        }
    }
}

/// Subjects are made of messages, so that nobody knows how many there are: one line is for all.
const SUBJECTS: &str = "the sinks' subjects";

fn headers(parts: &Parts, room: &RoomId, made: &Made) -> HeaderMap {
    let mut headers = HeaderMap::new();
    headers.insert(ORIGIN, parts.origin.as_str());
    headers.insert(ROOM, room.as_str());
    headers.insert(POSITION, made.position.as_str());
    // Deployments may share a stream, and rooms of theirs may have the same name.
    headers.insert(MESSAGE_ID, format!("{} {room} {}", parts.origin, made.position));
    headers
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use proptest::prelude::*;
    use vocabulary::{Class, Epoch, Key, Person, Position, Shown, UserId, Wall};

    pub(crate) fn outward(room: &str, kind: &'static str, payload: &str) -> Outward {
        let sender = Some(Person { id: UserId::new("7"), name: "Ana".into() });
        let (class, payload) = (Class::Record, payload.to_owned().into());
        Outward {
            room: RoomId::from_full(room).expect("a room"),
            key: Key::client(&UserId::new("7"), "1"),
            position: Position { epoch: Epoch(1), offset: 4 },
            at: Wall(0),
            shown: Shown { kind, payload, sender, class, lasting: true },
            open: true,
        }
    }

    fn ways(written: &str) -> Ways {
        let sink = |rooms: &str, subject: &str| Sink {
            rooms: rooms.to_owned(),
            subject: Template::read(subject).expect(subject),
        };
        Ways { sinks: vec![sink("chat:vip", "vip.{order}"), sink("chat:*", written)], rides: None }
    }

    #[test]
    fn the_first_row_that_fits_a_room_says_the_subject() {
        let subject = |room: &str, payload: &str| {
            ways("said.{name}.{kind}").made(&outward(room, "new_message", payload)).map(|made| made.subject)
        };
        assert_eq!(subject("chat:general", "{}").as_deref(), Some("said.general.new_message"));
        assert_eq!(subject("chat:vip", r#"{"order":7}"#).as_deref(), Some("vip.7"));
        assert_eq!(subject("chat:vip", "{}"), None, "it cannot be filled");
        assert_eq!(subject("chat:vip", r#"{"order":"a b"}"#), None, "no subject");
        assert_eq!(subject("user:7", "{}"), None);
    }

    proptest! {
        /// Whatever people write into a message, it goes to no other subject than a plain one.
        #[test]
        fn what_is_filled_in_is_a_subject_that_can_be_published_to_or_none(text in "\\PC{0,20}") {
            let payload = serde_json::json!({ "x": text }).to_string();
            if let Some(made) = ways("said.{x}").made(&outward("chat:a", "new_message", &payload)) {
                prop_assert!(made.subject.starts_with("said.") && !made.subject.contains(['*', '>', ' ', '\r', '\n', '\t']));
                prop_assert!(!made.subject.contains("..") && !made.subject.ends_with('.'));
            }
        }
    }
}

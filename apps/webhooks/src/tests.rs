//! Who may write what, and what of it leaves.

use app::{Presence, Roll, Soft};
use std::collections::BTreeMap;

use vocabulary::{Person, Position, Tick, Touched, User, UserId, Wall};

use super::*;

struct Nobody;

impl Roll for Nobody {
    fn count(&self) -> u32 {
        0
    }

    fn users(&self) -> Vec<UserId> {
        Vec::new()
    }

    fn is_here(&self, _: &UserId) -> bool {
        false
    }

    fn gone_since(&self, _: &UserId) -> Option<Tick> {
        None
    }
}

fn decides(caller: &Caller, kind: &str, payload: &str) -> Result<Decision, Code> {
    let (id, payload) = (RoomId::new(APP, "orders"), Payload::from(payload.to_owned()));
    let values = BTreeMap::new();
    let soft = Soft::new(&values);
    let room = Room { id: &id, state: &(), presence: Presence::new(&Nobody), soft, subject: None };
    Webhooks.decide(Now::default(), room, caller, Action { kind, payload: &payload }).map_err(|it| it.code)
}

fn visitor() -> Caller {
    let person = Person { id: UserId::new("7"), name: "Ana".into() };
    Caller::Visitor { user: User { person, role: None, rooms: None, groups: None }.into() }
}

#[test]
fn the_bridge_writes_back_ends_send_again_and_clients_do_nothing() {
    let bridge = Caller::Source { name: "webhook:orders".into(), author: None };
    let back_end = Caller::Api { key: "ops".into() };
    for (caller, kind, payload, is) in [
        (&bridge, LETTER, r#"{"event":{"id":"1"}}"#, Ok(())),
        (&bridge, HAPPENED, r#"{"events":[]}"#, Ok(())),
        (&back_end, HAPPENED, r#"{"events":[]}"#, Err(Code::UnknownType)),
        (&bridge, RESEND, r#"{"event":{"id":"1"}}"#, Err(Code::UnknownType)),
        (&back_end, RESEND, r#"{"event":{"id":"1"}}"#, Ok(())),
        (&bridge, LETTER, r#"{"event":{}}"#, Err(Code::InvalidPayload)),
        (&back_end, RESEND, r#"{"letter":"1-17"}"#, Err(Code::InvalidPayload)),
        (&back_end, LETTER, r#"{"event":{}}"#, Err(Code::UnknownType)),
        (&visitor(), RESEND, r#"{"event":{}}"#, Err(Code::Forbidden)),
    ] {
        assert_eq!(decides(caller, kind, payload).map(|_| ()), is, "{kind} {payload}");
    }
    assert!(Webhooks.admit(Now::default(), &(), &visitor(), &Payload::new()).is_err());
    assert!(Webhooks.admit(Now::default(), &(), &back_end, &Payload::new()).is_ok());
}

#[test]
fn a_letter_is_read_and_does_not_leave_until_it_is_sent_again() {
    for (kind, leaves) in [(LETTER, false), (RESEND, true), (HAPPENED, true)] {
        let record = Record {
            position: Position::default(),
            at: Wall(0),
            kind: kind.into(),
            author: None,
            touches: Touched::default(),
            body: "{}".into(),
        };
        assert!(Webhooks.show(&(), &record, Audience::default()).is_some());
        assert_eq!(Webhooks.show_outward(&(), &record).is_some(), leaves, "{kind}");
    }
}

//! Who a connection is, when that is said or changes after the upgrade: a stranger's token, a newer one, a revocation.
//! Tokens are proven by the shell; nothing here can read one.

use std::sync::Arc;

use protocol::Item;
use session::{Authenticated, Proven};
use vocabulary::{
    CloseReason, Code, Command, ConnectionId, Now, Refusal, Revocation, RoomId, Tag, Unproven, User,
};

use crate::speech::spelled;
use crate::{Output, Shard};

/// For a second token while the first is looked at: about as long as fetching a key takes.
const PROVING_MS: u32 = 500;

impl Shard {
    pub(crate) fn identify(
        &mut self,
        now: Now,
        id: ConnectionId,
        tag: Tag,
        token: Unproven,
        counted: Result<(), Refusal>,
    ) {
        let Some(connection) = self.connections.get(id) else { return };
        let refusal = match counted {
            Err(refusal) => refusal,
            Ok(()) if connection.proving => Refusal::busy(PROVING_MS),
            Ok(()) => {
                connection.proving = true;
                return self.outputs.push_back(Output::Prove(id, tag, token));
            }
        };
        self.refuse(now, id, tag, None, &refusal);
    }

    pub(crate) fn proven(
        &mut self,
        now: Now,
        id: ConnectionId,
        tag: Tag,
        proven: Result<Authenticated, Refusal>,
    ) {
        let Some(connection) = self.connections.get(id) else { return };
        connection.proving = false;
        let who = match proven {
            Ok(who) => who,
            Err(refusal) => {
                let stranger = connection.user.is_none();
                self.refuse(now, id, tag, None, &refusal);
                // Whoever is known stays so until the token that proved it ends.
                if stranger {
                    let reason = match (refusal.code, refusal.retry_after_ms) {
                        (Code::RateLimit, Some(wait)) => CloseReason::RateLimit(wait),
                        // Whoever is good and was not wanted, and whoever nobody could be asked about.
                        (Code::Forbidden, _) => CloseReason::Forbidden,
                        (Code::Busy, _) => CloseReason::AuthTimeout,
                        _ => CloseReason::TokenExpired,
                    };
                    self.end(now, id, reason);
                }
                return;
            }
        };
        let (user, expires) = (who.user.clone(), who.expires);
        let (mut said_anew, mut opened) = (false, false);
        match connection.session.prove(now, who) {
            Proven::TooLate => return,
            Proven::AnotherUser => return self.end(now, id, CloseReason::Forbidden),
            Proven::Opened => {
                connection.user = Some(user.clone());
                self.enrol(now, id);
                opened = true;
            }
            Proven::Renewed => {
                let before = connection.user.replace(user.clone());
                said_anew = before.is_some_and(|it| it.person != user.person || it.role != user.role);
            }
        }
        self.arm(now, id);
        let tag_id = tag.id.as_deref();
        self.send(id, &Item::Known { id: tag_id, person: &user.person, expires, at: now.wall });
        if opened {
            self.greet(now, id);
        }
        self.leave_the_forbidden(now, id);
        if said_anew {
            self.renew(now, id, &user);
        }
    }

    /// The token calls the user, or its role, something else: the rooms it is in are to know.
    fn renew(&mut self, now: Now, id: ConnectionId, user: &Arc<User>) {
        let Some(connection) = self.connections.get(id) else { return };
        let rooms: Vec<RoomId> = connection.subscriptions.iter().map(|it| it.room.clone()).collect();
        for room in rooms {
            self.dispatch(now, Command::Renew { room, connection: id, user: user.clone() });
        }
    }

    /// Rooms that the newer token does not allow any more.
    fn leave_the_forbidden(&mut self, now: Now, id: ConnectionId) {
        let Some(connection) = self.connections.get(id) else { return };
        let Some(user) = connection.user.clone() else { return };
        let forbidden = connection.subscriptions.iter().filter(|it| !user.may_enter(&it.room));
        let forbidden: Vec<(RoomId, bool)> = forbidden.map(|it| (it.room.clone(), it.full_name)).collect();
        for (room, full_name) in forbidden {
            let name = spelled(&room, full_name).to_owned();
            self.left(now, id, room.clone(), Tag { id: None, full_name });
            let refusal = Refusal::new(Code::Forbidden, "your new token does not allow this room");
            // Said, and not held against the client, which asked for nothing.
            self.send(id, &Item::Refused { room: Some(&name), id: None, refusal: &refusal, at: now.wall });
            self.end_if_own(now, id, &room, &refusal);
        }
    }

    pub(crate) fn revoke(&mut self, now: Now, revocation: &Revocation) {
        let shard = self.id;
        let revoked: Vec<ConnectionId> = self
            .connections
            .iter()
            .filter(|(_, connection)| {
                connection.session.who().is_some_and(|who| who.is_revoked_by(revocation))
            })
            .map(|(slot, connection)| ConnectionId { shard, slot, generation: connection.generation })
            .collect();
        for id in revoked {
            self.end(now, id, CloseReason::TokenExpired);
        }
    }
}

//! Who comes into a room: admitted by the app, seated, and told where it stands. What was missed comes by `pages`.

use std::sync::Arc;

use engine::Read;
use vocabulary::{Caller, Code, Command, ConnectionId, Delivery, Join, Joined, Refusal, User, Verdict};

use super::pages::{Reader, Want};
use super::{Home, Phase};
use crate::cx::Cx;
use crate::seats::Seat;

/// Records that are asked for before somebody is refused: what another node stored in the last moment.
const NEWER: u32 = 500;

impl Home {
    pub(super) fn join(&mut self, cx: &mut Cx<'_>, join: Join) {
        self.join_as_known(cx, join, false);
    }

    /// `newest`: nothing came after what is folded here, when the engine was asked.
    fn join_as_known(&mut self, cx: &mut Cx<'_>, join: Join, newest: bool) {
        let Some(log) = super::Home::log(self) else { return };
        let caller = Caller::Connection { id: join.connection, user: join.user.clone() };
        let audience = match cx.answered(&self.id, log.fold.admit(cx.now, &caller, &join.payload)) {
            Ok(audience) => audience,
            Err(refusal) if self.may_have_changed(cx, &refusal, newest) => {
                return self.ask_whether_still(cx, join);
            }
            Err(refusal) => {
                // A member that is refused now is none any more, unless it is for a fault of ours.
                // Nor does the end of an older join end what a newer one has begun.
                let ends = refusal.code.is_clients_fault() && !self.is_overtaken(&join);
                self.part(cx, &join, refusal);
                if ends {
                    self.unseat(cx, join.connection, true);
                }
                return;
            }
        };
        let overtaken = self.is_overtaken(&join);
        let upto = log.head();
        let verdict = match join.since {
            None => Verdict::Fresh,
            Some(since) => self.verdict(cx, since, audience),
        };
        let cursor = match (&verdict, join.since) {
            (Verdict::Resumed, Some(since)) => since,
            _ => upto,
        };
        let about = cx.unless_panicked(&self.id, log.fold.about(cx.now, &caller, &join.payload)).flatten();
        let seat = Seat { user: join.user.clone(), audience, ticket: join.ticket, join: join.payload };
        if !overtaken
            && self.seats.insert(join.connection, seat).is_none()
            && let Some((person, count)) = self.presence.join(cx.now.tick, &join.user.person)
        {
            cx.publish_presence(&self.id, person, count);
        }
        let joined = Joined {
            room: self.id.clone(),
            connection: join.connection,
            ticket: join.ticket,
            tag: join.tag,
            audience,
            verdict,
            upto,
            cursor,
            users: self.presence.list(cx.limits.presence_list_max),
            count: app::Roll::count(&self.presence),
            about,
            present: self.present(cx),
        };
        cx.deliver(join.connection.shard, Delivery::Joined(joined));
    }

    /// A newer join of the same connection was answered before this one, for which the engine was asked.
    fn is_overtaken(&self, join: &Join) -> bool {
        self.seats.get(join.connection).is_some_and(|seat| seat.ticket > join.ticket)
    }

    /// Whoever was let in by another node a moment ago is not refused because this one has not heard of it.
    fn may_have_changed(&self, cx: &Cx<'_>, refusal: &Refusal, newest: bool) -> bool {
        let judged = refusal.code.is_clients_fault() && !matches!(self.phase, Phase::Quarantined(..));
        cx.publish && judged && !newest && !self.has_too_many_readers(cx)
    }

    fn ask_whether_still(&mut self, cx: &mut Cx<'_>, join: Join) {
        let Some(head) = self.log().map(crate::log::Log::head) else { return };
        let (after, now, want) = (head.offset, cx.now.tick, Want::Join(Box::new(join)));
        self.ask_for(cx, Reader { asked: now, since: now, flies: false, after, limit: NEWER, want });
    }

    pub(super) fn join_read(&mut self, cx: &mut Cx<'_>, join: Join, outcome: Read) {
        self.bring_forward(cx, outcome);
        if self.log().is_some() {
            self.join_as_known(cx, join, true);
        } else {
            // It is read anew, and who comes waits for that.
            self.command(cx, Command::Join(join));
        }
    }

    /// What waits to be judged again is judged by the newer token.
    pub(super) fn renew_joins(&mut self, connection: ConnectionId, user: &Arc<User>) {
        for reader in self.readers.values_mut() {
            if let Want::Join(join) = &mut reader.want
                && join.connection == connection
            {
                join.user = user.clone();
            }
        }
    }

    /// Joins of a connection that leaves, asked for and not answered yet.
    pub(super) fn forget_joins(&mut self, cx: &mut Cx<'_>, connection: ConnectionId, asked: bool) {
        let of_leaver =
            |reader: &Reader| matches!(&reader.want, Want::Join(join) if join.connection == connection);
        let gone: Vec<Reader> =
            self.readers.extract_if(.., |_, reader| of_leaver(reader)).map(|(_, reader)| reader).collect();
        for reader in gone {
            if let Want::Join(join) = reader.want
                && asked
                && join.tag.id.is_some()
            {
                self.part(cx, &join, Refusal::new(Code::NotInRoom, "you left the room meanwhile"));
            }
        }
    }
}

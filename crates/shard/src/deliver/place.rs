//! A member's place in a room: taken with a join, caught up page by page, given up with a parting.

use std::collections::BTreeMap;

use protocol::Item;
use vocabulary::{
    Ack, Class, Code, ConnectionId, Happening, Joined, Now, Page, PageEntry, Parting, Position, Refusal,
    RoomId, Verdict, Wall, Why,
};

use super::RecordTold;
use crate::Shard;
use crate::members::{CatchingUp, Format, Member, Standing};
use crate::outbox::Pushed;
use crate::speech::spelled;

impl Shard {
    pub(super) fn deliver_joined(&mut self, now: Now, joined: &Joined) {
        let id = joined.connection;
        let Some(connection) = self.connections.get(id) else { return };
        let subscribed = connection.subscription(&joined.room).map(|subscription| subscription.ticket);
        if subscribed != Some(joined.ticket) {
            return self.answer_overtaken(now, joined, subscribed.is_some());
        }
        let format = Format {
            speech: connection.mount,
            full_name: joined.tag.full_name,
            framing: connection.wire.framing(),
        };
        let name = spelled(&joined.room, joined.tag.full_name);
        let at = now.wall;
        let (users, count) = (&joined.users[..], joined.count);
        // Who resumes stands where the verdict says; who joined before and catches up, where that has brought it.
        let position = (joined.verdict == Verdict::Fresh).then(|| match self.member(&joined.room, id) {
            Some(Member { standing: Standing::CatchingUp(behind), .. }) => behind.cursor,
            _ => joined.cursor,
        });
        let tag = joined.tag.id.as_deref();
        let (about, present) = (joined.about.as_ref(), joined.present.as_ref());
        let item = Item::Joined { room: name, id: tag, users, count, about, present, position, at };
        self.send_and_heed(id, &item);
        match &joined.verdict {
            Verdict::Fresh => {}
            // Who has seen more on another node than this one has heard of misses nothing up to there.
            Verdict::Resumed => {
                let upto = joined.upto.max(joined.cursor);
                self.send(id, &Item::Resumed { room: name, upto, at });
            }
            Verdict::Gap(view) => self.send(id, &Item::Gap { room: name, view, upto: joined.upto, at }),
            Verdict::Reset(view) => self.send(id, &Item::Reset { room: name, view, upto: joined.upto, at }),
        }
        // An answer that found no place has ended the connection.
        if self.connections.get(id).is_none() {
            return;
        }
        let local = self.locals.get_or_open(&joined.room, joined.upto);
        local.head = joined.upto;
        let old = local.members.remove(&id.slot).filter(|member| member.generation == id.generation);
        let (standing, owed) = match (old.map(|member| member.standing), &joined.verdict) {
            // Joining again without a position changes nothing about where it stands. A page that was asked for by the
            // older join is for nobody now.
            (Some(Standing::CatchingUp(mut behind)), Verdict::Fresh) => {
                behind.asked = false;
                (Standing::CatchingUp(behind), BTreeMap::new())
            }
            (Some(Standing::Live), Verdict::Fresh) => (Standing::Live, BTreeMap::new()),
            (old, _) => {
                let mut owed = match old {
                    Some(Standing::CatchingUp(behind)) => behind.owed,
                    Some(Standing::Live) | None => BTreeMap::new(),
                };
                if joined.cursor == joined.upto {
                    (Standing::Live, owed)
                } else {
                    let mut behind = CatchingUp::at(joined.cursor);
                    let ahead = |position: &Position| {
                        position.epoch == joined.cursor.epoch && position.offset > joined.cursor.offset
                    };
                    behind.owed = owed.extract_if(.., |position, _| ahead(position)).collect();
                    (Standing::CatchingUp(Box::new(behind)), owed)
                }
            }
        };
        let behind = matches!(standing, Standing::CatchingUp(_));
        let (generation, ticket, audience) = (id.generation, joined.ticket, joined.audience);
        local
            .members
            .insert(id.slot, Member { generation, ticket, audience, format, standing, list_owed: false });
        let how = match &joined.verdict {
            Verdict::Fresh => "fresh",
            Verdict::Resumed => "resumed",
            Verdict::Gap(_) => "gap",
            Verdict::Reset(_) => "reset",
        };
        let cursor = self.cursor(&joined.room, id).unwrap_or(joined.cursor);
        self.trace(now, id, Happening::Joined { room: joined.room.clone(), how, cursor });
        self.send_owed(&joined.room, at, owed);
        if behind {
            self.mark_behind(id);
            self.wants_pages.insert((joined.room.clone(), id.slot));
        }
    }

    /// A join that a later join or leave has overtaken changes nothing, but whoever waits for its answer gets one.
    fn answer_overtaken(&mut self, now: Now, joined: &Joined, subscribed: bool) {
        let (id, tag) = (joined.connection, &joined.tag);
        if tag.id.is_none() {
            return;
        }
        let room = spelled(&joined.room, tag.full_name);
        if subscribed {
            self.send(id, &Item::Done { room, id: tag.id.as_deref(), at: now.wall, reply: None });
        } else {
            let refusal = Refusal::new(Code::NotInRoom, "you left the room meanwhile");
            let room = room.to_owned();
            self.refuse(now, id, tag.clone(), Some(&room), &refusal);
        }
    }

    fn send_owed(&mut self, room: &RoomId, at: Wall, owed: BTreeMap<Position, Vec<Ack>>) {
        for (position, acks) in owed {
            for ack in acks {
                self.send_ack(&RecordTold { room, position, at }, &ack);
            }
        }
    }

    pub(super) fn deliver_page(&mut self, now: Now, page: &Page) {
        let id = page.connection;
        let Some(member) = self.member(&page.room, id) else { return };
        if member.ticket != page.ticket {
            return;
        }
        let format = member.format;
        let Standing::CatchingUp(behind) = &mut member.standing else { return };
        // An older question was answered late: the newer one is on its way.
        let cursor = behind.cursor;
        let older = page.upto.epoch != cursor.epoch || page.upto.offset < cursor.offset;
        if page.verdict == Verdict::Resumed && older {
            return;
        }
        behind.asked = false;
        let mut behind = std::mem::replace(behind, Box::new(CatchingUp::at(page.upto)));
        let name = spelled(&page.room, format.full_name);
        let at = now.wall;
        match &page.verdict {
            Verdict::Gap(view) => {
                self.send_and_heed(id, &Item::Gap { room: name, view, upto: page.upto, at })
            }
            Verdict::Reset(view) => {
                self.send_and_heed(id, &Item::Reset { room: name, view, upto: page.upto, at });
            }
            Verdict::Fresh | Verdict::Resumed => {}
        }
        let seen = |entry: &&PageEntry| {
            entry.position.epoch == cursor.epoch && entry.position.offset <= cursor.offset
        };
        for entry in page.entries.iter().skip_while(seen) {
            if !self.deliver_entry(id, page, name, &mut behind, entry) {
                // The outbox is full: it goes on from here when that has drained.
                return self.still_behind(&page.room, id, behind);
            }
            behind.cursor = entry.position;
        }
        behind.cursor = page.upto;
        // What is owed for records that no page shows: before the cursor, or of an epoch that is over.
        let passed = |position: &Position| position.epoch != page.upto.epoch || *position <= page.upto;
        let owed: Vec<_> = behind.owed.keys().copied().filter(passed).collect();
        for position in owed {
            for ack in behind.owed.remove(&position).unwrap_or_default() {
                self.send_ack(&RecordTold { room: &page.room, position, at }, &ack);
            }
        }
        if !page.live {
            return self.still_behind(&page.room, id, behind);
        }
        // What was owed beyond this page's end cannot be: the page ends at the head.
        if let Some(member) = self.member(&page.room, id) {
            member.standing = Standing::Live;
        }
        self.trace(now, id, Happening::Live { room: page.room.clone(), cursor: page.upto });
        // The room's home stood here when it made the page. After a reload no record has told this shard so.
        if let Some(local) = self.locals.get(&page.room) {
            local.head = local.head.max(page.upto);
        }
    }

    fn mark_behind(&mut self, id: ConnectionId) {
        if let Some(connection) = self.connections.get(id) {
            connection.behind = true;
        }
    }

    fn still_behind(&mut self, room: &RoomId, id: ConnectionId, behind: Box<CatchingUp>) {
        let Some(member) = self.member(room, id) else { return };
        member.standing = Standing::CatchingUp(behind);
        self.mark_behind(id);
        if self.connections.get(id).is_some_and(|connection| connection.outbox.is_empty()) {
            self.wants_pages.insert((room.clone(), id.slot));
        }
    }

    /// One entry of a page: the ack where the record is the member's own, else the record. False: no place for it.
    fn deliver_entry(
        &mut self,
        id: ConnectionId,
        page: &Page,
        name: &str,
        behind: &mut CatchingUp,
        entry: &PageEntry,
    ) -> bool {
        let Some(connection) = self.connections.get(id) else { return false };
        let mount = &self.mounts[usize::from(connection.mount)];
        let (position, at) = (entry.position, entry.at);
        if let Some(acks) = behind.owed.get_mut(&position) {
            while let Some(ack) = acks.last() {
                let room = spelled(&page.room, ack.to.tag.full_name);
                let (ack_id, reply) = (ack.to.tag.id.as_deref(), ack.reply.as_ref());
                let item = Item::Ack { room, id: ack_id, position, at, reply, shown: entry.shown.as_ref() };
                let (reader, framing) = (connection.reader(), connection.wire.framing());
                if let Some(frame) = mount.frame_for(reader, &mut self.pen, framing, &item) {
                    self.counts.frames_encoded += 1;
                    if self.writes.queue(id, connection, frame, Class::Record) == Pushed::Behind {
                        return false;
                    }
                }
                connection.session.answered();
                acks.pop();
            }
            behind.owed.remove(&position);
            return true;
        }
        let Some(shown) = &entry.shown else { return true };
        let item = Item::Record { room: name, shown, position, at };
        let lead = mount.leads(connection, &item);
        let frame = mount.frame(&mut self.pen, connection.wire.framing(), &item);
        if let Some(frame) = frame {
            self.counts.frames_encoded += 1;
            if self.writes.queue(id, connection, frame, Class::Record) == Pushed::Behind {
                return false;
            }
        }
        self.leads.lead(id, lead);
        true
    }

    /// A member that goes while acks are owed to it gets them now: no page will bring them.
    pub(crate) fn release(&mut self, now: Now, room: &RoomId, member: Option<Member>) {
        let Some(Member { standing: Standing::CatchingUp(behind), .. }) = member else { return };
        self.send_owed(room, now.wall, behind.owed);
    }

    pub(super) fn deliver_reread(&mut self, room: &RoomId) {
        let Shard { locals, wants_pages, connections, .. } = self;
        let Some(local) = locals.get(room) else { return };
        let head = local.head;
        for (slot, member) in &mut local.members {
            let Some(behind) = member.fall_behind(head) else { continue };
            behind.asked = false;
            let Some(connection) = connections.at(*slot) else { continue };
            connection.behind = true;
            if connection.outbox.is_empty() {
                wants_pages.insert((room.clone(), *slot));
            }
        }
    }

    pub(super) fn deliver_parting(&mut self, now: Now, parting: &Parting) {
        let Parting { room, connection: id, ticket, answers, refusal } = parting;
        let Some(connection) = self.connections.get(*id) else { return };
        let full_name = connection.subscription(room).is_some_and(|subscription| subscription.full_name);
        let tag = answers.clone().unwrap_or(vocabulary::Tag { id: None, full_name });
        // A join that fails for our own reasons changes nothing: an older one stands. Any other refusal ended that too.
        let mut ended = None;
        if answers.is_some() && !refusal.code.is_clients_fault() {
            self.unjoin(*id, room, *ticket);
        } else {
            let newest =
                connection.subscription(room).is_some_and(|subscription| subscription.ticket == *ticket);
            // A newer join may be on its way; what stands here is ended all the same.
            if newest || self.member(room, *id).is_some_and(|member| member.ticket == *ticket) {
                self.trace_left(now, *id, room, Why::Refused(refusal.code));
                ended = self.locals.remove(room, id.slot);
            }
            if newest && let Some(connection) = self.connections.get(*id) {
                connection.unsubscribe(room);
            }
        }
        // Who was led there asked for nothing.
        if !self.is_led(*id, room) {
            let name = spelled(room, tag.full_name).to_owned();
            self.refuse(now, *id, tag, Some(&name), refusal);
            self.end_if_own(now, *id, room, refusal);
        }
        // Behind the parting, because what is owed may stand beyond what was seen.
        self.release(now, room, ended);
    }

    /// Asks a room's home for a member's next page, unless one is on its way or the socket still has bytes to take.
    pub(crate) fn ask_page(&mut self, now: Now, room: &RoomId, slot: u32) {
        let Some(connection) = self.connections.at(slot).filter(|connection| connection.outbox.is_empty())
        else {
            return;
        };
        let generation = connection.generation;
        let id = ConnectionId { shard: self.id, slot, generation };
        let Some(member) = self.member(room, id) else { return };
        let ticket = member.ticket;
        let Standing::CatchingUp(behind) = &mut member.standing else { return };
        if std::mem::replace(&mut behind.asked, true) {
            return;
        }
        let since = behind.cursor;
        self.dispatch(now, vocabulary::Command::Page { room: room.clone(), connection: id, ticket, since });
    }
}

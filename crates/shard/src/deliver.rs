//! From a home's deliveries to frames in outboxes: encoded once per audience and format, pushed once per member.
//! Nothing here waits for an answer.

use std::collections::BTreeMap;

use protocol::Item;
use vocabulary::{
    Ack, Asker, Audience, Class, Code, ConnectionId, Delivery, Happening, Joined, Notice, Now, Page,
    PageEntry, Parting, Person, Position, PresenceNews, Recipients, RecordNews, Refusal, Reply, ReplyTo,
    RoomId, Shown, Sight, Told, Verdict, Wall, Why,
};
use websocket::Compression;

use crate::connection::Connection;
use crate::members::{CatchingUp, Format, Member, Standing};
use crate::outbox::{Frame, Pushed};
use crate::speech::{Mount, Pen, spelled};
use crate::writes::Writes;
use crate::{Counts, Output, Shard};

/// The frames of one delivery, as far as they were needed. Members of a room have few audiences and formats, so a list
/// is the fastest map.
#[derive(Default)]
struct Made(Vec<(Audience, Format, Option<Frame>)>);

impl Made {
    fn get(
        &mut self,
        audience: Audience,
        format: Format,
        make: impl FnOnce() -> Option<Frame>,
    ) -> Option<Frame> {
        let found = self.0.iter().find(|(a, f, _)| *a == audience && *f == format);
        match found {
            Some((_, _, frame)) => frame.clone(),
            None => {
                let frame = make();
                self.0.push((audience, format, frame.clone()));
                frame
            }
        }
    }
}

fn sight(sights: &[Sight], audience: Audience) -> Option<&Shown> {
    sights.iter().find(|sight| sight.audience == audience)?.shown.as_ref()
}

/// What members of one audience and format get of a delivery's records.
struct Row {
    /// A frame per record, with its class; none where the record is hidden.
    frames: Vec<Option<(Frame, Class)>>,
    /// All of them in one piece, if each may be treated alike.
    shared: Option<(Frame, u32)>,
}

impl Row {
    fn make(
        room: &RoomId,
        records: &[RecordNews],
        (audience, format): (Audience, Format),
        mount: &Mount,
        pen: &mut Pen,
    ) -> Row {
        let name = spelled(room, format.full_name);
        let frame = |news: &RecordNews| {
            let shown = sight(&news.sights, audience)?;
            let item = Item::Record { room: name, shown, position: news.position, at: news.at };
            Some((mount.frame(pen, format.compression, &item)?, class_in(room, shown.class)))
        };
        let frames: Vec<_> = records.iter().map(frame).collect();
        let alike = frames.iter().flatten().all(|(_, class)| *class == Class::Record);
        let shared = match &frames[..] {
            _ if !alike => None,
            [Some((frame, _))] => Some((frame.clone(), 1)),
            _ => {
                let pieces: Vec<&[u8]> = frames.iter().flatten().map(|(frame, _)| &**frame).collect();
                (!pieces.is_empty()).then(|| (pieces.concat().into(), pieces.len() as u32))
            }
        };
        Row { frames, shared }
    }
}

/// Records for a member that is one of their authors, or whose records are not all alike.
struct OneByOne<'a> {
    room: &'a RoomId,
    records: &'a [RecordNews],
    row: &'a Row,
    mount: &'a Mount,
    pen: &'a mut Pen,
    writes: &'a mut Writes,
    counts: &'a mut Counts,
}

impl OneByOne<'_> {
    /// The index of the first record that found no place, if one did not.
    fn queue(&mut self, id: ConnectionId, connection: &mut Connection) -> Option<usize> {
        for (index, news) in self.records.iter().enumerate() {
            let acks = news.acks.iter().filter(|ack| ack.to.asker.connection() == Some(id)).count();
            let (frame, messages, class) = if acks == 0 {
                let Some((frame, class)) = &self.row.frames[index] else { continue };
                (frame.clone(), 1, *class)
            } else {
                (self.acks(news, id, connection.compression), acks as u32, Class::Record)
            };
            match (self.writes.queue_row(id, connection, frame, messages, class), class) {
                (Pushed::Behind, _) | (Pushed::Dropped, Class::Latest(_)) => return Some(index),
                _ => {}
            }
            for _ in 0..acks {
                connection.session.answered();
            }
        }
        None
    }

    /// In one piece: an id that was sent twice before it was stored is acknowledged twice, or not yet.
    fn acks(&mut self, news: &RecordNews, id: ConnectionId, compression: Compression) -> Frame {
        let mut all: Option<Frame> = None;
        for ack in news.acks.iter().filter(|ack| ack.to.asker.connection() == Some(id)) {
            let room = spelled(self.room, ack.to.tag.full_name);
            let (tag, reply) = (ack.to.tag.id.as_deref(), ack.reply.as_ref());
            let item = Item::Ack { room, id: tag, position: news.position, at: news.at, reply };
            let Some(frame) = self.mount.frame(self.pen, compression, &item) else { continue };
            self.counts.frames_encoded += 1;
            all = Some(all.map_or(frame.clone(), |before| [&*before, &*frame].concat().into()));
        }
        all.unwrap_or_default()
    }
}

/// A record's ack or its delivery, for one member.
struct RecordTold<'a> {
    room: &'a RoomId,
    position: Position,
    at: Wall,
}

impl Shard {
    pub(crate) fn deliver(&mut self, now: Now, delivery: &Delivery) {
        match delivery {
            Delivery::Records { room, records } => self.deliver_records(now, room, records),
            Delivery::Acked { room, position, at, ack } => {
                self.deliver_ack(&RecordTold { room, position: *position, at: *at }, ack);
            }
            Delivery::Joined(joined) => self.deliver_joined(now, joined),
            Delivery::Page(page) => self.deliver_page(now, page),
            Delivery::Reread { room } => self.deliver_reread(room),
            Delivery::Parted(parting) => self.deliver_parting(now, parting),
            Delivery::Retagged { room, connection, audience } => {
                if let Some(member) = self.member(room, *connection) {
                    member.audience = *audience;
                }
            }
            Delivery::Notice { room, recipients, notice: Notice::Soft { sights, at } } => {
                self.deliver_soft(room, recipients, sights, *at);
            }
            Delivery::Notice { room, notice: Notice::Presence { news, at }, .. } => {
                self.deliver_presence(room, news, *at);
            }
            Delivery::Reply { room, to, reply, at } => self.deliver_reply(now, room, to, reply, *at),
            Delivery::Outcome { step, result } => self.rooms.outcome(now, step.clone(), result.clone()),
            Delivery::Ended { connection, reason } => self.end(now, *connection, *reason),
        }
    }

    fn member(&mut self, room: &RoomId, id: ConnectionId) -> Option<&mut Member> {
        let member = self.locals.get(room)?.members.get_mut(&id.slot)?;
        (member.generation == id.generation).then_some(member)
    }

    fn deliver_records(&mut self, now: Now, room: &RoomId, records: &[RecordNews]) {
        let mut fell_behind: Vec<(ConnectionId, Position)> = Vec::new();
        let authors: Vec<ConnectionId> =
            records.iter().flat_map(|news| &news.acks).filter_map(|ack| ack.to.asker.connection()).collect();
        let Shard { locals, connections, mounts, pen, writes, wants_pages, counts, .. } = self;
        if let (Some(local), Some(last)) = (locals.get(room), records.last()) {
            let before = std::mem::replace(&mut local.head, last.position);
            let mut rows: Vec<((Audience, Format), Row)> = Vec::with_capacity(1);
            for (slot, member) in &mut local.members {
                let id = ConnectionId { shard: self.id, slot: *slot, generation: member.generation };
                let own = authors.contains(&id);
                if let Standing::CatchingUp(behind) = &mut member.standing {
                    if own {
                        behind.owe(id, records);
                    }
                    continue;
                }
                let Some(connection) = connections.at(*slot) else { continue };
                let mount = &mounts[usize::from(connection.mount)];
                let kind = (member.audience, member.format);
                let row = match rows.iter().position(|(other, _)| *other == kind) {
                    Some(at) => &rows[at].1,
                    None => {
                        let row = Row::make(room, records, kind, mount, pen);
                        counts.frames_encoded += row.frames.iter().flatten().count() as u64;
                        rows.push((kind, row));
                        &rows[rows.len() - 1].1
                    }
                };
                let stopped = match &row.shared {
                    Some((frame, messages)) if !own => {
                        let pushed =
                            writes.queue_row(id, connection, frame.clone(), *messages, Class::Record);
                        (pushed == Pushed::Behind).then_some(0)
                    }
                    _ => {
                        let mut one = OneByOne { room, records, row, mount, pen, writes, counts };
                        one.queue(id, connection)
                    }
                };
                if let Some(stopped) = stopped {
                    let cursor = if stopped == 0 { before } else { records[stopped - 1].position };
                    if let Some(behind) = member.fall_behind(cursor) {
                        behind.owe(id, &records[stopped..]);
                    }
                    connection.behind = true;
                    fell_behind.push((id, cursor));
                    if connection.outbox.is_empty() {
                        wants_pages.insert((room.clone(), *slot));
                    }
                }
            }
        }
        for (id, cursor) in fell_behind {
            self.trace(now, id, Happening::Behind { room: room.clone(), cursor });
        }
        for news in records {
            for ack in &news.acks {
                // A member's stands among what it was just told.
                let author = ack.to.asker.connection();
                if author.and_then(|author| self.member(room, author)).is_none() {
                    self.send_ack(&RecordTold { room, position: news.position, at: news.at }, ack);
                }
            }
        }
    }

    /// A duplicate's ack: told when its connection has reached the place.
    fn deliver_ack(&mut self, told: &RecordTold<'_>, ack: &Ack) {
        if let Some(id) = ack.to.asker.connection()
            && let Some(member) = self.member(told.room, id)
            && let Standing::CatchingUp(behind) = &mut member.standing
            && behind.cursor < told.position
        {
            behind.owed.entry(told.position).or_default().push(ack.clone());
            return;
        }
        self.send_ack(told, ack);
    }

    fn send_ack(&mut self, told: &RecordTold<'_>, ack: &Ack) {
        let (position, at) = (told.position, told.at);
        let connection = match ack.to.asker {
            Asker::Connection(id) => id,
            Asker::Call(id) => {
                let told = Told::Stored { position, at, reply: ack.reply.clone() };
                return self.outputs.push_back(Output::Told(id, told));
            }
        };
        self.freed(&ack.to);
        let name = spelled(told.room, ack.to.tag.full_name);
        let (id, reply) = (ack.to.tag.id.as_deref(), ack.reply.as_ref());
        let item = Item::Ack { room: name, id, position: told.position, at: told.at, reply };
        self.send(connection, &item);
    }

    fn deliver_joined(&mut self, now: Now, joined: &Joined) {
        let id = joined.connection;
        let Some(connection) = self.connections.get(id) else { return };
        let subscribed = connection.subscription(&joined.room).map(|subscription| subscription.ticket);
        if subscribed != Some(joined.ticket) {
            return self.answer_overtaken(now, joined, subscribed.is_some());
        }
        let format = Format {
            speech: connection.mount,
            full_name: joined.tag.full_name,
            compression: connection.compression,
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
        self.send(id, &Item::Joined { room: name, id: tag, users, count, position, at });
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

    fn deliver_page(&mut self, now: Now, page: &Page) {
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
            Verdict::Gap(view) => self.send(id, &Item::Gap { room: name, view, upto: page.upto, at }),
            Verdict::Reset(view) => self.send(id, &Item::Reset { room: name, view, upto: page.upto, at }),
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
                let item = Item::Ack { room, id: ack_id, position, at, reply };
                if let Some(frame) = mount.frame(&mut self.pen, connection.compression, &item) {
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
        let Some(frame) = mount.frame(&mut self.pen, connection.compression, &item) else {
            return true;
        };
        self.counts.frames_encoded += 1;
        self.writes.queue(id, connection, frame, Class::Record) != Pushed::Behind
    }

    /// A member that goes while acks are owed to it gets them now: no page will bring them.
    pub(crate) fn release(&mut self, now: Now, room: &RoomId, member: Option<Member>) {
        let Some(Member { standing: Standing::CatchingUp(behind), .. }) = member else { return };
        self.send_owed(room, now.wall, behind.owed);
    }

    fn deliver_reread(&mut self, room: &RoomId) {
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

    fn deliver_parting(&mut self, now: Now, parting: &Parting) {
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
        let name = spelled(room, tag.full_name).to_owned();
        self.refuse(now, *id, tag, Some(&name), refusal);
        // Behind the parting, because what is owed may stand beyond what was seen.
        self.release(now, room, ended);
    }

    fn deliver_soft(&mut self, room: &RoomId, recipients: &Recipients, sights: &[Sight], at: Wall) {
        let Shard { locals, connections, mounts, pen, writes, .. } = self;
        let Some(local) = locals.get(room) else { return };
        let mut made = Made::default();
        for (slot, member) in &mut local.members {
            let id = ConnectionId { shard: self.id, slot: *slot, generation: member.generation };
            let Some(connection) = connections.at(*slot) else { continue };
            let meant = match recipients {
                Recipients::Everybody => true,
                Recipients::EverybodyBut(author) => *author != id,
                Recipients::Users(users) => {
                    connection.user.as_ref().is_some_and(|user| users.contains(&user.person.id))
                }
            };
            let Some(shown) = sight(sights, member.audience).filter(|_| meant) else { continue };
            let mount = &mounts[usize::from(connection.mount)];
            let name = spelled(room, member.format.full_name);
            let frame = made.get(member.audience, member.format, || {
                self.counts.frames_encoded += 1;
                mount.frame(pen, member.format.compression, &Item::Soft { room: name, shown, at })
            });
            if let Some(frame) = frame {
                // Whatever becomes of it is by its class, which says that it may be lost.
                let _ = writes.queue(id, connection, frame, class_in(room, shown.class));
            }
        }
    }

    fn deliver_presence(&mut self, room: &RoomId, news: &PresenceNews, at: Wall) {
        for person in &news.joined {
            self.tell_person(room, person, |name| Item::Came { room: name, person, at });
        }
        for person in &news.left {
            self.tell_person(room, person, |name| Item::Went { room: name, person, at });
        }
        let counts_only = news.joined.is_empty() && news.left.is_empty();
        if news.users.is_some() || counts_only {
            let users = news.users.as_deref().unwrap_or_default();
            let count = news.count;
            let class = Class::Latest(PRESENCE_LIST);
            self.tell_all(
                room,
                class,
                |name| Item::Members { room: name, id: None, users, count, at },
                |_| true,
            );
        }
    }

    /// A person's own connections know.
    fn tell_person<'a>(&mut self, room: &'a RoomId, person: &Person, item: impl Fn(&'a str) -> Item<'a>) {
        // Coming and going cannot be read in any log later, so of each person the newest word is kept.
        let class = Class::Latest(key_of(person.id.as_str()));
        self.tell_all(room, class, item, |user| user.person.id != person.id);
    }

    fn tell_all<'a>(
        &mut self,
        room: &'a RoomId,
        class: Class,
        item: impl Fn(&'a str) -> Item<'a>,
        meant: impl Fn(&vocabulary::User) -> bool,
    ) {
        let Shard { locals, connections, mounts, pen, writes, .. } = self;
        let Some(local) = locals.get(room) else { return };
        let mut made = Made::default();
        for (slot, member) in &mut local.members {
            let id = ConnectionId { shard: self.id, slot: *slot, generation: member.generation };
            let told = |connection: &&mut Connection| connection.user.as_deref().is_some_and(&meant);
            let Some(connection) = connections.at(*slot).filter(told) else {
                continue;
            };
            let mount = &mounts[usize::from(connection.mount)];
            let frame = made.get(Audience::default(), member.format, || {
                self.counts.frames_encoded += 1;
                mount.frame(pen, member.format.compression, &item(spelled(room, member.format.full_name)))
            });
            if let Some(frame) = frame
                && writes.queue(id, connection, frame, class_in(room, class)) == Pushed::Dropped
                && !writes.pressure.sheds(class)
            {
                member.list_owed = true;
                connection.behind = true;
            }
        }
    }

    fn deliver_reply(&mut self, now: Now, room: &RoomId, to: &ReplyTo, reply: &Reply, at: Wall) {
        let connection = match to.asker {
            Asker::Connection(id) => id,
            Asker::Call(id) => {
                let told = Told::Reply { reply: reply.clone(), at };
                return self.outputs.push_back(Output::Told(id, told));
            }
        };
        self.freed(to);
        let name = spelled(room, to.tag.full_name);
        let id = to.tag.id.as_deref();
        let item = match reply {
            Reply::Refused(refusal) => {
                return self.refuse(now, connection, to.tag.clone(), Some(name), refusal);
            }
            // Without an id nobody waits for it.
            Reply::Done(None) if id.is_none() => return,
            Reply::Done(reply) => Item::Done { room: name, id, at, reply: reply.as_ref() },
            Reply::Members { users, count } => Item::Members { room: name, id, users, count: *count, at },
            Reply::History { entries, upto } => Item::History { room: name, id, entries, upto: *upto, at },
        };
        self.send(connection, &item);
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

/// The list of a room's users: only the newest matters.
const PRESENCE_LIST: u64 = u64::MAX - 1;

/// A key of the app's is its own in each room.
fn class_in(room: &RoomId, class: Class) -> Class {
    match class {
        Class::Latest(key) => Class::Latest(key ^ key_of(room.as_str())),
        other => other,
    }
}

/// FNV-1a: for telling keys apart that are not chosen by anybody who gains from a collision.
fn key_of(text: &str) -> u64 {
    text.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
    })
}

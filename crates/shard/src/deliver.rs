//! From a home's deliveries to frames in outboxes: encoded once per audience and format, pushed once per member.
//! Nothing here waits for an answer.

mod place;
mod tell;

use protocol::{Item, Lead};
use vocabulary::{
    Ack, Asker, Audience, Class, ConnectionId, Delivery, Happening, Notice, Now, Position, RecordNews,
    RoomId, Shown, Sight, Told, Wall,
};

use crate::connection::Connection;
use crate::members::{Format, Member, Standing};
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
            Some((mount.frame(pen, format.framing, &item)?, class_in(room, shown.class)))
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
    audience: Audience,
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
            let made = if acks == 0 {
                self.row.frames[index].clone().map(|(frame, class)| (frame, 1, class))
            } else {
                self.acks(news, id, connection).map(|frame| (frame, acks as u32, Class::Record))
            };
            if let Some((frame, messages, class)) = made {
                match (self.writes.queue_kept(id, connection, frame, messages, class), class) {
                    (Pushed::Behind, _) | (Pushed::Dropped, Class::Latest(_)) => return Some(index),
                    _ => {}
                }
            }
            for _ in 0..acks {
                connection.session.answered();
            }
        }
        None
    }

    /// In one piece: an id that was sent twice before it was stored is acknowledged twice, or not yet. None: the protocol has no
    /// word for any of them.
    fn acks(&mut self, news: &RecordNews, id: ConnectionId, connection: &Connection) -> Option<Frame> {
        let (reader, framing) = (connection.reader(), connection.wire.framing());
        let shown = sight(&news.sights, self.audience);
        let mut all: Option<Frame> = None;
        for ack in news.acks.iter().filter(|ack| ack.to.asker.connection() == Some(id)) {
            let room = spelled(self.room, ack.to.tag.full_name);
            let (tag, reply) = (ack.to.tag.id.as_deref(), ack.reply.as_ref());
            let item = Item::Ack { room, id: tag, position: news.position, at: news.at, reply, shown };
            let Some(frame) = self.mount.frame_for(reader, self.pen, framing, &item) else { continue };
            self.counts.frames_encoded += 1;
            all = Some(all.map_or(frame.clone(), |before| [&*before, &*frame].concat().into()));
        }
        all
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

    pub(crate) fn member(&mut self, room: &RoomId, id: ConnectionId) -> Option<&mut Member> {
        let member = self.locals.get(room)?.members.get_mut(&id.slot)?;
        (member.generation == id.generation).then_some(member)
    }

    fn deliver_records(&mut self, now: Now, room: &RoomId, records: &[RecordNews]) {
        let mut fell_behind: Vec<(ConnectionId, Position)> = Vec::new();
        let authors: Vec<ConnectionId> =
            records.iter().flat_map(|news| &news.acks).filter_map(|ack| ack.to.asker.connection()).collect();
        let Shard { locals, connections, mounts, pen, writes, wants_pages, leads, counts, .. } = self;
        let mut told = 0;
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
                told += 1;
                let mount = &mounts[usize::from(connection.mount)];
                let kind = (member.audience, member.format);
                if mount.own_room.is_some() {
                    leads.lead(id, leads_of(room, records, member, (mount, connection)));
                }
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
                        let audience = member.audience;
                        let mut one = OneByOne { room, records, row, audience, mount, pen, writes, counts };
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
        if told > 0 {
            counts.broadcasts += 1;
            if self.limits.says_broadcasts {
                self.outputs.push_back(Output::Broadcast(room.clone(), told));
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
        let item = Item::Ack { room: name, id, position: told.position, at: told.at, reply, shown: None };
        self.send(connection, &item);
    }
}

/// Where a member is led by what it is told of these.
fn leads_of<'a>(
    room: &'a RoomId,
    records: &'a [RecordNews],
    member: &'a Member,
    (mount, connection): (&'a Mount, &'a Connection),
) -> impl Iterator<Item = Lead> + 'a {
    let name = spelled(room, member.format.full_name);
    records.iter().filter_map(move |news| {
        let shown = sight(&news.sights, member.audience)?;
        let item = Item::Record { room: name, shown, position: news.position, at: news.at };
        mount.leads(connection, &item)
    })
}

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

//! What no log holds: soft values, presence, replies.

use protocol::Item;
use vocabulary::{
    Asker, Audience, Class, ConnectionId, Now, Person, PresenceNews, Recipients, Reply, ReplyTo, RoomId,
    Sight, Told, Wall,
};

use super::{Made, class_in, key_of, sight};
use crate::connection::Connection;
use crate::outbox::Pushed;
use crate::speech::spelled;
use crate::{Output, Shard};

/// The list of a room's users: only the newest matters.
const PRESENCE_LIST: u64 = u64::MAX - 1;

impl Shard {
    pub(super) fn deliver_soft(
        &mut self,
        room: &RoomId,
        recipients: &Recipients,
        sights: &[Sight],
        at: Wall,
    ) {
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
                mount.frame(pen, member.format.framing, &Item::Soft { room: name, shown, at })
            });
            if let Some(frame) = frame {
                // Whatever becomes of it is by its class, which says that it may be lost.
                let _ = writes.queue(id, connection, frame, class_in(room, shown.class));
            }
        }
    }

    pub(super) fn deliver_presence(&mut self, room: &RoomId, news: &PresenceNews, at: Wall) {
        let present = news.present.as_ref();
        for person in &news.joined {
            self.tell_person(room, person, |name| {
                [Item::Came { room: name, person, present, at }, Item::Online { person, at }]
            });
        }
        for person in &news.left {
            self.tell_person(room, person, |name| {
                [Item::Went { room: name, person, present, at }, Item::Offline { person, at }]
            });
        }
        let counts_only = news.joined.is_empty() && news.left.is_empty();
        if news.users.is_some() || counts_only {
            let users = news.users.as_deref().unwrap_or_default();
            let count = news.count;
            let class = Class::Latest(PRESENCE_LIST);
            self.tell_all(
                room,
                class,
                |name| [Item::Members { room: name, id: None, asked: None, users, count, present, at }],
                |_| true,
            );
        }
    }

    /// A person's own connections know.
    fn tell_person<'a>(
        &mut self,
        room: &'a RoomId,
        person: &Person,
        items: impl Fn(&'a str) -> [Item<'a>; 2],
    ) {
        // Coming and going cannot be read in any log later, so of each person the newest word is kept.
        let class = Class::Latest(key_of(person.id.as_str()));
        self.tell_all(room, class, items, |user| user.person.id != person.id);
    }

    /// What a protocol has words for of these, in one piece.
    fn tell_all<'a, const N: usize>(
        &mut self,
        room: &'a RoomId,
        class: Class,
        items: impl Fn(&'a str) -> [Item<'a>; N],
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
                let items = items(spelled(room, member.format.full_name));
                let mut frames =
                    items.iter().filter_map(|item| mount.frame(pen, member.format.framing, item));
                let first = frames.next()?;
                Some(frames.fold(first, |before, frame| [&*before, &*frame].concat().into()))
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

    pub(super) fn deliver_reply(&mut self, now: Now, room: &RoomId, to: &ReplyTo, reply: &Reply, at: Wall) {
        let connection = match to.asker {
            Asker::Connection(id) => id,
            Asker::Call(id) => {
                let told = Told::Reply { reply: reply.clone(), at };
                return self.outputs.push_back(Output::Told(id, told));
            }
        };
        self.freed(to);
        let user = self.connections.get(connection).and_then(|connection| connection.user.clone());
        let name = spelled(room, to.tag.full_name);
        let id = to.tag.id.as_deref();
        let item = match reply {
            Reply::Refused(refusal) => {
                return self.refuse(now, connection, to.tag.clone(), Some(name), refusal);
            }
            // Without an id nobody waits for it.
            Reply::Done(None) if id.is_none() => return,
            Reply::Done(reply) => Item::Done { room: name, id, at, reply: reply.as_ref() },
            Reply::Members { users, count, present } => {
                let (asked, present) = (user.as_deref(), present.as_ref());
                Item::Members { room: name, id, asked, users, count: *count, present, at }
            }
            // No connection asks for a sink, nor as an operator.
            Reply::Outward { .. } | Reply::Retold(_) => return,
            Reply::History { entries, upto, next } => {
                Item::History { room: name, id, entries, upto: *upto, next: *next, at }
            }
        };
        self.send(connection, &item);
    }
}

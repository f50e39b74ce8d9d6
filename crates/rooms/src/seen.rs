//! The rooms of this shard as an operator sees them, and what an operator may do to one: put somebody out, and have a quarantined
//! one tried again. It opens no room and asks no engine to look.

use std::collections::BTreeMap;
use std::ops::Bound;

use vocabulary::{Now, RoomId, RoomInside, RoomSeen, RoomState, RoomsWanted, UserId};

use crate::Rooms;

impl Rooms {
    /// Looks at so many rooms more, and keeps in `page` those that are wanted, by their names, as many as a page has. Where to go
    /// on from, unless that was all.
    pub fn look_at(
        &self,
        wanted: &RoomsWanted,
        page: &mut BTreeMap<String, RoomSeen>,
        from: Option<RoomId>,
        most: usize,
    ) -> Option<RoomId> {
        let from = from.map_or(Bound::Unbounded, Bound::Excluded);
        let mut last = None;
        for (room, home) in self.homes.range((from, Bound::Unbounded)).take(most) {
            last = Some(room);
            if !wanted.has(room) || wanted.members.is_some_and(|some| some != home.has_members()) {
                continue;
            }
            let full = page.len() >= wanted.limit;
            if full && page.last_key_value().is_none_or(|(name, _)| room.as_str() > name.as_str()) {
                continue;
            }
            page.insert(room.as_str().to_owned(), home.seen(self.is_steward(room)));
            if full {
                page.pop_last();
            }
        }
        let last = last?;
        let more = self.homes.range((Bound::Excluded(last), Bound::Unbounded)).next().is_some();
        more.then(|| last.clone())
    }

    pub fn inside(&self, room: &RoomId) -> Option<RoomInside> {
        let home = self.homes.get(room)?;
        Some(home.inside(self.is_steward(room), &self.config.limits))
    }

    /// How many connections left it; none: it is not open here.
    pub fn kick(&mut self, now: Now, room: &RoomId, user: &UserId) -> Option<u32> {
        let mut left = None;
        self.with(now, room, |home, cx| left = Some(home.kick(cx, user)));
        left
    }

    /// Or how it is, where it is no quarantined one; none: it is not open here.
    pub fn release(&mut self, now: Now, room: &RoomId) -> Result<(), Option<RoomState>> {
        let mut released = Err(None);
        self.with(now, room, |home, cx| released = home.release(cx).map_err(Some));
        released
    }
}

//! Counts what arrives: every stamp against the next one that this member expects of that author.
//!
//! A jump is a gap; a gap that is filled later was an order break; anything else from the past is a duplicate. Never
//! guesses: what is not counted here has not arrived.

use std::collections::HashSet;

use crate::histogram::Histogram;
use crate::stamp::Stamp;

/// Who hears whom: members of a room hear its authors.
#[derive(Debug, Clone)]
pub(crate) struct Cast {
    /// Room of each member.
    pub rooms: Vec<u32>,
    /// Authors `room * authors_per_room ..` speak in a room.
    pub authors_per_room: u32,
    /// Which member each author is.
    pub members: Vec<u32>,
    /// Whether the server sends an author its own messages.
    pub echo: bool,
}

impl Cast {
    fn hears(&self, member: u32, author: u32) -> bool {
        author / self.authors_per_room == self.rooms[member as usize]
            && (self.echo || self.members[author as usize] != member)
    }

    /// How many members hear one message of this author.
    pub(crate) fn listeners(&self, author: u32) -> u32 {
        (0..self.rooms.len() as u32).filter(|member| self.hears(*member, author)).count() as u32
    }
}

/// Faults of delivery, in messages.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Faults {
    /// Skipped and never seen.
    pub lost: u64,
    /// Sent, but not seen before waiting ended; nothing later was seen either.
    pub late: u64,
    pub duplicates: u64,
    /// Came after a later message of the same author.
    pub order_breaks: u64,
    /// Came to a member of another room, or to its own author.
    pub strays: u64,
}

impl Faults {
    pub(crate) fn none(&self) -> bool {
        *self == Self::default()
    }
}

#[derive(Debug)]
pub(crate) struct Tally {
    cast: Cast,
    /// Next sequence number, per member and author of its room.
    next: Vec<u32>,
    /// Skipped so far: stream and sequence.
    skipped: HashSet<(u32, u32)>,
    faults: Faults,
    delivered: u64,
    pub latency_us: Histogram,
    flights: Vec<u32>,
    completed: u32,
}

impl Tally {
    /// Messages in flight in a closed loop stay below this.
    pub(crate) const WINDOW_MAX: u32 = 1024;

    pub(crate) fn new(cast: Cast) -> Self {
        let streams = cast.rooms.len() * cast.authors_per_room as usize;
        Self {
            cast,
            next: vec![0; streams],
            skipped: HashSet::new(),
            faults: Faults::default(),
            delivered: 0,
            latency_us: Histogram::default(),
            flights: vec![0; Self::WINDOW_MAX as usize],
            completed: 0,
        }
    }

    #[inline]
    pub(crate) fn take(&mut self, member: u32, stamp: Stamp, now_us: u64) {
        let authors = self.cast.authors_per_room;
        let foreign = stamp.author / authors != self.cast.rooms[member as usize];
        if foreign || (!self.cast.echo && self.cast.members[stamp.author as usize] == member) {
            self.faults.strays += 1;
            return;
        }
        let stream = member * authors + stamp.author % authors;
        let next = &mut self.next[stream as usize];
        if stamp.sequence >= *next {
            if stamp.sequence > *next {
                self.skipped.extend((*next..stamp.sequence).map(|sequence| (stream, sequence)));
            }
            *next = stamp.sequence + 1;
        } else if self.skipped.remove(&(stream, stamp.sequence)) {
            self.faults.order_breaks += 1;
        } else {
            self.faults.duplicates += 1;
            return;
        }
        self.delivered += 1;
        self.latency_us.record(now_us.saturating_sub(stamp.at_us));
        let flight = &mut self.flights[(stamp.sequence % Self::WINDOW_MAX) as usize];
        if *flight > 0 {
            *flight -= 1;
            if *flight == 0 {
                self.completed += 1;
            }
        }
    }

    /// The only author sends this message and wants to know when all have it; see [`Tally::completed`].
    pub(crate) fn launch(&mut self, sequence: u32, listeners: u32) {
        self.flights[(sequence % Self::WINDOW_MAX) as usize] = listeners;
    }

    pub(crate) fn completed(&self) -> u32 {
        self.completed
    }

    pub(crate) fn delivered(&self) -> u64 {
        self.delivered
    }

    /// The verdict after `sent` messages of each author.
    pub(crate) fn faults(&self, sent: &[u32]) -> Faults {
        let authors = self.cast.authors_per_room;
        let mut faults = Faults { lost: self.skipped.len() as u64, ..self.faults };
        for (member, room) in self.cast.rooms.iter().enumerate() {
            for slot in 0..authors {
                let author = room * authors + slot;
                if author < sent.len() as u32 && self.cast.hears(member as u32, author) {
                    let seen = self.next[member * authors as usize + slot as usize];
                    faults.late += u64::from(sent[author as usize].saturating_sub(seen));
                }
            }
        }
        faults
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Two rooms of two members, all of them authors.
    fn cast(echo: bool) -> Cast {
        Cast { rooms: vec![0, 0, 1, 1], authors_per_room: 2, members: vec![0, 1, 2, 3], echo }
    }

    #[test]
    fn faults_are_told_apart() {
        let none = Faults::default();
        // Author 1 sends 4 messages to member 0. An arrival: member, author, sequence.
        type Arrival = (u32, u32, u32);
        let rows: [(&str, &[Arrival], Faults); 7] = [
            ("all in order", &[(0, 1, 0), (0, 1, 1), (0, 1, 2), (0, 1, 3)], none),
            ("a gap", &[(0, 1, 0), (0, 1, 2), (0, 1, 3)], Faults { lost: 1, ..none }),
            ("nothing came", &[], Faults { late: 4, ..none }),
            ("the tail is missing", &[(0, 1, 0), (0, 1, 1)], Faults { late: 2, ..none }),
            (
                "a duplicate",
                &[(0, 1, 0), (0, 1, 0), (0, 1, 1), (0, 1, 2), (0, 1, 3), (0, 1, 2)],
                Faults { duplicates: 2, ..none },
            ),
            (
                "two changed places",
                &[(0, 1, 0), (0, 1, 2), (0, 1, 1), (0, 1, 3)],
                Faults { order_breaks: 1, ..none },
            ),
            (
                "strays: to its author and to another room",
                &[(0, 1, 0), (0, 1, 1), (0, 1, 2), (0, 1, 3), (1, 1, 0), (2, 1, 0)],
                Faults { strays: 2, ..none },
            ),
        ];
        for (name, arrivals, expected) in rows {
            let mut tally = Tally::new(cast(false));
            for (member, author, sequence) in arrivals {
                tally.take(*member, Stamp { author: *author, sequence: *sequence, at_us: 0 }, 1);
            }
            assert_eq!(tally.faults(&[0, 4, 0, 0]), expected, "{name}");
        }
    }

    #[test]
    fn an_echoing_server_owes_the_author_its_own() {
        assert_eq!(cast(false).listeners(0), 1);
        assert_eq!(cast(true).listeners(0), 2);
        assert_eq!(Tally::new(cast(true)).faults(&[3, 0, 0, 0]).late, 6);
    }

    #[test]
    fn a_flight_ends_when_all_have_it() {
        let mut tally =
            Tally::new(Cast { rooms: vec![0, 0, 0], authors_per_room: 1, members: vec![2], echo: false });
        for sequence in 0..2 {
            tally.launch(sequence, 2);
        }
        let steps = [(0, 0, 0), (0, 1, 0), (1, 0, 1), (1, 1, 2)];
        for (member, sequence, completed) in steps {
            tally.take(member, Stamp { author: 0, sequence, at_us: 0 }, 0);
            assert_eq!(tally.completed(), completed);
        }
    }
}

//! One side: its squad, who is on the mat, who is out and in which order they come back. It counts no points by itself.

use serde::{Deserialize, Serialize};

/// A player as an organizer names one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct PlayerSheet {
    pub id: String,
    pub name: String,
    /// On the shirt.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub number: Option<u8>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    Bench,
    Mat,
    /// In the queue of those who come back.
    Out,
    /// Until so much has been played; `from`: where from, and back to.
    Suspended {
        until_ms: i64,
        from: From,
    },
    Expelled,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum From {
    Bench,
    Mat,
    Out,
}

/// What a player has done, as far as the log says.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Figures {
    pub touch_points: u16,
    pub bonus_points: u16,
    pub tackle_points: u16,
    pub raids: u16,
    pub successful_raids: u16,
    pub empty_raids: u16,
    pub do_or_die_raids: u16,
    pub super_raids: u16,
    /// Catches that the player took part in, and those that were credited.
    pub tackles: u16,
    pub successful_tackles: u16,
    pub super_tackles: u16,
    pub outs: u16,
    pub green_cards: u8,
    pub yellow_cards: u8,
    pub red_cards: u8,
}

impl Figures {
    pub(crate) fn raid_points(&self) -> u16 {
        self.touch_points + self.bonus_points
    }

    pub(crate) fn total_points(&self) -> u16 {
        self.raid_points() + self.tackle_points
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Player {
    pub id: String,
    pub name: String,
    pub number: Option<u8>,
    pub place: Place,
    pub figures: Figures,
}

/// Where a side's points came from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Points {
    pub touch: u16,
    pub bonus: u16,
    pub tackle: u16,
    pub all_out: u16,
    /// The side's and no player's: own ways out, technical points, declared players.
    pub technical: u16,
}

impl Points {
    pub(crate) fn sum(&self) -> u16 {
        self.touch + self.bonus + self.tackle + self.all_out + self.technical
    }

    pub(crate) fn add(&mut self, other: &Points) {
        self.touch += other.touch;
        self.bonus += other.bonus;
        self.tackle += other.tackle;
        self.all_out += other.all_out;
        self.technical += other.technical;
    }
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Side {
    pub name: String,
    pub captain: Option<String>,
    pub vice_captain: Option<String>,
    pub players: Vec<Player>,
    /// Indices of those who are out: the first comes back first.
    pub(super) queue: Vec<usize>,
    pub points: Points,
    /// Of tie raids and golden raids, which decide and are no score.
    pub tie_points: u16,
    pub empty_raids: u8,
    pub super_raids: u16,
    pub super_tackles: u16,
    pub substitutions: u8,
    pub time_outs: u8,
    /// Those that were turned down.
    pub reviews: u8,
    /// The raiders of a tie-break, in their order.
    pub tie_raiders: Vec<String>,
    pub tie_raids: u8,
}

impl Side {
    pub(crate) fn score(&self) -> u16 {
        self.points.sum()
    }

    pub(crate) fn on_mat(&self) -> u8 {
        let many = self.players.iter().filter(|player| player.place == Place::Mat).count();
        u8::try_from(many).unwrap_or(u8::MAX)
    }

    pub(crate) fn index(&self, id: &str) -> Option<usize> {
        self.players.iter().position(|player| player.id == id)
    }

    pub(crate) fn player(&self, id: &str) -> Option<&Player> {
        self.players.iter().find(|player| player.id == id)
    }

    pub(crate) fn ids(&self, of: impl Fn(&Player) -> bool) -> Vec<String> {
        self.players.iter().filter(|player| of(player)).map(|player| player.id.clone()).collect()
    }

    /// The ids of those who are out, in the order in which they come back.
    pub(crate) fn queued(&self) -> impl Iterator<Item = &str> {
        self.queue.iter().map(|&index| self.players[index].id.as_str())
    }

    /// Seven and no others.
    pub(crate) fn line_up(&mut self, ids: &[String]) {
        self.queue.clear();
        for player in &mut self.players {
            player.place = if ids.contains(&player.id) { Place::Mat } else { Place::Bench };
        }
    }

    pub(crate) fn put_out(&mut self, index: usize) {
        self.players[index].place = Place::Out;
        self.players[index].figures.outs += 1;
        self.queue.push(index);
    }

    /// First out, first in.
    pub(crate) fn revive(&mut self, many: usize) -> Vec<String> {
        let many = many.min(self.queue.len());
        let back: Vec<usize> = self.queue.drain(..many).collect();
        back.into_iter()
            .map(|index| {
                self.players[index].place = Place::Mat;
                self.players[index].id.clone()
            })
            .collect()
    }

    /// Everybody who is out comes back; who is suspended will come to the mat, not into the queue.
    pub(crate) fn all_back(&mut self) -> Vec<String> {
        for player in &mut self.players {
            if let Place::Suspended { from: from @ From::Out, .. } = &mut player.place {
                *from = From::Mat;
            }
        }
        self.revive(self.queue.len())
    }

    pub(crate) fn suspend(&mut self, index: usize, played_ms: i64, length_ms: i64) {
        let (until_ms, from) = match self.players[index].place {
            Place::Suspended { until_ms, from } => (until_ms + length_ms, from),
            Place::Mat => (played_ms + length_ms, From::Mat),
            Place::Out => (played_ms + length_ms, From::Out),
            Place::Bench | Place::Expelled => (played_ms + length_ms, From::Bench),
        };
        self.queue.retain(|&queued| queued != index);
        self.players[index].place = Place::Suspended { until_ms, from };
    }

    pub(crate) fn expel(&mut self, index: usize) {
        self.queue.retain(|&queued| queued != index);
        self.players[index].place = Place::Expelled;
    }

    pub(crate) fn end_suspension(&mut self, index: usize) {
        let Place::Suspended { from, .. } = self.players[index].place else { return };
        self.players[index].place = match from {
            From::Bench => Place::Bench,
            From::Mat => Place::Mat,
            From::Out => {
                self.queue.push(index);
                Place::Out
            }
        };
    }

    pub(crate) fn substitute(&mut self, leaves: usize, comes: usize) {
        self.players[leaves].place = Place::Bench;
        self.players[comes].place = Place::Mat;
        self.substitutions += 1;
    }
}

//! What devices do: a careful client's own repairs, and whatever the seed draws.

use std::time::Duration;

use serde_json::json;
use vocabulary::RoomId;

use super::Play;
use crate::checkers::{Fact, Violation};
use crate::device::{Ask, Device, Standing, Verb};
use crate::scenario::Habits;
use crate::world::SocketId;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Habit {
    Rejoin,
    Speak,
    Leave,
    History,
    Users,
    Typing,
    Reload,
    HangUp,
    Refresh,
    Nothing,
}

impl Play {
    /// A device's turn.
    pub(super) fn act(&mut self, device: usize) -> Result<(), Violation> {
        let now = self.world.now.tick;
        if self.devices[device].gone {
            return Ok(());
        }
        if self.devices[device].socket.is_none() {
            if self.devices[device].reconnect_at <= now {
                self.connect(device)?;
            }
        } else {
            self.repair(device)?;
            if !self.calm {
                self.do_something(device)?;
            }
        }
        let pace = if self.calm { Duration::from_secs(1) } else { self.world.scenario.pace };
        let next = now + self.random.between(pace / 4, pace * 2);
        // Several reminders may stand for one device: only those that are due at its pace go on.
        if self.devices[device].reconnect_at <= now {
            self.devices[device].reconnect_at = next;
            self.world.remind(next, device as u64);
        }
        Ok(())
    }

    /// What a careful client does by itself: rejoin where a join was refused, resend what was not acknowledged.
    fn repair(&mut self, device: usize) -> Result<(), Violation> {
        let now = self.world.now.tick;
        let wanted: Vec<RoomId> = self.devices[device].wanted.iter().cloned().collect();
        for room in wanted {
            match self.devices[device].standing.get(&room) {
                None => self.join(device, &room, true)?,
                Some(Standing::In) => {
                    let late = |device: &Device, id: &String| {
                        device.unsent.get(id).is_some_and(|u| u.tried + Duration::from_secs(3) <= now)
                    };
                    let ids: Vec<String> = self.unsent_of(device, &room).collect();
                    let again: Vec<String> =
                        ids.into_iter().filter(|id| late(&self.devices[device], id)).take(8).collect();
                    for id in again {
                        self.send(device, &id)?;
                    }
                }
                Some(Standing::Joining | Standing::Leaving) => {}
            }
        }
        Ok(())
    }

    fn do_something(&mut self, device: usize) -> Result<(), Violation> {
        let now = self.world.now.tick;
        let scenario = &self.world.scenario;
        let Some(socket) = self.devices[device].socket else { return Ok(()) };
        let (cuts, half_open, stalls, garbage, resends) =
            (scenario.cuts, scenario.half_open, scenario.stalls, scenario.garbage, scenario.resends);
        if self.random.per_mille(cuts) {
            self.world.tally.fault("cut");
            self.world.cut(socket);
            return Ok(());
        }
        if self.random.per_mille(half_open) {
            self.world.tally.fault("half-open");
            let notices = self.random.millis(200, 6000);
            self.world.deaden(socket, notices);
            return Ok(());
        }
        if self.random.per_mille(stalls) {
            self.world.tally.fault("stalled reader");
            let span = self.random.millis(100, 13_000);
            self.world.stall(socket, span);
        }
        if self.random.per_mille(garbage) {
            return self.babble(device, socket);
        }
        if self.random.per_mille(resends) {
            let ids: Vec<String> = self.devices[device].unsent.keys().cloned().collect();
            if !ids.is_empty() {
                self.world.tally.fault("resend");
                let id = ids[self.random.index(ids.len())].clone();
                return self.send(device, &id);
            }
        }
        let room = self.rooms[self.random.index(self.rooms.len())].clone();
        let standing = self.devices[device].standing.get(&room).copied();
        let inside = standing == Some(Standing::In);
        let habit = if self.devices[device].watches { Habit::Nothing } else { self.habit() };
        match habit {
            _ if standing.is_none() => self.enter(device, &room),
            Habit::Rejoin if inside => self.enter(device, &room),
            Habit::Speak if inside && self.devices[device].unsent.len() < 20 => self.speak(device, &room),
            Habit::Leave if inside => {
                let said = self.devices[device].leave(now, &room);
                self.say(device, said)
            }
            Habit::History => {
                let (limit, before) = (1 + self.random.below(120), self.random.per_mille(500));
                let said = self.devices[device].history(now, &room, limit, before);
                self.say(device, said)
            }
            Habit::Users => {
                let said = self.devices[device].users(now, &room);
                self.say(device, said)
            }
            Habit::Typing if inside => {
                let kind = self.random.pick(&["typing", "stop_typing"]);
                let text = json!({"type": kind, "room": crate::device::written(&room)}).to_string();
                self.world.say(socket, &text);
                Ok(())
            }
            Habit::Reload => self.reload(device, socket),
            Habit::HangUp => {
                self.world.hang_up(socket, true);
                Ok(())
            }
            Habit::Refresh => {
                // A newer token, which sometimes says something else of its user.
                let (name, role) = (self.devices[device].user_id().to_owned(), self.random.pick(&["a", "b"]));
                let (number, by) = (name.trim_start_matches('u'), self.random.pick(&["User", "Member"]));
                let token = format!("{name} for 90000 s named {by} {number} as {role}");
                let text = json!({"type": "refresh", "payload": {"token": token}}).to_string();
                self.world.say(socket, &text);
                Ok(())
            }
            Habit::Rejoin | Habit::Speak | Habit::Leave | Habit::Typing | Habit::Nothing => Ok(()),
        }
    }

    fn habit(&mut self) -> Habit {
        let Habits { rejoin, speak, leave, history, users, typing, reload, hang_up, refresh, nothing } =
            self.world.scenario.habits;
        let table = [
            (rejoin, Habit::Rejoin),
            (speak, Habit::Speak),
            (leave, Habit::Leave),
            (history, Habit::History),
            (users, Habit::Users),
            (typing, Habit::Typing),
            (reload, Habit::Reload),
            (hang_up, Habit::HangUp),
            (refresh, Habit::Refresh),
            (nothing, Habit::Nothing),
        ];
        let mut drawn = self.random.below(table.iter().map(|(weight, _)| u64::from(*weight)).sum());
        for (weight, habit) in table {
            match drawn.checked_sub(u64::from(weight)) {
                Some(left) => drawn = left,
                None => return habit,
            }
        }
        Habit::Nothing
    }

    fn enter(&mut self, device: usize, room: &RoomId) -> Result<(), Violation> {
        let with_since = self.random.per_mille(700);
        self.join(device, room, with_since)?;
        if self.world.scenario.habits.leave > 0 && self.random.per_mille(30) {
            let said = self.devices[device].leave(self.world.now.tick, room);
            self.say(device, said)?;
        }
        Ok(())
    }

    /// Closes and opens again at once, as a browser does.
    fn reload(&mut self, device: usize, socket: SocketId) -> Result<(), Violation> {
        let politely = self.random.per_mille(500);
        self.see(device, Fact::Closed)?;
        self.devices[device].disconnected();
        if self.random.per_mille(self.world.scenario.overlaps) {
            let after = self.random.millis(1, 100);
            self.world.hang_up_later(socket, after);
            return self.connect(device);
        }
        self.world.hang_up(socket, politely);
        let at = self.world.now.tick + self.random.millis(1, 100);
        self.devices[device].reconnect_at = at;
        self.world.remind(at, device as u64);
        Ok(())
    }

    fn speak(&mut self, device: usize, room: &RoomId) -> Result<(), Violation> {
        let payload = if room.app() == "probe" { self.probing(room) } else { json!({}) };
        if payload["do"] == "place" {
            let text = json!({"type": "send_message", "room": room.as_str(), "payload": payload}).to_string();
            if let Some(socket) = self.devices[device].socket {
                self.world.say(socket, &text);
            }
            return Ok(());
        }
        let id = self.devices[device].compose(room, payload);
        self.send(device, &id)
    }

    fn probing(&mut self, room: &RoomId) -> serde_json::Value {
        let item = format!("i{}", self.random.below(40));
        let other = if room.name() == "p0" { "p1" } else { "p0" };
        match self.random.below(100) {
            0..25 => json!({"do": "claim", "item": item}),
            25..35 => json!({"do": "arm", "item": format!("t{}", self.random.draw() % 100_000)}),
            35..42 => json!({"do": "watch"}),
            42..55 => json!({"do": "whisper", "secret": format!("s{:016x}", self.random.draw())}),
            55..65 => json!({"do": "order", "item": other}),
            65 if room.name() == "p0" && self.world.scenario.bans => {
                json!({"do": "ban", "item": format!("u{}", self.random.index(self.world.scenario.users))})
            }
            76..79 => {
                json!({"do": "forget", "item": format!("u{}", self.random.index(self.world.scenario.users))})
            }
            66..76 => json!({"do": "place", "content": "x"}),
            _ => json!({}),
        }
    }

    /// What no client should say.
    fn babble(&mut self, device: usize, socket: SocketId) -> Result<(), Violation> {
        self.world.tally.fault("garbage");
        let (now, id) = (self.world.now.tick, self.devices[device].fresh_id());
        let text = match self.random.below(6) {
            0 => "{".to_owned(),
            1 => "[1,2]".to_owned(),
            2 => json!({"type": "fly", "id": id}).to_string(),
            3 => json!({"type": "join_room", "id": id, "payload": {"room_id": "no spaces"}}).to_string(),
            4 => {
                json!({"type": "send_message", "id": id, "room": "never-joined", "payload": {"content": "x"}})
                    .to_string()
            }
            _ => {
                let broken = [0xff, 0x00, 0x13, 0x37];
                self.world.client_sends(socket, &broken);
                return Ok(());
            }
        };
        if text.contains(&id) {
            let ask = Ask {
                id: id.clone(),
                room: RoomId::new("chat", "none"),
                verb: Verb::Garbage,
                since: None,
                asked: now,
            };
            self.devices[device].waiting.insert(id, ask);
        }
        self.world.say(socket, &text);
        Ok(())
    }
}

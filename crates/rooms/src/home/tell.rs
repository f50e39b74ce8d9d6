//! What members get: records, presence and soft values as their audience sees them, once per shard.

use std::collections::BTreeSet;

use app::SoftChange;
use engine::SoftEntry;
use vocabulary::{
    Ack, Audience, Caller, ConnectionId, Delivery, Key, Notice, Outward, Parting, Payload, Position,
    Recipients, Record, RecordNews, Said, ShardId, Shown, Sight, UserId, Wall,
};

use super::Home;
use crate::cx::{Cx, Effect};
use crate::pipeline::Waiter;
use crate::seats::Seat;
use crate::soft::Change;

impl Home {
    /// A record came back from the log: its members see it, and its author's copy is the ack. Records that come back
    /// together are told together, by `tell_told`.
    pub(super) fn tell_record(&mut self, cx: &mut Cx<'_>, record: &Record, waiters: Vec<Waiter>) {
        let mut acks = Vec::with_capacity(waiters.len());
        for waiter in waiters {
            match waiter {
                Waiter::Ack(ack) => acks.push(ack),
                Waiter::Saga(step, reply) => cx.outcome(&step, Ok(reply.unwrap_or_default())),
            }
        }
        let Some(log) = super::Home::log(self) else { return };
        let sight = |audience| {
            let shown = log.fold.show(record, audience);
            Sight { audience, shown: cx.unless_panicked(&self.id, shown).flatten() }
        };
        let sights: Vec<Sight> = self.seats.audiences().map(sight).collect();
        if self.kept
            && let Some(shown) =
                cx.unless_panicked(&self.id, log.fold.show(record, Audience::default())).flatten()
        {
            let Shown { kind, payload, .. } = shown;
            let (position, at) = (record.position, record.at);
            cx.effects.push_back(Effect::Said(Said::Record { kind, payload, position, at }));
        }
        self.told.push(RecordNews { position: record.position, at: record.at, sights, acks });
        if self.told.len() >= cx.limits.batch_records_max {
            self.tell_told(cx);
        }
        if !record.touches.is_nobody() {
            // Who is dropped by this record must not be told of the next.
            self.tell_told(cx);
            self.admit_again(cx, |_, user| record.touches.has(user));
        }
    }

    /// To brokers, once: by the node whose append stored it, which has it as its own answer alone.
    pub(super) fn tell_outward(&self, cx: &mut Cx<'_>, key: Key, record: &Record) {
        let Some(log) = self.log().filter(|_| self.outward) else { return };
        let open = cx.unless_panicked(&self.id, log.fold.show_outward(record)).flatten();
        // What only tells of a change is no message; whoever wants changes wants those of every room.
        let said = open.filter(|shown| shown.lasting || self.outward_changes);
        let (shown, open) = match said {
            Some(said) => (Some(said), true),
            None if !self.outward_changes => (None, false),
            None => {
                let shown = log.fold.show(record, Audience::default());
                (cx.unless_panicked(&self.id, shown).flatten(), false)
            }
        };
        let Some(shown) = shown else { return };
        let (room, position, at) = (self.id.clone(), record.position, record.at);
        cx.effects.push_back(Effect::Outward(Box::new(Outward { room, key, position, at, shown, open })));
    }

    /// To the node itself, which was not told what came while the room was read.
    pub(super) fn say_view(&self, cx: &mut Cx<'_>) {
        let Some(log) = self.log().filter(|_| self.kept) else { return };
        if let Some(view) = cx.unless_panicked(&self.id, log.fold.view(Audience::default())) {
            cx.effects.push_back(Effect::Said(Said::View(view)));
        }
    }

    pub(super) fn tell_told(&mut self, cx: &mut Cx<'_>) {
        let told = std::mem::take(&mut self.told);
        if told.is_empty() {
            return;
        }
        let authors = || told.iter().flat_map(|news| &news.acks).map(|ack| ack.to.asker.shard());
        let mut members = self.seats.shards();
        let only = members.next().or_else(|| authors().next());
        if let (Some(only), None) = (only, members.next())
            && authors().all(|shard| shard == only)
        {
            return cx.deliver(only, Delivery::Records { room: self.id.clone(), records: told });
        }
        let members: BTreeSet<ShardId> = self.seats.shards().collect();
        let shards: BTreeSet<ShardId> = members.iter().copied().chain(authors()).collect();
        for shard in shards {
            let here = |ack: &&Ack| ack.to.asker.shard() == shard;
            let records = told.iter().map(|news| RecordNews {
                sights: if members.contains(&shard) { news.sights.clone() } else { Vec::new() },
                acks: news.acks.iter().filter(here).cloned().collect(),
                ..*news
            });
            let records = records.collect();
            cx.deliver(shard, Delivery::Records { room: self.id.clone(), records });
        }
    }

    /// Answers those who waited for a record that is not told: it stands at a place already passed.
    pub(super) fn tell_waiters(
        &mut self,
        cx: &mut Cx<'_>,
        (position, at): (Position, Wall),
        waiters: Vec<Waiter>,
    ) {
        for waiter in waiters {
            match waiter {
                Waiter::Ack(ack) => {
                    let shard = ack.to.asker.shard();
                    cx.deliver(shard, Delivery::Acked { room: self.id.clone(), position, at, ack });
                }
                Waiter::Saga(step, reply) => cx.outcome(&step, Ok(reply.unwrap_or_default())),
            }
        }
    }

    /// What these users may do here may have changed.
    pub(super) fn admit_again(&mut self, cx: &mut Cx<'_>, touched: impl Fn(ConnectionId, &UserId) -> bool) {
        let Some(log) = super::Home::log(self) else { return };
        let mut dropped = Vec::new();
        let mut retagged = Vec::new();
        for (connection, seat) in self.seats.iter() {
            if !touched(connection, &seat.user.person.id) {
                continue;
            }
            let caller = Caller::Connection { id: connection, user: seat.user.clone() };
            match cx.answered(&self.id, log.fold.admit(cx.now, &caller, &seat.join)) {
                Ok(audience) if audience == seat.audience => {}
                Ok(audience) => retagged.push((connection, audience)),
                Err(refusal) => dropped.push((connection, refusal)),
            }
        }
        for (connection, audience) in retagged {
            self.seats.retag(connection, audience);
            cx.deliver(connection.shard, Delivery::Retagged { room: self.id.clone(), connection, audience });
        }
        for (connection, refusal) in dropped {
            let Some(seat) = self.remove_seat(cx, connection, true) else { continue };
            let room = self.id.clone();
            let parting = Parting { room, connection, ticket: seat.ticket, answers: None, refusal };
            cx.deliver(connection.shard, Delivery::Parted(parting));
        }
    }

    pub(super) fn leave(&mut self, cx: &mut Cx<'_>, connection: ConnectionId, asked: bool) {
        self.unseat(cx, connection, asked);
        self.forget_joins(cx, connection, asked);
    }

    /// A member no more; what its connection asks for besides goes on.
    pub(super) fn unseat(&mut self, cx: &mut Cx<'_>, connection: ConnectionId, asked: bool) {
        self.remove_seat(cx, connection, asked);
        self.readers.retain(|_, reader| !reader.is_page_for(connection));
    }

    fn remove_seat(&mut self, cx: &mut Cx<'_>, connection: ConnectionId, asked: bool) -> Option<Seat> {
        let seat = self.seats.remove(connection)?;
        let user = &seat.user.person.id;
        if let Some((person, count)) = self.presence.leave(cx.now.tick, user, asked, cx.limits.linger) {
            cx.publish_presence(&self.id, person, count);
        }
        Some(seat)
    }

    /// Who is here, where the app has words of its own for it.
    pub(super) fn present(&self, cx: &mut Cx<'_>) -> Option<Payload> {
        let log = super::Home::log(self)?;
        let roll = self.presence.at(cx.now);
        cx.unless_panicked(&self.id, log.fold.present(app::Presence::new(&roll))).flatten()
    }

    pub(super) fn tell_presence(&mut self, cx: &mut Cx<'_>) {
        if self.seats.is_empty() || !self.notices {
            return self.presence.hush();
        }
        let Some(mut news) = self.presence.news(cx.now.tick, cx.limits) else { return };
        news.present = self.present(cx);
        let notice = Notice::Presence { news, at: cx.now.wall };
        for shard in self.seats.shards() {
            let (room, notice) = (self.id.clone(), notice.clone());
            cx.deliver(shard, Delivery::Notice { room, recipients: Recipients::Everybody, notice });
        }
    }

    pub(crate) fn hear_soft(&mut self, cx: &mut Cx<'_>, entry: SoftEntry) {
        if let Some(change) = self.soft.hear(cx.now, entry) {
            self.tell_soft(cx, &change);
        }
    }

    pub(super) fn tell_soft(&mut self, cx: &mut Cx<'_>, change: &Change) {
        if self.kept {
            let (key, value) = (change.key.clone(), change.value.clone());
            cx.effects.push_back(Effect::Said(Said::Soft { key, value }));
        }
        let Some(log) = super::Home::log(self) else { return };
        let seen = SoftChange {
            key: &change.key,
            value: change.value.as_ref(),
            before: change.before.as_ref(),
            class: change.class,
        };
        let sight = |audience| {
            let shown = log.fold.glimpse(&seen, audience);
            Sight { audience, shown: cx.unless_panicked(&self.id, shown).flatten() }
        };
        let sights: Vec<Sight> = self.seats.audiences().map(sight).collect();
        if sights.iter().all(|sight| sight.shown.is_none()) {
            return;
        }
        let recipients = change.author.map_or(Recipients::Everybody, Recipients::EverybodyBut);
        for shard in self.seats.shards() {
            let notice = Notice::Soft { sights: sights.clone(), at: cx.now.wall };
            let (room, recipients) = (self.id.clone(), recipients.clone());
            cx.deliver(shard, Delivery::Notice { room, recipients, notice });
        }
    }
}

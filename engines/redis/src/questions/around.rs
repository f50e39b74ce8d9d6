//! What is not in the log: who is here, soft values, claims. Who is here and who claims stand under the number of a lease,
//! so that both are over with it, whoever cleans up and when.

use std::sync::Arc;

use engine::{Answer, SoftEntry};
use redis::Value;
use vocabulary::{Incarnation, Person, RoomId};

use super::{Done, Lane};
use redis_wire::{Call, Fault};

use crate::keys::{claim_slice, slice_slot};
use crate::news::{self, Words, millis};
use crate::pages::{here_field, here_value};

impl Lane<'_> {
    async fn lease(&self) -> Result<u64, Fault> {
        let lease = self.parts.lease_of(self.by).await;
        lease.ok_or_else(|| Fault::Unsent("the asker has no lease yet".to_owned()))
    }

    pub(super) async fn present(&self, room: RoomId, person: Person, count: u32) -> Done {
        let (parts, by) = (self.parts, self.by);
        let lease = self.lease().await?;
        let value = if count == 0 { String::new() } else { here_value(by, &person, count) };
        let call = Call::on([parts.keys.here(&room), parts.keys.left(room.slice(), lease)])
            .arg(here_field(lease, &person))
            .arg(value)
            .arg(format!("p{} {room}{}", room.as_str().len(), person.id))
            .arg(parts.publish())
            .arg(parts.keys.room_channel(&room).name)
            .arg(news::present(by, &person, count));
        let slot = slice_slot(room.slice());
        parts.wires.run(self.lane, slot, &parts.scripts.present, call).await.map(drop)
    }

    pub(super) async fn soft(&self, room: RoomId, entry: SoftEntry) -> Done {
        let parts = self.parts;
        // An end is remembered while what it ended may still be on its way.
        let lives = match entry.value {
            Some(_) => entry.time_to_live,
            None => entry.time_to_live.max(parts.lease),
        };
        let call = Call::on([parts.keys.soft(&room), parts.keys.soft_ends(&room)])
            .arg(&*entry.key)
            .number(entry.at.0)
            .number(u8::from(entry.value.is_none()))
            .number(millis(lives))
            .arg(news::class_words(entry.class))
            .arg(entry.value.as_deref().unwrap_or_default())
            .arg(parts.publish())
            .arg(parts.keys.room_channel(&room).name)
            .arg(news::soft(self.by, &entry));
        let slot = slice_slot(room.slice());
        parts.wires.run(self.lane, slot, &parts.scripts.soft, call).await.map(drop)
    }

    pub(super) async fn claim(&self, name: Arc<str>, ticket: u64) -> Done {
        let (parts, by) = (self.parts, self.by);
        let lease = self.lease().await?;
        let slice = claim_slice(&name);
        let call = Call::on([parts.keys.claim(&name), parts.keys.left(slice, lease)])
            .arg(format!("{} {} {}", by.node, by.shard.0, by.life))
            .number(lease)
            .arg(format!("c{name}"));
        let answer = parts.wires.run(self.lane, slice_slot(slice), &parts.scripts.claim, call).await?;
        let Value::Array(told) = answer else { return Err(Fault::Unreadable) };
        let told: Option<Vec<String>> = told.into_iter().map(text).collect();
        let Some([token, held_by, held_lease, held_token]) = told.as_deref() else {
            return Err(Fault::Unreadable);
        };
        let token = token.parse().map_err(|_| Fault::Unreadable)?;
        if let (Some(of), Ok(lease), Ok(held)) =
            (Words::of(held_by).incarnation(), held_lease.parse(), held_token.parse())
        {
            self.tell_loser(of, lease, &name, held).await;
        }
        self.tell(Answer::Claimed { name, ticket, token }).await;
        Ok(())
    }

    /// Who held it, if it was alive to.
    async fn tell_loser(&self, of: Incarnation, lease: u64, name: &Arc<str>, token: u64) {
        let parts = self.parts;
        let is_unknown = parts.living.borrow().is_unknown(lease);
        if is_unknown {
            // Without an answer it is not known, and the loser learns it when it releases.
            parts.look_now().await;
        }
        if !parts.living.borrow().holds(of, lease) {
            return;
        }
        if parts.is_here(of) {
            parts.post.news(of, Answer::ClaimLost { name: name.clone(), token });
        } else {
            parts.tell_node(self.lane, of.node, news::claim_lost(of, name, token));
        }
    }

    pub(super) async fn release(&self, name: Arc<str>, token: u64) -> Done {
        let parts = self.parts;
        let call = Call::on([parts.keys.claim(&name)]).number(token).number(millis(parts.lease));
        let slot = slice_slot(claim_slice(&name));
        parts.wires.run(self.lane, slot, &parts.scripts.release, call).await.map(drop)
    }
}

fn text(value: Value) -> Option<String> {
    match value {
        Value::BulkString(bytes) => String::from_utf8(bytes).ok(),
        _ => None,
    }
}

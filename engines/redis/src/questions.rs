//! One question at a time: which script it is, and what its answer means. It keeps nothing about rooms.

mod around;

use std::rc::Rc;

use engine::{
    Answer, Appended, Asked, Batch, ERASE_MAX, Erased, Followed, Loaded, Present, Question, Read, Snapshot,
};
use redis_wire::{Call, Fault, Script};
use vocabulary::{Check, Epoch, Incarnation, Position, RoomId, Seen, Wall};

use crate::counts::add;
use crate::keys::slice_slot;
use crate::news;
use crate::pages::{Page, Told};
use crate::parts::Parts;

/// Followers get at most this many records in one answer; the rest is read on.
const ANSWER_RECORDS_MAX: u32 = 500;

/// What fails is not answered: whoever asked asks again.
pub(crate) async fn answer(parts: &Rc<Parts>, lane: usize, asked: Asked) {
    let Asked { by, question } = asked;
    parts.knows(by);
    let lane = Lane { parts, lane, by };
    let done = match question {
        // Looks have a task of their own.
        Question::Attend { .. } => return,
        Question::Follow { room, seen, ticket } => lane.follow(room, seen, ticket).await,
        Question::Unfollow { room } => {
            parts.unfollow(by, &room);
            Ok(())
        }
        Question::Append { room, batch } => lane.append(room, batch).await,
        Question::Read { room, epoch, after, limit, ticket } => {
            lane.read(room, epoch, after, limit, ticket).await
        }
        Question::Store { room, snapshot, forget_upto } => lane.store(room, snapshot, forget_upto).await,
        Question::Erase { room, seen, offsets, ticket } => lane.erase(room, seen, &offsets, ticket).await,
        Question::BeginEpoch { room, old, base } => lane.begin_epoch(room, old, base).await,
        Question::Settle { room, at, due } => lane.settle(room, at, due).await,
        Question::Present { room, person, count } => lane.present(room, person, count).await,
        Question::Soft { room, entry } => lane.soft(room, entry).await,
        Question::Claim { name, ticket } => lane.claim(name, ticket).await,
        Question::Release { name, token } => lane.release(name, token).await,
    };
    if let Err(fault) = done {
        add(&parts.counts.unanswered_total);
        tracing::debug!(why = fault.words(), "a question without an answer");
    }
}

/// Who asks, and through which lane.
struct Lane<'a> {
    parts: &'a Rc<Parts>,
    lane: usize,
    by: Incarnation,
}

type Done = Result<(), Fault>;

impl Lane<'_> {
    async fn tell(&self, answer: Answer) {
        self.parts.post.answer(self.by, answer).await;
    }

    /// A script about a room. Where its slice has lost its first epoch, that comes first.
    async fn ask_room(
        &self,
        room: &RoomId,
        script: &Script,
        more_keys: &[String],
        args: impl Fn(Call) -> Call,
    ) -> Result<Told, Fault> {
        let Parts { keys, wires, start, counts, .. } = &**self.parts;
        let slice = room.slice();
        for is_last in [false, true] {
            let first = [keys.room(room), keys.log(room), keys.first(slice), keys.aside(room)];
            let call = args(Call::on(first.into_iter().chain(more_keys.iter().cloned())));
            let answer = wires.run(self.lane, slice_slot(slice), script, call).await?;
            let told = Told::of(answer).ok_or(Fault::Unreadable)?;
            if told.verdict != "unmarked" {
                return Ok(told);
            }
            if !is_last {
                start.mark_lost(wires, keys, counts, slice).await?;
            }
        }
        Err(Fault::Declined("the slice's first epoch comes and goes".to_owned()))
    }

    async fn follow(&self, room: RoomId, seen: Option<Seen>, ticket: u64) -> Done {
        self.parts.follow(self.by, &room);
        // Heard first and read then: what is stored in between is in one of them, or in both.
        let channel = self.parts.keys.room_channel(&room);
        if self.parts.wires.is_away(channel.slot) && !self.parts.subscriptions.hears(&channel) {
            self.parts.subscriptions.want(&channel, Some(&room));
            return Err(Fault::Away);
        }
        if !self.parts.subscriptions.heard(&channel, Some(&room)).await {
            return Err(Fault::Unsent("the room's channel is not heard yet".to_owned()));
        }
        let keys = &self.parts.keys;
        let more = [keys.snapshot(&room), keys.here(&room), keys.soft(&room)];
        let told = self.ask_room(&room, &self.parts.scripts.read, &more, |call| match seen {
            None => call.arg("load").arg("0").number(0).number(0).number(ANSWER_RECORDS_MAX),
            Some(seen) => at(call.arg("go_on"), seen).number(ANSWER_RECORDS_MAX),
        });
        let told = told.await?;
        let outcome = match told.verdict.as_str() {
            "behind" => Followed::Behind,
            "lost" => Followed::Lost,
            "mine" => match Page::of(told) {
                Some(page) => self.followed(page, seen).await?,
                None => self.damaged(&room, Followed::Damaged),
            },
            _ => self.damaged(&room, Followed::Damaged),
        };
        self.tell(Answer::Followed { room, ticket, outcome }).await;
        Ok(())
    }

    async fn followed(&self, page: Page, seen: Option<Seen>) -> Result<Followed, Fault> {
        let Page { head, base, snapshot, records, here, soft } = page;
        // Whose lease began after the last look is not known yet; who is not known is not here.
        if here.iter().any(|(lease, _)| self.parts.living.borrow().is_unknown(*lease))
            && !self.parts.look_now().await
        {
            return Err(Fault::Unsent("it is not known who is alive".to_owned()));
        }
        let living = self.parts.living.borrow();
        let present: Vec<Present> = here
            .into_iter()
            .filter(|(lease, present)| living.holds(present.by, *lease))
            .map(|(_, present)| present)
            .collect();
        Ok(match seen {
            None => Followed::Loaded(Loaded { snapshot, base, records, head, present, soft }),
            Some(_) => Followed::Continues { records, head, present, soft },
        })
    }

    fn damaged<T>(&self, room: &RoomId, outcome: T) -> T {
        add(&self.parts.counts.damaged_total);
        tracing::error!(%room, "what Redis keeps of a room is not what was stored");
        outcome
    }

    async fn append(&self, room: RoomId, batch: Batch) -> Done {
        let (parts, by) = (self.parts, self.by);
        let Batch { number, seen, guarded, parcels, due } = batch;
        let more = [parts.keys.due(room.slice())];
        let told = self.ask_room(&room, &parts.scripts.append, &more, |call| {
            let mut call = at(call, seen)
                .number(u8::from(guarded))
                .arg(due.map_or(String::new(), |due| due.0.to_string()))
                .arg(room.as_str())
                .arg(parts.publish())
                .arg(parts.keys.room_channel(&room).name)
                .arg(news::grown(by, seen.position.epoch))
                .number(parcels.len());
            for parcel in &parcels {
                call = call.arg(parcel.key.as_str()).number(parcel.records.len());
                for data in &parcel.records {
                    call = call.number(Check::hash(data)).payload(data);
                }
            }
            call
        });
        let told = told.await;
        let outcome = match told {
            Ok(told) => {
                parts.doubts.borrow_mut().resolve(by, &room, number);
                let has_grown = told.verdict == "grown";
                let outcome = told.appended().ok_or(Fault::Unreadable)?;
                if has_grown {
                    add(&parts.counts.appends_total);
                    if due.is_some() {
                        self.tell_steward(&room);
                    }
                }
                outcome
            }
            Err(Fault::Doubtful(words)) => {
                parts.doubts.borrow_mut().add(by, &room, number);
                return Err(Fault::Doubtful(words));
            }
            Err(fault @ (Fault::Away | Fault::Refused(..) | Fault::Unsent(_) | Fault::Loading(_))) => {
                let refused = matches!(fault, Fault::Refused(..));
                // A server that was there a moment ago is waited for. And what was not sent now may have been sent before.
                let is_away = parts.wires.is_away(slice_slot(room.slice()));
                if !(refused || is_away) || parts.doubts.borrow_mut().holds(by, &room, number) {
                    return Err(fault);
                }
                if !refused {
                    add(&parts.counts.refused_away_total);
                }
                Appended::Refused
            }
            Err(fault) => return Err(fault),
        };
        self.tell(Answer::Appended { room, number, outcome }).await;
        Ok(())
    }

    /// Who does not hear it sees the room among those that are due, with its next renewal.
    fn tell_steward(&self, room: &RoomId) {
        let Some(steward) = self.parts.living.borrow().steward(room.slice()) else { return };
        if self.parts.is_here(steward) {
            return self.parts.post.news(steward, Answer::Due { room: room.clone() });
        }
        self.parts.tell_node(self.lane, steward.node, news::due(self.by, room));
    }

    async fn read(&self, room: RoomId, epoch: Epoch, after: u64, limit: u32, ticket: u64) -> Done {
        let keys = &self.parts.keys;
        let more = [keys.snapshot(&room), keys.here(&room), keys.soft(&room)];
        let from = Seen { position: Position { epoch, offset: after }, check: Check::default() };
        let limit = limit.min(ANSWER_RECORDS_MAX);
        let read = |call: Call| at(call.arg("read"), from).number(limit);
        let mut told = self.ask_room(&room, &self.parts.scripts.read, &more, read).await?;
        let outcome = match told.verdict.as_str() {
            "behind" => Read::Behind(told.number().ok_or(Fault::Unreadable)?),
            "lost" => Read::Lost,
            "mine" => Page::read(told).unwrap_or_else(|| self.damaged(&room, Read::Damaged)),
            _ => self.damaged(&room, Read::Damaged),
        };
        self.tell(Answer::Read { room, ticket, outcome }).await;
        Ok(())
    }

    async fn store(&self, room: RoomId, snapshot: Snapshot, forget_upto: u64) -> Done {
        let more = [self.parts.keys.snapshot(&room)];
        let forget_upto = forget_upto.min(snapshot.seen.position.offset);
        let told = self.ask_room(&room, &self.parts.scripts.store, &more, |call| {
            at(call, snapshot.seen).number(forget_upto).payload(&snapshot.data)
        });
        let mut told = told.await?;
        let kept = match told.verdict.as_str() {
            "kept" => Some(told.position().ok_or(Fault::Unreadable)?),
            "none" => None,
            _ => return Err(Fault::Declined("the room is damaged".to_owned())),
        };
        self.tell(Answer::Stored { room, kept }).await;
        Ok(())
    }

    /// The script takes some of them at a time; a piece that is done is done.
    async fn erase(&self, room: RoomId, seen: Seen, offsets: &[u64], ticket: u64) -> Done {
        let mut left = if offsets.len() > ERASE_MAX { &[] } else { offsets };
        let outcome = loop {
            let mut told = self
                .ask_room(&room, &self.parts.scripts.erase, &[], |call| {
                    left.iter().fold(at(call, seen), |call, offset| call.number((*offset).min(OFFSET_MAX)))
                })
                .await?;
            match told.verdict.as_str() {
                "behind" => break Erased::Behind,
                "lost" => break Erased::Lost,
                "done" if offsets.len() > ERASE_MAX => break Erased::Refused,
                "done" => {
                    let done: usize = told.number().ok_or(Fault::Unreadable)?;
                    left = left.get(done..).ok_or(Fault::Unreadable)?;
                    if left.is_empty() {
                        break Erased::Gone;
                    }
                    if done == 0 {
                        return Err(Fault::Unreadable);
                    }
                }
                _ => break self.damaged(&room, Erased::Damaged),
            }
        };
        self.tell(Answer::Erased { room, ticket, outcome }).await;
        Ok(())
    }

    async fn begin_epoch(&self, room: RoomId, old: Seen, base: Snapshot) -> Done {
        let (parts, new) = (self.parts, base.seen.position.epoch);
        let more = [parts.keys.snapshot(&room)];
        let told = self.ask_room(&room, &parts.scripts.begin, &more, |call| {
            at(at(call, old), base.seen)
                .payload(&base.data)
                .arg(parts.publish())
                .arg(parts.keys.room_channel(&room).name)
                .arg(news::began(self.by, new))
        });
        let mut told = told.await?;
        let epoch = match told.verdict.as_str() {
            "began" | "stands" => Epoch(told.number().ok_or(Fault::Unreadable)?),
            _ => return Err(Fault::Declined("the room is damaged".to_owned())),
        };
        self.tell(Answer::EpochBegan { room, epoch }).await;
        Ok(())
    }

    async fn settle(&self, room: RoomId, position: Position, due: Option<Wall>) -> Done {
        let more = [self.parts.keys.due(room.slice())];
        let told = self.ask_room(&room, &self.parts.scripts.settle, &more, |call| {
            call.number(position.epoch.0)
                .number(position.offset)
                .arg(due.map_or(String::new(), |due| due.0.to_string()))
                .arg(room.as_str())
        });
        told.await.map(drop)
    }
}

/// Offsets that a script can count with. What lies beyond is beyond any log, and is told so.
const OFFSET_MAX: u64 = 1 << 52;

fn at(call: Call, seen: Seen) -> Call {
    let Position { epoch, offset } = seen.position;
    call.number(epoch.0).number(offset.min(OFFSET_MAX)).number(seen.check.0)
}

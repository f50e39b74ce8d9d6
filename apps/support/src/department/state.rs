//! A department's state, and the fold: who waits, whose each session is, who is on duty. Total; it reads nothing but records.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use app::Applied;
use serde::{Deserialize, Serialize};
use vocabulary::{Position, Record, RoomId};

use super::entry::{Entry, PositionText, Stand, Tells, Word};
use super::records::{self as kinds, Status};
use crate::wire::{place, read};

/// Sessions that are over, kept against an older word of one that is still on its way: a retry takes seconds.
pub(super) const GONE_MAX: usize = 500;
/// What supervisors see of the past.
pub(crate) const FIGURES_MAX: usize = 200;
/// Who is told their place: beyond it a customer knows enough by knowing that it is far.
pub(crate) const PLACES_MAX: usize = 100;

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Agent {
    pub name: String,
    pub status: Status,
    /// To which they return if they were lost.
    pub before: Option<Status>,
    pub desk: bool,
    pub seen: i64,
    /// The record by which they were given a session last, or began: who waits longest is next.
    #[serde(with = "place")]
    pub last: Position,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Figure {
    pub session: String,
    pub first_response_ms: Option<i64>,
    pub rating: Option<u8>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Department {
    #[serde(skip, default = "nowhere")]
    pub room: RoomId,
    pub sessions: BTreeMap<String, Entry>,
    pub agents: BTreeMap<String, Agent>,
    /// The newest last.
    pub gone: VecDeque<(String, PositionText)>,
    pub figures: VecDeque<Figure>,
    /// What sessions were told of their places, and when.
    pub places: BTreeMap<String, (u32, i64)>,
    /// The last record that told some, those it told, and when.
    pub telling: Option<(PositionText, Vec<(String, u32)>)>,
    pub told_at: i64,
    #[serde(with = "place")]
    pub newest: Position,
}

fn nowhere() -> RoomId {
    RoomId::new("support", "")
}

impl Department {
    pub(crate) fn new(room: &RoomId) -> Department {
        Department {
            room: room.clone(),
            sessions: BTreeMap::new(),
            agents: BTreeMap::new(),
            gone: VecDeque::new(),
            figures: VecDeque::new(),
            places: BTreeMap::new(),
            telling: None,
            told_at: 0,
            newest: Position::default(),
        }
    }

    /// As configuration names it.
    pub(crate) fn name(&self) -> &str {
        self.room.name().strip_prefix("dept:").unwrap_or_default()
    }

    pub(crate) fn load(&self, agent: &str) -> usize {
        self.sessions.values().filter(|entry| entry.agent() == Some(agent)).count()
    }

    /// Of everybody who has one.
    pub(crate) fn loads(&self) -> BTreeMap<&str, usize> {
        let mut loads = BTreeMap::new();
        for agent in self.sessions.values().filter_map(Entry::agent) {
            *loads.entry(agent).or_insert(0) += 1;
        }
        loads
    }

    /// In the order in which they are given.
    pub(crate) fn queue(&self) -> Vec<(&str, &Entry)> {
        let waiting = self.sessions.iter().filter(|(_, entry)| entry.waits());
        let mut queue: Vec<(&str, &Entry)> = waiting.map(|(session, entry)| (&**session, entry)).collect();
        queue.sort_by_key(|(session, entry)| entry.rank(session));
        queue
    }

    pub(crate) fn gone_as_of(&self, session: &str) -> Option<Position> {
        self.gone.iter().find(|(gone, _)| gone == session).map(|(_, as_of)| as_of.0)
    }

    pub(crate) fn apply(&mut self, record: &Record) -> Applied {
        self.newest = record.position;
        let done = match &*record.kind {
            kinds::WAITS => self.waits(record),
            kinds::LEFT => self.left(record),
            kinds::GIVEN => self.given(record),
            kinds::RELEASED => self.released(record),
            kinds::ANSWERED => self.answered(record),
            kinds::AGENT_STATUS => self.agent_status(record),
            kinds::AGENT_LOST => self.agent_lost(record),
            kinds::SEEN => read::<kinds::Lost>(&record.body).map(|body| {
                if let Some(agent) = self.agents.get_mut(&body.agent_id) {
                    agent.seen = record.at.0;
                }
            }),
            kinds::PLACES => self.told_places(record),
            _ => None,
        };
        if done.is_some() { Applied::Done } else { Applied::Unknown }
    }

    fn waits(&mut self, record: &Record) -> Option<()> {
        let body: kinds::Waits = read(&record.body)?;
        let (from, as_of) = (body.from.parse().ok()?, body.as_of.parse().ok()?);
        let before = self.sessions.remove(&body.session);
        // What an agent has stays theirs while it is told of the same waiting. It says so again although it was told: it is told
        // again, for its log may have lost its end.
        let mut stand = match before {
            Some(Entry { stand, from: same, .. }) if same == from => stand,
            _ => Stand::Waiting,
        };
        if let Stand::Given { tells, .. } = &mut stand
            && tells.open.is_none()
        {
            *tells = Tells { what: Word::Assign, open: Some((PositionText(record.position), 0)) };
        }
        self.gone.retain(|(gone, _)| *gone != body.session);
        let entry = Entry {
            from,
            as_of,
            priority: body.priority,
            since: body.since,
            head: body.head,
            wished: body.wished,
            avoid: body.avoid,
            customer_id: body.customer_id,
            name: body.name,
            topic: body.topic,
            stand,
        };
        self.sessions.insert(body.session, entry);
        Some(())
    }

    fn left(&mut self, record: &Record) -> Option<()> {
        let body: kinds::Left = read(&record.body)?;
        self.remove(&body.session, body.as_of.parse().ok()?);
        if body.moved {
            self.figures.retain(|figure| figure.session != body.session);
            return Some(());
        }
        let figure =
            Figure { session: body.session, first_response_ms: body.first_response_ms, rating: body.rating };
        match self.figures.iter_mut().find(|other| other.session == figure.session) {
            Some(other) => *other = figure,
            None => self.figures.push_back(figure),
        }
        while self.figures.len() > FIGURES_MAX {
            self.figures.pop_front();
        }
        Some(())
    }

    fn remove(&mut self, session: &str, as_of: Position) {
        self.sessions.remove(session);
        self.places.remove(session);
        self.gone.retain(|(gone, _)| gone != session);
        self.gone.push_back((session.to_owned(), PositionText(as_of)));
        while self.gone.len() > GONE_MAX {
            self.gone.pop_front();
        }
    }

    fn given(&mut self, record: &Record) -> Option<()> {
        let body: kinds::Given = read(&record.body)?;
        let entry = self.sessions.get_mut(&body.session)?;
        let open = Some((PositionText(record.position), 0));
        entry.stand = Stand::Given {
            agent: body.agent_id.clone(),
            how: body.how,
            at: record.at.0,
            given: record.position,
            tells: Tells { what: Word::Assign, open },
        };
        (entry.head, entry.wished, entry.avoid) = (false, None, None);
        self.places.remove(&body.session);
        if let Some(agent) = self.agents.get_mut(&body.agent_id) {
            agent.last = record.position;
        }
        Some(())
    }

    fn released(&mut self, record: &Record) -> Option<()> {
        let body: kinds::Released = read(&record.body)?;
        let entry = self.sessions.get(&body.session)?;
        let as_of = entry.as_of;
        if self.is_open(&body.session, body.position.parse().ok()?, body.number) {
            self.remove(&body.session, as_of);
        }
        Some(())
    }

    pub(crate) fn is_open(&self, session: &str, position: Position, number: u32) -> bool {
        let stand = self.sessions.get(session).map(|entry| &entry.stand);
        let Some(Stand::Given { tells, .. }) = stand else { return false };
        tells.open == Some((PositionText(position), number))
    }

    fn answered(&mut self, record: &Record) -> Option<()> {
        let body: kinds::Answered = read(&record.body)?;
        if !self.is_open(&body.session, body.position.parse().ok()?, body.number) {
            return Some(());
        }
        let (agents, entry) = (&self.agents, self.sessions.get_mut(&body.session)?);
        if let Stand::Given { agent, tells, .. } = &mut entry.stand {
            tells.open = None;
            let is_gone = agents.get(agent).is_none_or(|agent| agent.status == Status::Offline);
            tells.go_on(is_gone, record.position, 0);
        }
        Some(())
    }

    fn agent_status(&mut self, record: &Record) -> Option<()> {
        let body: kinds::AgentStatus = read(&record.body)?;
        for idle in self.place_for_agent(&body.agent.id, &body.agent.name).unwrap_or_default() {
            self.agents.remove(&idle);
        }
        let last = self.agents.get(&body.agent.id).map_or(record.position, |agent| agent.last);
        let agent = Agent {
            name: body.agent.name,
            status: body.status,
            before: None,
            desk: body.desk,
            seen: record.at.0,
            last,
        };
        self.agents.insert(body.agent.id.clone(), agent);
        self.tell_sessions(&body.agent.id, body.status == Status::Offline, record.position);
        Some(())
    }

    fn agent_lost(&mut self, record: &Record) -> Option<()> {
        let body: kinds::Lost = read(&record.body)?;
        let agent = self.agents.get_mut(&body.agent_id)?;
        if agent.status != Status::Offline {
            agent.before = Some(agent.status);
            agent.status = Status::Offline;
        }
        self.tell_sessions(&body.agent_id, true, record.position);
        Some(())
    }

    fn tell_sessions(&mut self, agent: &str, is_gone: bool, at: Position) {
        let of_agent = self.sessions.values_mut().filter(|entry| entry.agent() == Some(agent));
        for (number, entry) in (0..).zip(of_agent) {
            if let Stand::Given { tells, .. } = &mut entry.stand {
                tells.go_on(is_gone, at, number);
            }
        }
    }

    fn told_places(&mut self, record: &Record) -> Option<()> {
        let body: kinds::Places = read(&record.body)?;
        for (session, place) in &body.places {
            if self.sessions.contains_key(session) {
                self.places.insert(session.clone(), (*place, record.at.0));
            }
        }
        // Who is far back again, or waits no more, is told none.
        let first: BTreeSet<String> =
            self.queue().into_iter().take(PLACES_MAX).map(|(session, _)| session.to_owned()).collect();
        self.places.retain(|session, _| first.contains(session));
        let places = body.places;
        self.telling = (!places.is_empty()).then_some((PositionText(record.position), places));
        self.told_at = record.at.0;
        Some(())
    }
}

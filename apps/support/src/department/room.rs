//! How much finds a place in a department: sessions and agents have a share of the snapshot each, and a number.

use app::quoted;

use super::entry::Entry;
use super::records::{self as kinds, Status};
use super::state::{Agent, Department};
#[cfg(test)]
use super::state::{FIGURES_MAX, GONE_MAX, PLACES_MAX};

/// Sessions that wait or are somebody's: a department with more of them is several.
pub(crate) const SESSIONS_MAX: usize = 2_000;
/// That wait, of one customer: as many as a visitor's token names.
pub(crate) const WAITING_OF_ONE_MAX: usize = 20;
/// Their share of the snapshot: 2,000 with ordinary ids, names and topics.
pub(crate) const SESSIONS_BYTES_MAX: usize = 800 << 10;
/// What a session takes there besides its texts and its agent's id.
const SESSION_BYTES: usize = 300;
pub(crate) const AGENTS_MAX: usize = 500;
pub(crate) const AGENTS_BYTES_MAX: usize = 128 << 10;
/// What an agent takes besides id and name.
const AGENT_BYTES: usize = 130;
/// Of an id that is none of the long ones: a UUID.
const ID_BYTES: usize = 40;

impl Department {
    /// As if each were somebody's whose id is the longest: what waits is to fit when it is given, too.
    fn sessions_bytes(&self, longest_id: usize) -> usize {
        let texts: usize = self.sessions.values().map(Entry::texts_bytes).sum();
        texts + self.sessions.len() * (SESSION_BYTES + longest_id)
    }

    fn longest_id(&self) -> usize {
        self.agents.keys().map(|id| quoted(id)).fold(ID_BYTES, usize::max)
    }

    /// Whether its customer has as many waiting here as one person may; another one would push others out.
    pub(crate) fn has_too_many(&self, waits: &kinds::Waits) -> bool {
        let others = self.sessions.iter().filter(|(session, entry)| {
            **session != waits.session && entry.waits() && entry.customer_id == waits.customer_id
        });
        others.count() >= WAITING_OF_ONE_MAX
    }

    /// Whether it finds a place, or stays in the one it has.
    pub(crate) fn has_place_for(&self, waits: &kinds::Waits) -> bool {
        let own = [&waits.customer_id, &waits.name, &waits.topic];
        let texts = own.into_iter().map(Some).chain([waits.wished.as_ref(), waits.avoid.as_ref()]);
        let (texts, longest) = (texts.flatten().map(|text| quoted(text)).sum::<usize>(), self.longest_id());
        let (bytes, before) = (self.sessions_bytes(longest), self.sessions.get(&waits.session));
        match before {
            Some(before) => bytes - before.texts_bytes() + texts <= SESSIONS_BYTES_MAX,
            None => {
                let one_more = bytes + texts + SESSION_BYTES + longest;
                self.sessions.len() < SESSIONS_MAX && one_more <= SESSIONS_BYTES_MAX
            }
        }
    }

    fn agents_bytes(&self) -> usize {
        self.agents.iter().map(|(id, agent)| quoted(id) + quoted(&agent.name) + AGENT_BYTES).sum()
    }

    /// Who has to be forgotten so that one more agent finds a place, or a known one another name; `None`: that is not enough.
    pub(crate) fn place_for_agent(&self, id: &str, name: &str) -> Option<Vec<String>> {
        let longest = self.longest_id().max(quoted(id));
        if self.sessions_bytes(longest) > SESSIONS_BYTES_MAX {
            return None;
        }
        let (mut count, mut bytes) = (self.agents.len(), self.agents_bytes());
        match self.agents.get(id) {
            Some(known) => bytes -= quoted(&known.name),
            None => (count, bytes) = (count + 1, bytes + quoted(id) + AGENT_BYTES),
        }
        bytes += quoted(name);
        let mut idle = self.idle_agents().into_iter().filter(|(other, _)| *other != id);
        let mut forgotten = Vec::new();
        while count > AGENTS_MAX || bytes > AGENTS_BYTES_MAX {
            let (id, agent) = idle.next()?;
            count -= 1;
            bytes -= quoted(id) + quoted(&agent.name) + AGENT_BYTES;
            forgotten.push(id.clone());
        }
        Some(forgotten)
    }

    /// Who may be forgotten: off duty, without a session, and not heard of for longest first.
    fn idle_agents(&self) -> Vec<(&String, &Agent)> {
        let loads = self.loads();
        let off = self.agents.iter().filter(|(_, agent)| agent.status == Status::Offline);
        let mut idle: Vec<_> = off.filter(|(id, _)| !loads.contains_key(id.as_str())).collect();
        idle.sort_by_key(|(id, agent)| (agent.seen, *id));
        idle
    }

    #[cfg(test)]
    pub(crate) fn check_bounds(&self) {
        assert!(self.sessions.len() <= SESSIONS_MAX && self.agents.len() <= AGENTS_MAX);
        assert!(self.sessions_bytes(self.longest_id()) <= SESSIONS_BYTES_MAX);
        assert!(self.agents_bytes() <= AGENTS_BYTES_MAX);
        assert!(self.gone.len() <= GONE_MAX && self.figures.len() <= FIGURES_MAX);
        assert!(self.places.len() <= PLACES_MAX);
    }
}

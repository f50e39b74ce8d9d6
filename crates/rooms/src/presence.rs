//! Who is in a room: the union of what every incarnation publishes, and what of its changes is due to be told.
//! Nobody removes another's users; their entries end with its lease.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use app::Roll;
use engine::Present;
use vocabulary::{Incarnation, Now, Person, PresenceNews, Tick, UserId, Wall};

use crate::limits::Limits;

/// Absences remembered for duties that hang on them; older ones no longer matter to any.
const GONE_MAX: usize = 1000;

#[derive(Debug)]
struct Here {
    name: Arc<str>,
    since: Tick,
    /// Connections on this node.
    mine: u32,
    /// One of them ended without a word, and this is how long that is not a leave yet.
    lingers_until: Option<Tick>,
    elsewhere: Vec<Elsewhere>,
}

/// Here by another incarnation's word.
#[derive(Debug)]
struct Elsewhere {
    by: Incarnation,
    /// The engine did not hold it when it was asked: it ends if an asking from then on finds the same.
    doubted_until: Option<Tick>,
}

impl Here {
    fn is_here(&self) -> bool {
        self.mine > 0 || self.lingers_until.is_some() || !self.elsewhere.is_empty()
    }

    /// What this node tells the others: a lingering user still counts as one.
    fn published(&self) -> u32 {
        self.mine.max(u32::from(self.lingers_until.is_some()))
    }
}

#[derive(Debug, Default)]
pub(crate) struct Presence {
    users: BTreeMap<UserId, Here>,
    lingering: BTreeSet<(Tick, UserId)>,
    /// The first time by which somebody's doubted entry is to be asked for again.
    doubts_until: Option<Tick>,
    gone: BTreeMap<UserId, Tick>,
    /// Since when these books are kept: nobody is known to be gone for longer.
    since: Tick,
    /// Changes that were not told yet. A user is in at most one of the two.
    joined: BTreeMap<UserId, Arc<str>>,
    left: BTreeMap<UserId, Arc<str>>,
    tell_from: Tick,
    list_from: Tick,
    list_owed: bool,
}

/// What this node's own books now say of a user, for the other nodes.
pub(crate) type Publish = (Person, u32);

impl Presence {
    pub(crate) fn since(now: Tick) -> Presence {
        Presence { since: now, ..Presence::default() }
    }

    pub(crate) fn join(&mut self, now: Tick, person: &Person) -> Option<Publish> {
        let here = self.users.entry(person.id.clone()).or_insert_with(|| Here {
            name: person.name.clone(),
            since: now,
            mine: 0,
            lingers_until: None,
            elsewhere: Vec::new(),
        });
        let (was_here, published) = (here.is_here(), here.published());
        here.mine += 1;
        here.name = person.name.clone();
        if let Some(until) = here.lingers_until.take() {
            self.lingering.remove(&(until, person.id.clone()));
        }
        let now = here.published();
        if !was_here {
            self.came(&person.id, person.name.clone());
        }
        (now != published).then(|| (person.clone(), now))
    }

    /// Other nodes that say so.
    pub(crate) fn nodes_of(&self, user: &UserId) -> Vec<u64> {
        let here = self.users.get(user).into_iter();
        let nodes: BTreeSet<u64> = here.flat_map(|here| &here.elsewhere).map(|it| it.by.node).collect();
        nodes.into_iter().collect()
    }

    /// The user is called something else now. The others hear it, and the members read it off the next list.
    pub(crate) fn rename(&mut self, person: &Person) -> Option<Publish> {
        let here = self.users.get_mut(&person.id).filter(|here| here.name != person.name)?;
        here.name = person.name.clone();
        let published = here.published();
        self.list_owed = true;
        Some((person.clone(), published))
    }

    /// One connection of the user less. `asked`: gone at once; else it lingers.
    pub(crate) fn leave(
        &mut self,
        now: Tick,
        user: &UserId,
        asked: bool,
        linger: Duration,
    ) -> Option<Publish> {
        let here = self.users.get_mut(user)?;
        let published = here.published();
        here.mine = here.mine.saturating_sub(1);
        // Also while another connection is here: if that one leaves next, this one may still be about to return.
        if !asked {
            let until = now + linger;
            if let Some(older) = here.lingers_until.replace(until) {
                self.lingering.remove(&(older, user.clone()));
            }
            self.lingering.insert((until, user.clone()));
        }
        self.settle(now, user, published)
    }

    /// Ends lingerings whose time has come.
    pub(crate) fn end_lingering(&mut self, now: Tick) -> Vec<Publish> {
        let mut publish = Vec::new();
        while let Some((until, user)) = self.lingering.first().cloned()
            && until <= now
        {
            self.lingering.pop_first();
            if let Some(here) = self.users.get_mut(&user) {
                let published = here.published();
                here.lingers_until = None;
                publish.extend(self.settle(now, &user, published));
            }
        }
        publish
    }

    fn settle(&mut self, now: Tick, user: &UserId, published: u32) -> Option<Publish> {
        let here = self.users.get(user)?;
        let changed = here.published() != published;
        let publish =
            changed.then(|| (Person { id: user.clone(), name: here.name.clone() }, here.published()));
        self.drop_if_gone(now, user);
        publish
    }

    /// What another incarnation publishes.
    pub(crate) fn elsewhere(&mut self, now: Tick, present: Present) {
        let Present { by, person, count } = present;
        // A leave that is heard twice, or of somebody who was never seen here, is none.
        if count == 0 && !self.users.contains_key(&person.id) {
            return;
        }
        let fresh = || Here {
            name: person.name.clone(),
            since: now,
            mine: 0,
            lingers_until: None,
            elsewhere: Vec::new(),
        };
        let here = self.users.entry(person.id.clone()).or_insert_with(fresh);
        let was_here = here.is_here();
        here.elsewhere.retain(|entry| entry.by != by);
        if count > 0 {
            here.elsewhere.push(Elsewhere { by, doubted_until: None });
        }
        let is_here = here.is_here();
        // Whose connections are here is called what they say here.
        if was_here && count > 0 && here.mine == 0 && here.name != person.name {
            here.name = person.name.clone();
            self.list_owed = true;
        }
        if is_here && !was_here {
            self.came(&person.id, person.name.clone());
        }
        self.drop_if_gone(now, &person.id);
    }

    /// All that the engine held of others at some moment after `asked`. What was heard and is not there may have gone
    /// unheard, or the engine has restarted and nobody has said it again yet. So its absence is believed when it was seen
    /// twice, a while apart, and nothing was heard between.
    pub(crate) fn hear_all(&mut self, now: Tick, asked: Tick, all: Vec<Present>, linger: Duration) {
        let held: BTreeSet<_> = all.iter().map(|present| (present.person.id.clone(), present.by)).collect();
        // What is new first, so that a user who moved from one incarnation to another never seems gone.
        for present in all {
            self.elsewhere(now, present);
        }
        let mut over = Vec::new();
        self.doubts_until = None;
        for (user, here) in &mut self.users {
            for entry in here.elsewhere.iter_mut().filter(|entry| !held.contains(&(user.clone(), entry.by))) {
                let until = *entry.doubted_until.get_or_insert(now + linger);
                if until <= asked {
                    over.push((user.clone(), entry.by));
                } else {
                    self.doubts_until = Some(self.doubts_until.map_or(until, |first| first.min(until)));
                }
            }
        }
        for (user, by) in over {
            self.forget(now, &user, by);
        }
    }

    pub(crate) fn doubts_until(&self) -> Option<Tick> {
        self.doubts_until
    }

    pub(crate) fn end(&mut self, now: Tick, incarnation: Incarnation) {
        let has = |here: &Here| here.elsewhere.iter().any(|entry| entry.by == incarnation);
        let users: Vec<_> =
            self.users.iter().filter(|(_, here)| has(here)).map(|(user, _)| user.clone()).collect();
        for user in users {
            self.forget(now, &user, incarnation);
        }
    }

    fn forget(&mut self, now: Tick, user: &UserId, incarnation: Incarnation) {
        if let Some(here) = self.users.get_mut(user) {
            here.elsewhere.retain(|entry| entry.by != incarnation);
            self.drop_if_gone(now, user);
        }
    }

    fn came(&mut self, user: &UserId, name: Arc<str>) {
        self.gone.remove(user);
        self.list_owed = true;
        if self.left.remove(user).is_none() {
            self.joined.insert(user.clone(), name);
        }
    }

    fn drop_if_gone(&mut self, now: Tick, user: &UserId) {
        if self.users.get(user).is_none_or(Here::is_here) {
            return;
        }
        if let Some(here) = self.users.remove(user) {
            self.list_owed = true;
            if self.joined.remove(user).is_none() {
                self.left.insert(user.clone(), here.name);
            }
            self.gone.insert(user.clone(), now);
            if self.gone.len() > GONE_MAX
                && let Some(oldest) =
                    self.gone.iter().min_by_key(|(_, since)| **since).map(|(user, _)| user.clone())
            {
                self.gone.remove(&oldest);
            }
        }
    }

    /// All that this node publishes, for an incarnation that begins.
    pub(crate) fn published(&self) -> Vec<Publish> {
        let mine = |(user, here): (&UserId, &Here)| {
            let person = Person { id: user.clone(), name: here.name.clone() };
            (here.published() > 0).then(|| (person, here.published()))
        };
        self.users.iter().filter_map(mine).collect()
    }

    /// Where what the engine holds under this name is not what this node's books say.
    pub(crate) fn unlike(&self, me: Incarnation, held: &[Present]) -> Vec<Publish> {
        let mut mine: BTreeMap<UserId, Publish> = self
            .published()
            .into_iter()
            .map(|(person, count)| (person.id.clone(), (person, count)))
            .collect();
        let mut unlike = Vec::new();
        for present in held.iter().filter(|present| present.by == me) {
            match mine.remove(&present.person.id) {
                Some((_, count)) if count == present.count => {}
                Some(publish) => unlike.push(publish),
                None => unlike.push((present.person.clone(), 0)),
            }
        }
        unlike.extend(mine.into_values());
        unlike
    }

    pub(crate) fn list(&self, max: usize) -> Vec<Person> {
        let person = |(user, here): (&UserId, &Here)| Person { id: user.clone(), name: here.name.clone() };
        self.users.iter().take(max).map(person).collect()
    }

    /// Who is here and since when, for whoever tells it in words of its own.
    pub(crate) fn at(&self, now: Now) -> At<'_> {
        At { presence: self, now }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.users.values().all(|here| here.published() == 0)
    }

    /// What is to be told now, if anything is and the window allows it.
    pub(crate) fn news(&mut self, now: Tick, limits: &Limits) -> Option<PresenceNews> {
        if now < self.tell_from || !self.has_news(now) {
            return None;
        }
        let count = self.users.len();
        if count == 1 && self.left.is_empty() {
            // Whoever is alone knows it, and the next to come is told of at once.
            self.hush();
            return None;
        }
        let small = count < limits.presence_small && now >= self.list_from && self.list_owed;
        let mut news = PresenceNews { count: count as u32, ..PresenceNews::default() };
        let person = |(id, name): (UserId, Arc<str>)| Person { id, name };
        let (joined, left) = (std::mem::take(&mut self.joined), std::mem::take(&mut self.left));
        if count <= limits.presence_list_max {
            news.joined = joined.into_iter().map(person).collect();
            news.left = left.into_iter().map(person).collect();
        } else {
            self.list_owed = false;
        }
        if small {
            news.users = Some(self.list(limits.presence_list_max));
            self.list_owed = false;
            self.list_from = now + limits.list_window;
        } else if count >= limits.presence_small {
            self.list_owed = false;
        }
        let silent = news.joined.is_empty() && news.left.is_empty() && news.users.is_none();
        if silent && count <= limits.presence_list_max {
            // Who left and came back in between is no news.
            return None;
        }
        self.tell_from = now + limits.presence_window;
        Some(news)
    }

    fn has_news(&self, now: Tick) -> bool {
        !self.joined.is_empty() || !self.left.is_empty() || (self.list_owed && now >= self.list_from)
    }

    /// Forgets what was to be told: nobody is here to hear it.
    pub(crate) fn hush(&mut self) {
        self.joined.clear();
        self.left.clear();
        self.list_owed = false;
    }

    pub(crate) fn next_deadline(&self) -> Option<Tick> {
        let lingering = self.lingering.first().map(|(until, _)| *until);
        let changes = !self.joined.is_empty() || !self.left.is_empty();
        let telling = if changes {
            Some(self.tell_from)
        } else {
            self.list_owed.then(|| self.list_from.max(self.tell_from))
        };
        lingering.into_iter().chain(telling).min()
    }

    #[cfg(any(test, debug_assertions))]
    pub(crate) fn check_invariants(&self) {
        for (until, user) in &self.lingering {
            let here = self.users.get(user).expect("a lingering user is in the books");
            assert_eq!(here.lingers_until, Some(*until));
        }
        assert!(self.users.values().all(Here::is_here), "who is not here is not in the books");
        assert!(self.joined.keys().all(|user| !self.left.contains_key(user)));
    }
}

/// The same roll at a time, by which ticks are times of day.
pub(crate) struct At<'a> {
    presence: &'a Presence,
    now: Now,
}

impl Roll for At<'_> {
    fn count(&self) -> u32 {
        self.presence.count()
    }

    fn users(&self) -> Vec<UserId> {
        Roll::users(self.presence)
    }

    fn is_here(&self, user: &UserId) -> bool {
        self.presence.is_here(user)
    }

    fn gone_since(&self, user: &UserId) -> Option<Tick> {
        self.presence.gone_since(user)
    }

    fn listed(&self) -> Vec<app::Here> {
        let ago = |since: Tick| self.now.tick.since(since).as_millis() as i64;
        let here = |(id, here): (&UserId, &Here)| app::Here {
            id: id.clone(),
            name: here.name.clone(),
            since: Wall(self.now.wall.0 - ago(here.since)),
        };
        self.presence.users.iter().take(Limits::default().presence_list_max).map(here).collect()
    }
}

impl Roll for Presence {
    fn count(&self) -> u32 {
        self.users.len() as u32
    }

    fn users(&self) -> Vec<UserId> {
        // The same bound as for lists that are sent; a number of its own would be one more thing to know.
        self.users.keys().take(Limits::default().presence_list_max).cloned().collect()
    }

    fn is_here(&self, user: &UserId) -> bool {
        self.users.contains_key(user)
    }

    fn gone_since(&self, user: &UserId) -> Option<Tick> {
        // After a takeover the clocks of absences begin anew.
        let absent = !self.users.contains_key(user);
        absent.then(|| self.gone.get(user).copied().unwrap_or(self.since))
    }
}

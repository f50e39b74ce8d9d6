//! The simulated engine is held to the contract of the real ones: delays alone, no faults, the same dialogues.

use std::collections::BTreeSet;
use std::time::Duration;

use conformance::Subject;
use engine::{Answer, Asked};
use vocabulary::{Incarnation, Now, Tick, Wall};

use crate::engine::{Engine, LinkId, Way};
use crate::random::Random;
use crate::scenario::Scenario;
use crate::tally::Tally;

/// One shard of the dialogues may live twice; an answer is for whichever life asked, and here the newest is told.
struct Simulated {
    engine: Engine,
    scenario: Scenario,
    random: Random,
    tally: Tally,
    now: Now,
    links: Vec<(LinkId, Incarnation)>,
    arrivals: BTreeSet<(Tick, LinkId)>,
    answers: BTreeSet<(Tick, LinkId)>,
}

impl Simulated {
    fn new() -> Simulated {
        let scenario = Scenario::plain(1);
        let now = Now { tick: Tick(1), wall: Wall(1_700_000_000_000) };
        let (arrivals, answers) = (BTreeSet::new(), BTreeSet::new());
        let (mut engine, random, tally) = (Engine::new(&scenario), Random::new(1), Tally::default());
        engine.watched = false;
        Simulated { engine, scenario, random, tally, now, links: Vec::new(), arrivals, answers }
    }

    /// Time goes on to the next thing that happens, or to the end.
    fn step(&mut self, end: Tick) -> Option<LinkId> {
        let next = [self.arrivals.first(), self.answers.first()].into_iter().flatten().min().copied();
        let look = self.now.tick + Duration::from_millis(100);
        let at = next.map_or(look, |(at, _)| at.min(look)).min(end).max(self.now.tick);
        self.now = Now { tick: at, wall: self.now.wall + at.since(self.now.tick) };
        let Simulated { engine, scenario, random, tally, now, .. } = self;
        let mut woken = engine.tick(*now, Way { scenario, random, tally, faultless: false });
        while let Some((_, id)) = self.arrivals.first().copied().filter(|(due, _)| *due <= at) {
            self.arrivals.pop_first();
            while let (Some(_), more) =
                engine.arrive(*now, id, Way { scenario, random, tally, faultless: false })
            {
                woken.extend(more);
            }
        }
        self.answers.extend(woken.into_iter().map(|(id, at)| (at, id)));
        let (_, id) = self.answers.first().copied().filter(|(due, _)| *due <= at)?;
        Some(id)
    }
}

impl Subject for Simulated {
    fn ask(&mut self, asked: Asked) {
        let id = (asked.by.node, asked.by.shard);
        match self.links.iter_mut().find(|(known, _)| *known == id) {
            Some((_, by)) => *by = asked.by,
            None => {
                self.engine.connect(id);
                self.links.push((id, asked.by));
            }
        }
        let Simulated { engine, scenario, random, tally, now, .. } = self;
        let arrives = engine.ask(now.tick, asked, Way { scenario, random, tally, faultless: false });
        self.arrivals.extend(arrives.map(|(id, at)| (at, id)));
    }

    fn next(&mut self) -> Option<(Incarnation, Answer)> {
        let patience = self.now.tick + Duration::from_secs(5);
        while self.now.tick < patience {
            let Some(id) = self.step(patience) else { continue };
            let Some(answer) = self.engine.take(self.now.tick, id) else {
                self.answers.pop_first();
                continue;
            };
            let by = match &answer {
                Answer::Ended { incarnation: gone } if (gone.node, gone.shard) == id => *gone,
                _ => self.links.iter().find(|(known, _)| *known == id).map(|(_, by)| *by)?,
            };
            return Some((by, answer));
        }
        None
    }

    fn now(&self) -> Now {
        self.now
    }

    fn pass(&mut self, span: Duration) {
        let until = self.now.tick + span;
        while self.now.tick < until {
            let before = self.now.tick;
            if self.step(until).is_some() {
                // Somebody has an answer waiting; time goes on all the same.
                let next = Tick(before.0 + 1_000_000).min(until).max(self.now.tick);
                self.now = Now { tick: next, wall: self.now.wall + next.since(self.now.tick) };
            }
        }
    }

    fn lease(&self) -> Duration {
        Duration::from_secs(10)
    }
}

conformance::tests!(super::Simulated::new());

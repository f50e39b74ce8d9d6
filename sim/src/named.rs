//! Scenarios with a name: worlds as data, each with what it promises. They stand for the acceptance tests of the same
//! numbers; docs/simulation.md says which.

use std::time::Duration;

use crate::engine::Cut;
use crate::expect::Expect;
use crate::faults::{Fault, Kind};
use crate::random::Random;
use crate::scenario::{Habits, News, Place, Scenario};

#[derive(Clone, Copy, Debug)]
pub struct Named {
    /// The number of what it stands for, and what it does.
    pub name: &'static str,
    pub says: &'static str,
    /// Seeds that a test run takes, where nothing is optimised; `kulkul-sim` runs many.
    pub seeds: u64,
    pub build: fn(u64) -> Scenario,
}

/// In the order of their numbers.
pub const NAMED: &[Named] = &[
    Named {
        name: "R01-kills",
        says: "one of three nodes is killed, six times, under load: everybody is back within 5 s, nothing is lost or doubled",
        seeds: 1,
        build: kills,
    },
    Named {
        name: "R04-restarts",
        says: "the engine restarts ten times and forgets the living: sockets stay, all is well 5 s later, nobody seems to leave",
        seeds: 1,
        build: restarts,
    },
    Named {
        name: "R05-outage",
        says: "the engine is away for five minutes: nothing is acknowledged, nothing grows, sockets stay, all is well 5 s later",
        seeds: 2,
        build: outage,
    },
    Named {
        name: "R06-partition",
        says: "a node is cut off for 60 s: it acknowledges nothing, its users are gone elsewhere within 30 s, all agree 10 s later",
        seeds: 2,
        build: partition,
    },
    Named {
        name: "R06-unheard",
        says: "what a node asks does not arrive, though it hears: the same",
        seeds: 2,
        build: unheard,
    },
    Named {
        name: "R06-unanswered",
        says: "what a node asks is done and not answered: it acknowledges nothing, and its users stay",
        seeds: 2,
        build: unanswered,
    },
    Named {
        name: "R07-pause",
        says: "a steward sleeps for 45 s over its lease: no duty, step or message twice, and its clients go on",
        seeds: 3,
        build: pause,
    },
    Named {
        name: "R10-reload",
        says: "reloads within 100 ms, elsewhere too, the new connection first too: no leave; in the end one each",
        seeds: 10,
        build: reload,
    },
    Named {
        name: "R11-tabs",
        says: "two tabs on two nodes, one node is killed: nobody seems to leave",
        seeds: 3,
        build: tabs,
    },
    Named {
        name: "R20-drain",
        says: "one node of three after the other drains under load: goodbyes evenly, everybody back within 10 s, nothing lost",
        seeds: 2,
        build: drain,
    },
    Named {
        name: "R23-fan-in",
        says: "eight senders in one room by three nodes: one order for all, and each sender's kept",
        seeds: 2,
        build: fan_in,
    },
    Named {
        name: "R25-presence",
        says: "three nodes, partitions, joins and kills at random: all agree 10 s after the end, no ghosts, no flaps",
        seeds: 12,
        build: presence,
    },
];

pub fn find(name: &str) -> Option<&'static Named> {
    NAMED.iter().find(|named| named.name == name)
}

const fn s(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

fn at(seconds: u64, kind: Kind) -> Fault {
    Fault { after: s(seconds), kind }
}

/// Three nodes that everybody is at home on one of, and a load without whims of the clients.
fn ground(seed: u64) -> Scenario {
    let mut random = Random::new(seed ^ 0x9a3e_d5ce);
    Scenario {
        nodes: 3,
        shards: random.pick(&[1, 2, 3]),
        users: 6,
        devices: 12,
        rooms: 2,
        calm: s(30),
        pace: Duration::from_millis(400),
        habits: Habits::STAYS,
        place: Place::Spread,
        probes: 0,
        bans: false,
        notices: s(1),
        network_delay: random.pick(&[1, 20].map(Duration::from_millis)),
        engine_delay: random.pick(&[1, 5, 20].map(Duration::from_millis)),
        news: random.pick(&[News::Noticed, News::MayDrop]),
        snapshot_records: random.pick(&[20, 1000]),
        ring_records: random.pick(&[8, 256]),
        link_places: random.pick(&[16, 1024]),
        ..Scenario::plain(seed)
    }
}

fn kills(seed: u64) -> Scenario {
    let kill = |round: u64| {
        let node = (round % 3) as usize;
        [at(10 + 15 * round, Kind::Kill(node)), at(13 + 15 * round, Kind::Restart(node))]
    };
    Scenario {
        devices: 18,
        back_ends: 1,
        probes: 1000,
        chaos: s(105),
        script: (0..6).flat_map(kill).collect(),
        expects: vec![Expect::Back(s(5)), Expect::Live { since: s(92), at: s(100) }],
        ..ground(seed)
    }
}

fn restarts(seed: u64) -> Scenario {
    let restart = |round: u64| at(10 + 20 * round, Kind::Restarted(Duration::from_millis(500 + 400 * round)));
    // Back after four seconds at most, and live five seconds later.
    let live = |round: u64| Expect::Live { since: s(15 + 20 * round), at: s(20 + 20 * round) };
    let mut expects: Vec<Expect> = (0..10).map(live).collect();
    expects.extend([
        Expect::SocketsStay { from: s(0), until: s(210) },
        Expect::NoLeaves { from: s(0), until: s(210) },
        Expect::Agreed(s(205)),
    ]);
    Scenario { back_ends: 1, chaos: s(210), script: (0..10).map(restart).collect(), expects, ..ground(seed) }
}

fn outage(seed: u64) -> Scenario {
    Scenario {
        back_ends: 1,
        waiting: 16,
        pace: Duration::from_millis(1000),
        chaos: s(335),
        script: vec![at(10, Kind::Away(s(300)))],
        expects: vec![
            Expect::NothingAcked { node: None, from: s(10) + Duration::from_millis(100), until: s(310) },
            Expect::SocketsStay { from: s(0), until: s(335) },
            Expect::NoLeaves { from: s(0), until: s(335) },
            Expect::Live { since: s(310), at: s(315) },
            Expect::Agreed(s(320)),
        ],
        ..ground(seed)
    }
}

/// Each user is on one node alone.
fn cut_off(seed: u64, cut: Cut, expects: Vec<Expect>) -> Scenario {
    // What was on its way at the cut arrives yet.
    let from = s(15) + Duration::from_millis(100);
    let mut all = vec![
        Expect::NothingAcked { node: Some(0), from, until: s(75) },
        Expect::SocketsStay { from: s(0), until: s(100) },
        Expect::Agreed(s(85)),
        Expect::Live { since: s(78), at: s(85) },
        Expect::NoFlaps,
        Expect::NoGhosts,
    ];
    all.extend(expects);
    Scenario {
        place: Place::Together,
        back_ends: 1,
        chaos: s(100),
        script: vec![at(15, Kind::Partition(0, cut, s(60)))],
        expects: all,
        ..ground(seed)
    }
}

fn partition(seed: u64) -> Scenario {
    cut_off(seed, Cut::Both, vec![Expect::GoneElsewhere { node: 0, at: s(45) }])
}

fn unheard(seed: u64) -> Scenario {
    cut_off(seed, Cut::Questions, vec![Expect::GoneElsewhere { node: 0, at: s(45) }])
}

fn unanswered(seed: u64) -> Scenario {
    cut_off(seed, Cut::Answers, vec![Expect::NoLeaves { from: s(15), until: s(75) }])
}

fn pause(seed: u64) -> Scenario {
    Scenario {
        probes: 1000,
        back_ends: 1,
        chaos: s(90),
        script: vec![at(15, Kind::Pause((seed % 3) as usize, s(45)))],
        expects: vec![Expect::Live { since: s(62), at: s(70) }, Expect::Agreed(s(75)), Expect::NoFlaps],
        ..ground(seed)
    }
}

/// The watchers are three devices of three users, one on each node, and nobody else's.
fn reload(seed: u64) -> Scenario {
    Scenario {
        users: 9,
        devices: 9,
        watchers: 3,
        rooms: 1,
        place: if seed.is_multiple_of(3) { Place::Spread } else { Place::Anywhere },
        habits: Habits::RELOADS,
        overlaps: 400,
        pace: Duration::from_millis(600),
        chaos: s(60),
        script: vec![at(45, Kind::Vanish)],
        news_repeated: 50,
        expects: vec![Expect::NoLeaves { from: s(0), until: s(45) }, Expect::LeftOnce],
        network_delay: Duration::from_millis(5),
        ..ground(seed)
    }
}

fn tabs(seed: u64) -> Scenario {
    let node = (seed % 3) as usize;
    Scenario {
        chaos: s(60),
        script: vec![at(15, Kind::Kill(node)), at(40, Kind::Restart(node))],
        expects: vec![
            Expect::NoLeaves { from: s(0), until: s(60) },
            Expect::Agreed(s(35)),
            Expect::Back(s(5)),
        ],
        ..ground(seed)
    }
}

fn drain(seed: u64) -> Scenario {
    let drain = |round: u64| {
        let (node, from) = (round as usize, 15 + 25 * round);
        let gone = [at(from, Kind::Drain(node, s(10))), at(from + 13, Kind::Kill(node))];
        gone.into_iter().chain([at(from + 15, Kind::Restart(node))])
    };
    let drained =
        |round: u64| Expect::Drained { node: round as usize, from: s(15 + 25 * round), window: s(10) };
    let mut expects: Vec<Expect> = (0..3).map(drained).collect();
    expects.extend([
        Expect::Back(s(10)),
        Expect::Live { since: s(82), at: s(90) },
        Expect::NoLeaves { from: s(0), until: s(95) },
    ]);
    Scenario {
        users: 12,
        devices: 24,
        back_ends: 1,
        pace: Duration::from_millis(800),
        chaos: s(95),
        script: (0..3).flat_map(drain).collect(),
        expects,
        ..ground(seed)
    }
}

fn fan_in(seed: u64) -> Scenario {
    Scenario {
        users: 8,
        devices: 8,
        rooms: 1,
        habits: Habits::SPEAKS,
        pace: Duration::from_millis(40),
        chaos: s(20),
        expects: vec![Expect::Live { since: s(17), at: s(19) }],
        ..ground(seed)
    }
}

fn presence(seed: u64) -> Scenario {
    let mut random = Random::new(seed ^ 0x9ae5_e9ce);
    let mut script = Vec::new();
    for _ in 0..random.below(5) {
        let cut = random.pick(&[Cut::Both, Cut::Both, Cut::Questions, Cut::Answers]);
        let kind = Kind::Partition(random.index(3), cut, random.millis(500, 20_000));
        script.push(Fault { after: random.millis(3000, 55_000), kind });
    }
    for _ in 0..random.below(3) {
        let (node, after) = (random.index(3), random.millis(3000, 50_000));
        script.push(Fault { after, kind: Kind::Kill(node) });
        script.push(Fault { after: after + random.millis(500, 12_000), kind: Kind::Restart(node) });
    }
    let news = random.pick(&[News::Reliable, News::Noticed, News::MayDrop]);
    // Who stays away for longer than the linger and a lease must not be shown meanwhile.
    let returns = random.pick(&[s(1), s(25)]);
    Scenario {
        returns,
        rooms: random.pick(&[1, 3]),
        place: random.pick(&[Place::Spread, Place::Together, Place::Anywhere]),
        habits: Habits { rejoin: 4, leave: 6, reload: 6, hang_up: 2, users: 40, nothing: 30, ..Habits::NONE },
        chaos: s(75),
        calm: s(15) + returns,
        news,
        news_lost: if news == News::Reliable { 0 } else { random.pick(&[0, 20]) },
        question_lost: random.pick(&[0, 10]),
        answer_lost: random.pick(&[0, 10]),
        script,
        // The last partition ends by 75 s; when the last are back, members are asked ten seconds later.
        expects: vec![Expect::NoFlaps, Expect::NoGhosts, Expect::Agreed(s(85) + returns)],
        ..ground(seed)
    }
}

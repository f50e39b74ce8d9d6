//! What a seed chose: the size of the world, and which faults are on and how often. Swarm testing: most runs have only
//! some of the faults, because faults hide each other.

mod plan;

use std::time::Duration;

use crate::expect::Expect;
use crate::faults::{Fault, Kind};
use crate::mutant::Mutant;
use crate::random::Random;

/// How an engine treats news that it cannot deliver.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum News {
    /// They come, if late.
    Reliable,
    /// It says `Missed` in their place, and after every cut; followers need not look by themselves.
    Noticed,
    /// They may be lost, repeated and reordered; it says `Missed` after a cut.
    MayDrop,
}

/// Where a device connects.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// At any node, each time.
    Anywhere,
    /// A user's devices at different nodes, each always at the same while that is there; at the next one otherwise.
    Spread,
    /// All of a user's devices at one node.
    Together,
}

/// How often a device does what, beside each other.
#[derive(Clone, Copy, Debug)]
pub struct Habits {
    pub rejoin: u32,
    pub speak: u32,
    pub leave: u32,
    pub history: u32,
    pub users: u32,
    pub typing: u32,
    pub reload: u32,
    pub hang_up: u32,
    pub refresh: u32,
    pub nothing: u32,
}

impl Default for Habits {
    fn default() -> Habits {
        Habits {
            rejoin: 2,
            speak: 68,
            leave: 4,
            history: 8,
            users: 6,
            typing: 6,
            reload: 3,
            hang_up: 1,
            refresh: 1,
            nothing: 1,
        }
    }
}

impl Habits {
    pub const NONE: Habits = Habits {
        rejoin: 0,
        speak: 0,
        leave: 0,
        history: 0,
        users: 0,
        typing: 0,
        reload: 0,
        hang_up: 0,
        refresh: 0,
        nothing: 1,
    };
    /// Says things and looks around, and stays where it is.
    pub const STAYS: Habits = Habits { speak: 80, history: 6, users: 8, typing: 6, ..Habits::NONE };
    pub const SPEAKS: Habits = Habits { speak: 1, nothing: 0, ..Habits::NONE };
    pub const RELOADS: Habits = Habits { reload: 1, nothing: 0, ..Habits::NONE };
}

/// Rates are per thousand of whatever they stand for.
#[derive(Clone, Debug)]
pub struct Scenario {
    pub seed: u64,
    pub nodes: usize,
    pub shards: u16,
    pub users: usize,
    pub devices: usize,
    pub rooms: usize,
    /// Time with faults, and time without them in which all must come right.
    pub chaos: Duration,
    pub calm: Duration,
    /// A device does something about this often.
    pub pace: Duration,
    pub habits: Habits,
    /// The first so many devices do nothing by themselves: they join and listen.
    pub watchers: usize,
    pub place: Place,
    /// Of a thousand runs, those with rooms of the app that has duties, steps and claims.
    pub probes: u32,
    /// Somebody is banned from a room now and then.
    pub bans: bool,
    /// Callers by the HTTP API's way.
    pub back_ends: usize,
    /// By then a client has noticed that its line is dead, and by then it comes back after an end.
    pub notices: Duration,
    pub returns: Duration,
    /// Of a thousand reloads, those in which the new connection is there before the old one ends.
    pub overlaps: u32,

    // Places that can be full.
    pub command_box: usize,
    pub delivery_box: usize,
    pub socket_bytes: usize,
    pub outbox_frames: usize,
    pub outbox_bytes: usize,
    pub page_records: usize,
    pub ring_records: usize,
    pub waiting: usize,
    pub rooms_max: usize,
    pub snapshot_records: u64,
    pub retention_records: u64,
    /// The team's back end is asked about joins and sends.
    pub asks: bool,
    /// Every node follows the system's room.
    pub system: bool,
    /// By what rides go.
    pub rides: rides::Rules,

    // The network between clients and nodes.
    pub network_delay: Duration,
    pub split: u32,
    pub cuts: u32,
    pub half_open: u32,
    pub slow_readers: u32,
    pub stalls: u32,

    // The link between a shard and the engine.
    pub engine_delay: Duration,
    pub answer_late: u32,
    pub question_lost: u32,
    pub answer_lost: u32,
    pub news: News,
    pub news_lost: u32,
    pub news_repeated: u32,
    pub news_reordered: u32,
    /// At most so many records in one answer.
    pub answer_records: usize,
    /// Questions on their way to the engine at once; what finds no place waits at the shard.
    pub link_places: usize,

    // Events a run.
    pub partitions: u32,
    /// Of a thousand partitions, those in which one direction is whole.
    pub one_way: u32,
    /// The engine is away; the same, and it has forgotten all but its logs when it is back.
    pub outages: u32,
    pub restarts: u32,
    /// A room is found damaged for a while.
    pub damages: u32,
    pub refusals: u32,
    pub lost_tails: u32,
    pub kills: u32,
    pub pauses: u32,
    pub wall_jumps: u32,
    /// Every node takes itself for the steward of all rooms: what is done once is done once by guards and keys alone.
    pub many_stewards: bool,

    pub garbage: u32,
    pub resends: u32,
    /// What happens besides, each at its time.
    pub script: Vec<Fault>,
    /// What must hold besides what must always hold.
    pub expects: Vec<Expect>,
    pub mutant: Option<Mutant>,
}

impl Scenario {
    /// A world without faults, for transcripts and as the ground on which a seed builds.
    pub fn plain(seed: u64) -> Scenario {
        Scenario {
            seed,
            nodes: 1,
            shards: 2,
            users: 0,
            devices: 0,
            rooms: 1,
            chaos: Duration::ZERO,
            calm: Duration::ZERO,
            pace: Duration::from_millis(700),
            habits: Habits::default(),
            watchers: 0,
            place: Place::Anywhere,
            probes: 600,
            bans: true,
            back_ends: 0,
            notices: Duration::from_secs(4),
            returns: Duration::from_millis(1500),
            overlaps: 0,
            command_box: 1024,
            delivery_box: 1024,
            socket_bytes: 16 << 10,
            outbox_frames: 256,
            outbox_bytes: 1 << 20,
            page_records: 64,
            ring_records: 256,
            waiting: 256,
            rooms_max: 100_000,
            snapshot_records: 1000,
            retention_records: 1_000_000,
            asks: false,
            system: false,
            rides: rides::Rules::default(),
            network_delay: Duration::from_millis(2),
            split: 0,
            cuts: 0,
            half_open: 0,
            slow_readers: 0,
            stalls: 0,
            engine_delay: Duration::from_millis(1),
            answer_late: 0,
            question_lost: 0,
            answer_lost: 0,
            news: News::Reliable,
            news_lost: 0,
            news_repeated: 0,
            news_reordered: 0,
            answer_records: 500,
            link_places: usize::MAX,
            partitions: 0,
            one_way: 0,
            outages: 0,
            restarts: 0,
            damages: 0,
            refusals: 0,
            lost_tails: 0,
            kills: 0,
            pauses: 0,
            wall_jumps: 0,
            many_stewards: false,
            garbage: 0,
            resends: 0,
            script: Vec::new(),
            expects: Vec::new(),
            mutant: None,
        }
    }

    pub fn from_seed(seed: u64) -> Scenario {
        let mut random = Random::new(seed ^ 0x5ce0_a210);
        let mut on = |rates: &[u32]| if random.per_mille(450) { random.pick(rates) } else { 0 };
        let mut scenario = Scenario {
            split: on(&[100, 500]),
            cuts: on(&[20, 60]),
            half_open: on(&[10, 20]),
            slow_readers: on(&[100, 300]),
            stalls: on(&[20, 60]),
            answer_late: on(&[10, 50]),
            question_lost: on(&[10, 50]),
            answer_lost: on(&[10, 50]),
            partitions: on(&[1, 3]),
            one_way: on(&[500, 1000]),
            outages: on(&[1, 2]),
            restarts: on(&[1, 2]),
            damages: on(&[0, 0, 0, 1, 2]),
            refusals: on(&[1, 3]),
            lost_tails: on(&[1, 3]),
            kills: on(&[1, 3]),
            pauses: on(&[1, 3]),
            wall_jumps: on(&[2, 6]),
            garbage: on(&[10, 50]),
            resends: on(&[50, 200]),
            news_lost: on(&[20, 100]),
            news_repeated: on(&[20, 100]),
            news_reordered: on(&[20, 100]),
            ..Scenario::plain(seed)
        };
        scenario.news = random.pick(&[News::Reliable, News::Noticed, News::MayDrop]);
        if scenario.news == News::Reliable {
            (scenario.news_lost, scenario.news_repeated, scenario.news_reordered) = (0, 0, 0);
            // What is away loses what it would have said.
            (scenario.outages, scenario.restarts) = (0, 0);
        } else {
            scenario.link_places = random.pick(&[3, 16, 1024]);
        }
        scenario.nodes = random.pick(&[2, 2, 2, 3]);
        scenario.shards = random.pick(&[2, 3]);
        scenario.users = random.pick(&[4, 6, 9]);
        scenario.devices = scenario.users + random.index(scenario.users);
        scenario.rooms = random.pick(&[1, 2, 4]);
        scenario.back_ends = random.pick(&[0, 1, 2]);
        scenario.chaos = random.pick(&[15, 25, 40].map(Duration::from_secs));
        scenario.calm = Duration::from_secs(40);
        scenario.pace = random.pick(&[150, 400, 900].map(Duration::from_millis));
        scenario.command_box = random.pick(&[2, 8, 256]);
        scenario.delivery_box = random.pick(&[2, 8, 256]);
        scenario.socket_bytes = random.pick(&[300, 2 << 10, 16 << 10]);
        scenario.outbox_frames = random.pick(&[4, 16, 256]);
        scenario.outbox_bytes = random.pick(&[2 << 10, 1 << 20]);
        scenario.page_records = random.pick(&[2, 8, 64]);
        scenario.ring_records = random.pick(&[4, 32, 256]);
        scenario.waiting = random.pick(&[4, 256]);
        scenario.snapshot_records = random.pick(&[5, 50, 1000]);
        scenario.retention_records = random.pick(&[10, 100, 1_000_000]);
        scenario.network_delay = random.pick(&[1, 20, 100].map(Duration::from_millis));
        scenario.engine_delay = random.pick(&[1, 5, 40].map(Duration::from_millis));
        scenario.answer_records = random.pick(&[10, 500, 500]);
        scenario.asks = seed % 4 == 1;
        if scenario.socket_bytes < 1 << 10 {
            // A few hundred bytes a round trip must still carry a backlog away in the calm.
            scenario.network_delay = scenario.network_delay.min(Duration::from_millis(20));
        }
        if random.per_mille(200) { scenario.undisturbed() } else { scenario }
    }

    /// Only what no user may be reported as gone for.
    fn undisturbed(self) -> Scenario {
        Scenario {
            // A client that is closed must learn so at once, or its return takes longer than the linger.
            garbage: 0,
            socket_bytes: 16 << 10,
            half_open: 0,
            slow_readers: 0,
            stalls: 0,
            answer_late: 0,
            question_lost: 0,
            answer_lost: 0,
            news: News::Reliable,
            link_places: usize::MAX,
            news_lost: 0,
            news_repeated: 0,
            news_reordered: 0,
            partitions: 0,
            outages: 0,
            restarts: 0,
            damages: 0,
            refusals: 0,
            kills: 0,
            pauses: 0,
            lost_tails: 0,
            wall_jumps: 0,
            command_box: 256,
            delivery_box: 256,
            ..self
        }
    }

    /// Whether anything can keep the nodes from hearing of each other in time: then a leave may be told that was none.
    pub fn presence_is_disturbed(&self) -> bool {
        self.news != News::Reliable
            || self.outages + self.restarts + self.damages > 0
            || self.answer_late + self.question_lost + self.answer_lost > 0
            || self.partitions + self.kills + self.pauses + self.refusals > 0
            || self.half_open + self.slow_readers + self.stalls + self.wall_jumps + self.lost_tails > 0
            || self.command_box < 16
            || self.delivery_box < 16
            || self.script.iter().any(|fault| fault.kind != Kind::Vanish)
    }

    /// What may wait in a shard's post: pages, leaves and the like are bounded by its members, and a turn's deliveries by
    /// its inputs.
    pub(crate) fn post_max(&self) -> usize {
        4096 + self.devices * self.rooms * 8
    }

    /// Questions that may wait in front of a link that is full: what a turn asks, and what follows from the answers that
    /// are taken meanwhile.
    pub(crate) fn unasked_max(&self) -> usize {
        256 + self.rooms * 32
    }
}

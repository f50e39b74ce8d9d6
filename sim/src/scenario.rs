//! What a seed chose: the size of the world, and which faults are on and how often. Swarm testing: most runs have only
//! some of the faults, because faults hide each other.

use std::fmt;
use std::time::Duration;

use crate::mutant::Mutant;
use crate::random::Random;

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
    /// Every node follows the system's room.
    pub system: bool,

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
    pub news_may_drop: bool,
    pub news_lost: u32,
    pub news_repeated: u32,
    pub news_reordered: u32,
    /// At most so many records in one answer.
    pub answer_records: usize,

    // Events a minute.
    pub partitions: u32,
    pub refusals: u32,
    pub lost_tails: u32,
    pub kills: u32,
    pub pauses: u32,
    pub wall_jumps: u32,

    pub garbage: u32,
    pub resends: u32,
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
            system: false,
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
            news_may_drop: false,
            news_lost: 0,
            news_repeated: 0,
            news_reordered: 0,
            answer_records: 500,
            partitions: 0,
            refusals: 0,
            lost_tails: 0,
            kills: 0,
            pauses: 0,
            wall_jumps: 0,
            garbage: 0,
            resends: 0,
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
        scenario.news_may_drop = random.per_mille(400);
        if !scenario.news_may_drop {
            (scenario.news_lost, scenario.news_repeated, scenario.news_reordered) = (0, 0, 0);
        }
        scenario.nodes = random.pick(&[2, 2, 2, 3]);
        scenario.shards = random.pick(&[2, 3]);
        scenario.users = random.pick(&[4, 6, 9]);
        scenario.devices = scenario.users + random.index(scenario.users);
        scenario.rooms = random.pick(&[1, 2, 4]);
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
            news_may_drop: false,
            news_lost: 0,
            news_repeated: 0,
            news_reordered: 0,
            partitions: 0,
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
        self.news_may_drop
            || self.answer_late + self.question_lost + self.answer_lost > 0
            || self.partitions + self.kills + self.pauses + self.refusals > 0
            || self.half_open + self.slow_readers + self.stalls + self.wall_jumps + self.lost_tails > 0
            || self.command_box < 16
            || self.delivery_box < 16
    }
}

impl fmt::Display for Scenario {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let s = self;
        writeln!(
            f,
            "  world    {} nodes of {} shards, {} users with {} devices, {} rooms, {} s of chaos and {} s of calm, one act a device in {} ms",
            s.nodes,
            s.shards,
            s.users,
            s.devices,
            s.rooms,
            s.chaos.as_secs(),
            s.calm.as_secs(),
            s.pace.as_millis()
        )?;
        writeln!(
            f,
            "  places   command box {}, delivery box {}, socket {} B, outbox {} frames / {} B, page {}, ring {}, waiting {}, snapshot every {}, retention {}",
            s.command_box,
            s.delivery_box,
            s.socket_bytes,
            s.outbox_frames,
            s.outbox_bytes,
            s.page_records,
            s.ring_records,
            s.waiting,
            s.snapshot_records,
            s.retention_records
        )?;
        writeln!(
            f,
            "  network  delay {} ms; per 1000: split {}, cuts {}, half-open {}, slow readers {}, stalls {}, garbage {}, resends {}",
            s.network_delay.as_millis(),
            s.split,
            s.cuts,
            s.half_open,
            s.slow_readers,
            s.stalls,
            s.garbage,
            s.resends
        )?;
        writeln!(
            f,
            "  engine   delay {} ms, {} records an answer; per 1000: late {}, question lost {}, answer lost {}; news {}: lost {}, repeated {}, reordered {}",
            s.engine_delay.as_millis(),
            s.answer_records,
            s.answer_late,
            s.question_lost,
            s.answer_lost,
            if s.news_may_drop { "may drop" } else { "reliable" },
            s.news_lost,
            s.news_repeated,
            s.news_reordered
        )?;
        write!(
            f,
            "  events   up to: partitions {}, refusals {}, lost tails {}, kills {}, pauses {}, wall jumps {}",
            s.partitions, s.refusals, s.lost_tails, s.kills, s.pauses, s.wall_jumps
        )?;
        if let Some(mutant) = s.mutant {
            write!(f, "\n  mutant   {mutant:?}")?;
        }
        Ok(())
    }
}

impl Scenario {
    /// What may wait in a shard's post: pages, leaves and the like are bounded by its members, and a turn's deliveries by
    /// its inputs.
    pub(crate) fn post_max(&self) -> usize {
        4096 + self.devices * self.rooms * 8
    }
}

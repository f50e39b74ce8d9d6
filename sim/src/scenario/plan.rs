//! A scenario as a person reads it who wants to know what a seed chose.

use std::fmt;

use super::Scenario;

impl fmt::Display for Scenario {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let s = self;
        writeln!(
            f,
            "  world    {} nodes of {} shards, {} users with {} devices, {} back ends{}, {} rooms, {} s of chaos and {} s of calm, one act a device in {} ms",
            s.nodes,
            s.shards,
            s.users,
            s.devices,
            s.back_ends,
            if s.asks { ", one that is asked" } else { "" },
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
            "  engine   delay {} ms, {} records an answer; {} places; per 1000: late {}, question lost {}, answer lost {}; news {:?}: lost {}, repeated {}, reordered {}",
            s.engine_delay.as_millis(),
            s.answer_records,
            s.link_places,
            s.answer_late,
            s.question_lost,
            s.answer_lost,
            s.news,
            s.news_lost,
            s.news_repeated,
            s.news_reordered
        )?;
        write!(
            f,
            "  events   up to: partitions {} ({} of 1000 one-way), engine away {}, restarted {}, refusals {}, damages {}, lost tails {}, kills {}, pauses {}, wall jumps {}",
            s.partitions,
            s.one_way,
            s.outages,
            s.restarts,
            s.refusals,
            s.damages,
            s.lost_tails,
            s.kills,
            s.pauses,
            s.wall_jumps
        )?;
        for fault in &s.script {
            write!(f, "\n  at {:>7.3} {:?}", fault.after.as_secs_f64(), fault.kind)?;
        }
        if let Some(mutant) = s.mutant {
            write!(f, "\n  mutant   {mutant:?}")?;
        }
        Ok(())
    }
}

//! Snapshots and what may be forgotten because of them.

use conformance::words::A;
use engine::{MemoryLimits, Read};

use crate::table::{Table, first_epoch, seen};

#[test]
fn a_ring_trims_only_what_a_snapshot_covers() {
    for limits in [
        MemoryLimits { room_records_max: 2, ..MemoryLimits::default() },
        MemoryLimits { room_bytes_max: 2, ..MemoryLimits::default() },
    ] {
        let mut table = Table::with(limits);
        let head = table.fill(A, seen(&[]), &["a", "b", "c", "d"]);
        assert_eq!(table.log(), ["a", "b", "c", "d"], "no snapshot, nothing trimmed");
        table.store(seen(&["a"]), 0);
        let head = table.fill(A, head, &["e"]);
        assert_eq!(table.read(first_epoch(), 0, 10), Read::Behind(1), "the snapshot covers one record");
        table.store(head, 0);
        table.fill(A, head, &["f"]);
        assert_eq!(table.log_after(4), [(5, "e".to_owned()), (6, "f".to_owned())]);
        assert_eq!(table.read(first_epoch(), 3, 10), Read::Behind(4), "as many as the ring holds");
    }
}

//! The same on a Cluster of three, with sharded channels.

conformance::tests!(conformance::Wired::new(crate::plant::Three::new()));

//! The dialogues that every engine holds, against a real server.

mod world;

conformance::tests!(conformance::Wired::new(crate::world::OnShared::new()));
conformance::restart_tests!(conformance::Wired::new(crate::world::OnOwn::new()));

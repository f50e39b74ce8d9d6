//! What every engine must do.

conformance::tests!(conformance::Wired::new(crate::plant::Single::new()));
conformance::restart_tests!(conformance::Wired::new(crate::plant::Single::new()));

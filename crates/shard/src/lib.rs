//! One core's world as a single state machine.

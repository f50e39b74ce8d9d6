//! The contract between a room and its app: a pure fold.

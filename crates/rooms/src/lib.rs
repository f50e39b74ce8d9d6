//! Membership, presence, history, who receives what.

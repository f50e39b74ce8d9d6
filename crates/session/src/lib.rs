//! One client's life: its identity, its limits, its end.

//! The contract for logs, followers, leases and soft values, and the memory engine as a pure machine.

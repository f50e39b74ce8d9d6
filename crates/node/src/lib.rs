//! The shell: listeners, a thread per shard, mailboxes, timers, the engine link.

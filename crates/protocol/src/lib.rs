//! Messages to requests; replies and notices to messages. One file per client protocol.

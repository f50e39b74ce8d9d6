//! Bytes to frames to messages and back: RFC 6455, and nothing else.

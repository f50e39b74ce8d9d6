//! Chat rooms as an app: a fold over messages.

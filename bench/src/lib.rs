//! Load generator and report; a client like any other.

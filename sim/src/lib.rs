//! Many shards and nodes, a fake network and engine, one seed.

//! The nouns that several crates share: ids, requests, commands, records, deliveries, envelopes, close reasons.

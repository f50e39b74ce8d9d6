//! Every rule that `check` holds, as data with its reason. To allow or forbid something, change a row here and nowhere
//! else. Holds no machinery.

/// Who may need whom, among our own crates; normal and build dependencies only, dev-dependencies are free.
/// A folder ending in `/*` stands for each crate in it. A crate without a row fails the check.
pub(crate) const EDGES: &[Edge] = &[
    Edge { of: "crates/vocabulary", may: &[], because: "the nouns are the ground everything else stands on" },
    Edge { of: "crates/websocket", may: &[], because: "RFC 6455, RFC 7692 and nothing of ours" },
    Edge { of: "crates/protocol", may: VOCABULARY, because: "protocol, session and rooms have never met" },
    Edge { of: "crates/session", may: VOCABULARY, because: "protocol, session and rooms have never met" },
    Edge {
        of: "crates/identity",
        may: &["crates/session", "crates/vocabulary"],
        because: "whom a token proves is for a session to know, and for nobody to change",
    },
    Edge {
        of: "crates/app",
        may: VOCABULARY,
        because: "the contract is between a room and an app, nobody else",
    },
    Edge { of: "crates/engine", may: VOCABULARY, because: "an engine stores logs and never opens a payload" },
    Edge {
        of: "crates/rooms",
        may: &["crates/vocabulary", "crates/app", "crates/engine"],
        because: "protocol, session and rooms have never met",
    },
    Edge {
        of: "crates/shard",
        may: BELOW_SHARD,
        because: "a shard is generic over its apps; `server` names them",
    },
    Edge {
        of: "apps/*",
        may: &["crates/app", "crates/vocabulary"],
        because: "an app that needs more than its contract means that the contract is wrong",
    },
    Edge {
        of: "engines/redis",
        may: &["crates/engine", "crates/vocabulary", "engines/ferry", "engines/link", "engines/redis-wire"],
        because: "an engine stores logs and never opens a payload",
    },
    Edge {
        of: "engines/nats",
        may: &["crates/engine", "crates/vocabulary", "engines/ferry", "engines/link", "engines/nats-wire"],
        because: "an engine stores logs and never opens a payload",
    },
    Edge {
        of: "engines/*",
        may: &["crates/engine", "crates/vocabulary", "engines/ferry", "engines/link"],
        because: "an engine stores logs and never opens a payload",
    },
    Edge {
        of: "crates/node",
        may: UP_TO_SHARD_AND_LINK,
        because: "only `server` names concrete apps and engines",
    },
    Edge {
        of: "bridges/redis",
        may: BRIDGE_OF_REDIS,
        because: "what a broker says is a call like a back end's; which rooms there are, it need not know",
    },
    Edge {
        of: "bridges/crossing",
        may: &["crates/node", "crates/vocabulary", "engines/link"],
        because: "what bridges share is between a broker and the rooms, and knows neither of them",
    },
    Edge {
        of: "bridges/kafka",
        may: &["bridges/crossing", "crates/node", "crates/vocabulary", "engines/link"],
        because: "what a broker says is a call like a back end's; which rooms there are, it need not know",
    },
    Edge {
        of: "bridges/webhook",
        may: &["apps/webhooks", "bridges/crossing", "crates/node", "crates/vocabulary", "engines/link"],
        because: "what leaves is a room's word; of apps it knows the one whose rooms are its own",
    },
    Edge {
        of: "bridges/nats",
        may: &["bridges/crossing", "crates/node", "crates/vocabulary", "engines/link", "engines/nats-wire"],
        because: "what a broker says is a call like a back end's; which rooms there are, it need not know",
    },
    Edge {
        of: "crates/http-api",
        may: &["crates/node", "crates/protocol", "crates/vocabulary"],
        because: "a back end's question is a call, its payload goes to clients, and what a room is, it need not know",
    },
    Edge {
        of: "sim",
        may: UP_TO_SHARD_AND_APPS,
        because: "the simulator drives the pure set and nothing else",
    },
    Edge {
        of: "bench",
        may: &["crates/websocket", "crates/vocabulary"],
        because: "the bench is a client like any other; it may not know how the server works",
    },
    Edge {
        of: "faults",
        may: &["crates/websocket", "crates/vocabulary"],
        because: "it judges by what any client sees; it may not know how the server works",
    },
    Edge { of: "crates/server", may: &["*"], because: "the one place where everything meets" },
    Edge { of: "xtask", may: &[], because: "a chore must build when the crates do not" },
];

/// Who may be needed, where that is a short list. Says more than `EDGES` could: it binds crates yet to come.
pub(crate) const GUARDED: &[Edge] = &[
    Edge { of: "crates/server", may: &[], because: "the binary is the end of the flow" },
    Edge { of: "bench", may: &["crates/server"], because: "`kulkul bench` is its one way in" },
    Edge { of: "faults", may: &[], because: "nothing that ships may know how it is judged" },
    Edge { of: "sim", may: &[], because: "nothing that ships may know that it is simulated" },
    Edge { of: "xtask", may: &[], because: "chores are not a library" },
];

pub(crate) struct Edge {
    pub(crate) of: &'static str,
    pub(crate) may: &'static [&'static str],
    pub(crate) because: &'static str,
}

const VOCABULARY: &[&str] = &["crates/vocabulary"];
const BELOW_SHARD: &[&str] = &[
    "crates/vocabulary",
    "crates/websocket",
    "crates/protocol",
    "crates/session",
    "crates/app",
    "crates/rooms",
    "crates/engine",
];
const UP_TO_SHARD_AND_LINK: &[&str] = &[
    "crates/vocabulary",
    "crates/websocket",
    "crates/protocol",
    "crates/session",
    "crates/identity",
    "crates/app",
    "crates/rooms",
    "crates/engine",
    "crates/shard",
    "engines/link",
];
const BRIDGE_OF_REDIS: &[&str] = &["crates/node", "crates/vocabulary", "engines/link", "engines/redis-wire"];
const UP_TO_SHARD_AND_APPS: &[&str] = &[
    "crates/vocabulary",
    "crates/websocket",
    "crates/protocol",
    "crates/session",
    "crates/app",
    "crates/rooms",
    "crates/engine",
    "crates/shard",
    "apps/*",
];

/// The pure set: decides, and never acts. Beside each, how many foreign crates its tree may link (proc macros run at
/// build time and are not counted). Raising a number is a decision to be argued in the commit.
pub(crate) const PURE: &[(&str, usize)] = &[
    // Three: bytes, and serde in two parts, which the client of NATS asks of bytes for the whole workspace.
    ("crates/vocabulary", 3),
    ("crates/websocket", 5),
    ("crates/protocol", 8),
    ("crates/session", 3),
    // Eight: apps share how a payload is read, field by field, and so it stands in their contract.
    ("crates/app", 8),
    ("crates/engine", 3),
    ("crates/rooms", 8),
    ("crates/shard", 11),
    ("apps/*", 8),
];

/// What the pure set may link.
pub(crate) const PURE_MAY_LINK: &[(&str, &str)] = &[
    ("bytes", "payloads are shared and sliced without copying"),
    ("httparse", "request heads; strict, and has no dependencies"),
    ("sha1_smol", "the digest of the WebSocket handshake"),
    ("zlib-rs", "deflate for RFC 7692; a function of bytes, and has no dependencies"),
    ("serde", "derives for payloads"),
    ("serde_core", "part of serde"),
    ("serde_json", "one JSON text per frame"),
    ("itoa", "part of serde_json"),
    ("ryu", "part of serde_json"),
    ("zmij", "part of serde_json"),
    ("memchr", "part of serde_json"),
];

/// What the pure set must never link, so that the refusal carries a better reason than "not on the list".
/// A name ending in `*` stands for every crate that begins so.
pub(crate) const PURE_NEVER_LINKS: &[(&str, &str)] = &[
    ("tokio*", "a runtime: `node` drives, the pure set is driven"),
    ("mio", "sockets belong to `node`"),
    ("hyper*", "sockets belong to `node`"),
    ("axum*", "sockets belong to `node`"),
    ("socket2", "sockets belong to `node`"),
    ("rustix", "system calls belong to the rim"),
    ("libc", "system calls belong to the rim"),
    ("rand*", "randomness is an input, or a seed does not replay"),
    ("getrandom", "randomness is an input, or a seed does not replay"),
    ("chrono", "time is an argument: `Now`"),
    ("time", "time is an argument: `Now`"),
    ("crossbeam*", "one shard, one thread; shards meet in mailboxes that `node` owns"),
    ("parking_lot*", "one shard, one thread: there is nothing to lock"),
];

/// Paths of the standard library that the pure set must not name, and everything below them.
pub(crate) const PURE_NEVER_NAMES: &[(&str, &str)] = &[
    ("std::time::Instant", "time is an argument: take `Now`"),
    ("std::time::SystemTime", "time is an argument: take `Now`"),
    ("std::time::UNIX_EPOCH", "time is an argument: take `Now`"),
    ("std::thread", "one shard, one thread; threads belong to `node`"),
    ("std::sync::Mutex", "one shard, one thread: there is nothing to lock"),
    ("std::sync::RwLock", "one shard, one thread: there is nothing to lock"),
    ("std::sync::Condvar", "one shard, one thread: there is nobody to wait for"),
    ("std::sync::mpsc", "what leaves a shard is an output, not a message on a channel"),
    ("std::net", "sockets belong to `node`; addresses as values are in `core::net`"),
    ("std::os", "the operating system belongs to `node`"),
    ("std::fs", "files belong to engines and to `server`"),
    ("std::env", "the environment is read once, in `server`"),
    ("std::process", "a broken invariant panics; processes belong to `server`"),
    ("std::io::stdin", "the terminal belongs to `server`"),
    ("std::io::stdout", "the terminal belongs to `server`"),
    ("std::io::stderr", "the terminal belongs to `server`"),
    ("std::collections::HashMap", "its order differs from run to run and leaks; use a BTreeMap"),
    ("std::collections::HashSet", "its order differs from run to run and leaks; use a BTreeSet"),
    ("std::collections::hash_map", "its order differs from run to run and leaks; use a BTreeMap"),
    ("std::collections::hash_set", "its order differs from run to run and leaks; use a BTreeSet"),
    ("std::hash::RandomState", "seeded by the process, so a run does not replay"),
];

/// Words that the pure set must not contain anywhere in its code, however they were imported.
/// A word with `!` is a macro call.
pub(crate) const PURE_NEVER_SAYS: &[(&str, &str)] = &[
    ("Instant", "time is an argument: take `Now`"),
    ("SystemTime", "time is an argument: take `Now`"),
    ("HashMap", "its order differs from run to run and leaks; use a BTreeMap"),
    ("HashSet", "its order differs from run to run and leaks; use a BTreeSet"),
    ("Mutex", "one shard, one thread: there is nothing to lock"),
    ("RwLock", "one shard, one thread: there is nothing to lock"),
    ("async", "if it decides, it does not await; waiting is a question now and an answer later"),
    ("await", "if it decides, it does not await; waiting is a question now and an answer later"),
    ("rand", "randomness is an input, or a seed does not replay"),
    ("thread_local!", "hidden state: whatever a shard knows is in the shard"),
    ("println!", "what must be told is an output; printing belongs to `server`"),
    ("print!", "what must be told is an output; printing belongs to `server`"),
    ("eprintln!", "what must be told is an output; printing belongs to `server`"),
    ("eprint!", "what must be told is an output; printing belongs to `server`"),
];

/// Nouns that say nothing. Refused as the last word of a type's name and as any word of a module's or file's name.
pub(crate) const EMPTY_NOUNS: &[&str] = &[
    "manager",
    "service",
    "handler",
    "util",
    "utils",
    "utility",
    "helper",
    "helpers",
    "common",
    "processor",
];

/// The same, but refused only as the last word: as a first word they can still mean something.
pub(crate) const EMPTY_LAST_NOUNS: &[&str] = &["core", "base", "info", "data"];

/// Lines in one file of code: more than a reader holds at once.
pub(crate) const FILE_LINES_WARN: usize = 400;
pub(crate) const FILE_LINES_MAX: usize = 700;
/// Lines in one function: keep the branching in the parent and extract what computes.
pub(crate) const FUNCTION_LINES_WARN: usize = 70;

/// First folders of paths that exist on one machine only.
pub(crate) const MACHINE_ROOTS: &[&str] = &["home", "root", "Users", "work", "workspace"];

/// Folders that nobody wrote by hand.
pub(crate) const NOT_OURS: &[&str] = &[".git", "target", "node_modules", "kulkul-data", "services"];

/// Where a rule does not hold. An entry that exempts nothing fails the check.
pub(crate) const EXEMPT: &[Exempt] = &[];

pub(crate) struct Exempt {
    pub(crate) rule: &'static str,
    pub(crate) path: &'static str,
    pub(crate) because: &'static str,
}

/// What `test` cannot do without: a test that is not there must not look like one that passed.
pub(crate) const SIM_PACKAGE: &str = "kulkul-sim";
pub(crate) const SIM_SEEDS: u32 = 300;
pub(crate) const SIM_SCENARIO_SEEDS: u32 = 10;
pub(crate) const SIM_RIDES_SEEDS: u32 = 200;
pub(crate) const SIM_FULL_RIDES_SEEDS: u32 = 1;
/// What `sim rides` runs: half an hour of them.
pub(crate) const SIM_MANY_RIDES: u32 = 3_000;
pub(crate) const SIM_MANY_FULL_RIDES: u32 = 10;
pub(crate) const FUZZ_PACKAGE: &str = "kulkul-fuzz";
pub(crate) const FAULTS_PACKAGE: &str = "kulkul-faults";
pub(crate) const SERVER_PACKAGE: &str = "kulkul";

/// Does a pattern such as `apps/*` or `tokio*` stand for this name?
pub(crate) fn stands_for(pattern: &str, name: &str) -> bool {
    match pattern.strip_suffix('*') {
        Some("") => true,
        Some(folder) if folder.ends_with('/') => {
            name.strip_prefix(folder).is_some_and(|rest| !rest.is_empty() && !rest.contains('/'))
        }
        Some(beginning) => name.starts_with(beginning),
        None => pattern == name,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_stands_for_its_folder_or_its_beginning() {
        for (pattern, name, expected) in [
            ("*", "crates/rooms", true),
            ("apps/*", "apps/chat", true),
            ("apps/*", "apps/chat/deep", false),
            ("apps/*", "apps/", false),
            ("tokio*", "tokio-util", true),
            ("tokio*", "mio", false),
            ("time", "time", true),
            ("time", "timely", false),
        ] {
            assert_eq!(stands_for(pattern, name), expected, "{pattern} {name}");
        }
    }

    #[test]
    fn whatever_is_pure_has_a_row_of_edges() {
        for (pure, _) in PURE {
            assert!(EDGES.iter().any(|edge| edge.of == *pure), "{pure}");
        }
    }
}

//! Which apps this binary serves, and which protocol is spoken where. A new app or protocol is a line here.

use std::time::Duration;

use node::Furnish;
use protocol::{HubProtocol, LivechatProtocol, MatchProtocol, RideProtocol, RoomsProtocol};
use rooms::{Apps, Rules};
use shard::{Mount, OfRoom, Pace, Speaks};

use crate::bridges::WEBHOOK;
use crate::config::{self, Compression};

pub(crate) struct Furniture {
    pub notices: bool,
    pub chat: config::Chat,
    pub support: config::Support,
    pub rides: config::Rides,
    /// Messages of chat leave for a broker, too.
    pub outward: bool,
    pub outward_changes: bool,
    /// Apps whose messages leave by a bridge's sink, and which.
    pub sinks: Vec<(String, &'static str)>,
    pub conformance: bool,
    pub mounts: Vec<config::Mount>,
    pub fragments_max: u32,
}

/// Kept of one user's inbox: what a device that was away for weeks wants to read, and no archive.
const INBOX_RECORDS: u64 = 1000;

/// A match has 1,500 at most, so all of them; what a list has told is old after a while, and its snapshot has what holds.
const SCORES_RECORDS: u64 = 5_000;

/// Dead letters of one webhook: a receiver that refuses all that it is told fills that in minutes, and an operator looks at the first.
const LETTERS_RECORDS: u64 = 10_000;
/// And what happened to connections is old news before that: as long as a receiver may fail at most.
const LETTERS_AGE: Duration = Duration::from_secs(7 * 24 * 3600);

/// Its snapshot has all that still holds; the rest is for whoever asks what was said when.
const SYSTEM_RECORDS: u64 = 10_000;

/// What the conformance suites send at most: 16 MiB, and 4 MiB in pieces of 64 bytes.
const CONFORMANCE: websocket::Limits =
    websocket::Limits { message_bytes_max: 16 << 20, fragments_max: 1 << 17 };

impl Furniture {
    fn sink(&self, app: &str) -> Option<&'static str> {
        self.sinks.iter().find(|(name, _)| name == app).map(|(_, bridge)| *bridge)
    }

    /// Who subscribes to a broker's messages wants messages; a webhook is asked which types it wants.
    fn sink_changes(&self, app: &str) -> bool {
        self.sink(app) == Some(WEBHOOK)
    }
}

impl Furnish for Furniture {
    fn apps(&self) -> Apps {
        let rules = Rules {
            notices: self.notices,
            retention_records: self.chat.retention_records,
            retention_age: self.chat.retention_age,
            outward: self.outward,
            outward_changes: self.outward_changes,
            sink: self.sink("chat"),
            sink_changes: self.sink_changes("chat"),
            ..Rules::default()
        };
        let support = Rules {
            notices: self.notices,
            retention_records: self.support.retention_records,
            sink: self.sink("support"),
            sink_changes: self.sink_changes("support"),
            ..Rules::default()
        };
        // Who watches a match is nobody's news.
        let sink = self.sink("scores");
        let scores = Rules {
            notices: false,
            retention_records: SCORES_RECORDS,
            sink,
            sink_changes: self.sink_changes("scores"),
            ..Rules::default()
        };
        // In a person's room is that person alone.
        let rides = Rules {
            notices: false,
            retention_records: self.rides.retention_records,
            sink: self.sink("rides"),
            sink_changes: self.sink_changes("rides"),
            ..Rules::default()
        };
        let inbox = Rules { notices: false, retention_records: INBOX_RECORDS, ..Rules::default() };
        let system =
            Rules { notices: false, kept: true, retention_records: SYSTEM_RECORDS, ..Rules::default() };
        let sink = self.sink(webhooks::APP);
        let letters = Rules {
            notices: false,
            retention_records: LETTERS_RECORDS,
            retention_age: Some(LETTERS_AGE),
            sink,
            ..Rules::default()
        };
        Apps::default()
            .with("chat", app::host(chat::Chat::new(self.chat.rules.clone())), rules)
            .with("support", app::host(support::Support::new(self.support.rules.clone())), support)
            .with("rides", app::host(rides::Rides::new(self.rides.rules.clone())), rides)
            .with("scores", app::host(scores::Scores::default()), scores)
            .with("poll", app::host(poll::Poll), Rules { sink: self.sink("poll"), ..Rules::default() })
            .with("user", app::host(inbox::Inbox), inbox)
            .with(webhooks::APP, app::host(webhooks::Webhooks), letters)
            .with("system", app::host(system::System), system)
    }

    /// In the order of the gate's.
    fn mounts(&self) -> Vec<Mount> {
        let mount = |mount: &config::Mount| Mount {
            speaks: match mount.speaks {
                config::Speaks::Rooms => Speaks::Protocol(Box::new(RoomsProtocol)),
                config::Speaks::Hub => Speaks::Protocol(Box::new(HubProtocol)),
                config::Speaks::Livechat => Speaks::Protocol(Box::new(LivechatProtocol)),
                config::Speaks::Match(side) => Speaks::Protocol(Box::new(match side {
                    config::Side::Scorers => MatchProtocol::Scorers,
                    config::Side::Viewers => MatchProtocol::Viewers,
                })),
                config::Speaks::Ride => Speaks::Protocol(Box::new(RideProtocol)),
                config::Speaks::Echo => Speaks::Echo,
            },
            app: mount.app.clone(),
            messages: websocket::Limits {
                message_bytes_max: mount.max_message_size,
                fragments_max: self.fragments_max,
            },
            compress_from_bytes: match mount.compression {
                Compression::From(bytes) => bytes,
                Compression::Off => usize::MAX,
            },
            pace: Pace {
                messages_per_second: mount.messages_per_second,
                burst: mount.burst,
                of_room: mount.of_room.map(|(per_second, burst)| OfRoom { per_second, burst }),
            },
            joins_inbox: mount.speaks == config::Speaks::Hub,
            one_room: matches!(mount.speaks, config::Speaks::Match(_)),
            own_room: (mount.speaks == config::Speaks::Ride).then_some(rides::own_room),
            one_per_user: mount.one_per_user.then(|| mount.path.as_str().into()),
        };
        let echo = || Mount {
            speaks: Speaks::Echo,
            app: String::new(),
            messages: CONFORMANCE,
            compress_from_bytes: 0,
            pace: Pace::default(),
            joins_inbox: false,
            one_room: false,
            own_room: None,
            one_per_user: None,
        };
        self.mounts.iter().map(mount).chain(self.conformance.then(echo)).collect()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use app::App;
    use vocabulary::{Standing, Word};

    /// Other clients are tested with that file, and know no apps.
    #[test]
    fn the_golden_files_list_the_requests_that_apps_know() {
        let golden = include_str!("../../protocol/tests/golden/rooms/words.json");
        let golden: BTreeMap<String, BTreeMap<String, String>> =
            serde_json::from_str(golden).expect("words.json reads");
        let listed = |words: &[Word]| -> BTreeMap<String, String> {
            let standing = |word: &Word| match word.standing {
                Standing::Member => "member",
                Standing::Anyone => "anyone",
            };
            words.iter().map(|word| (word.name.to_owned(), standing(word).to_owned())).collect()
        };
        let chat = listed(chat::Chat::default().words());
        let user = listed(inbox::Inbox.words());
        let support = listed(support::Support::default().words());
        let rides = listed(rides::Rides::default().words());
        let scores = listed(scores::Scores::default().words());
        let poll = listed(poll::Poll.words());
        let apps = [
            ("chat", chat),
            ("poll", poll),
            ("rides", rides),
            ("scores", scores),
            ("support", support),
            ("user", user),
        ];
        assert_eq!(golden, apps.map(|(app, words)| (app.to_owned(), words)).into());
    }
}

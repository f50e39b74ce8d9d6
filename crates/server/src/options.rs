//! The command line as typed.

mod operate;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser, Subcommand, ValueEnum};

pub(crate) use operate::{
    Connections, Console, Disconnect, Drain, Explain, Kick, Nodes, Release, Rooms, Users,
};

/// A realtime server: it keeps a socket open to every user and gets every message to the right people, in order, once.
///
/// Without a subcommand it serves. Without a config file it runs in demo mode: loopback only, with a secret of its own.
#[derive(Parser)]
#[command(name = "kulkul", version, args_conflicts_with_subcommands = true)]
#[command(after_help = "Every setting: docs/configuration.md. In force: kulkul check --config FILE")]
pub(crate) struct Options {
    #[command(subcommand)]
    pub command: Option<Command>,
    #[command(flatten)]
    pub serve: Serve,
}

#[derive(Subcommand)]
pub(crate) enum Command {
    /// Serve until told to stop (SIGTERM drains, a second one hastens; SIGHUP reads the config again).
    #[command(after_help = "Example: kulkul serve --config /etc/kulkul.toml")]
    Serve(Serve),
    /// Print every setting in force and where it came from, or everything that is wrong with them.
    #[command(after_help = "Example: kulkul check --config /etc/kulkul.toml")]
    Check(Look),
    /// Look at the machine: is it fit to serve with this config?
    #[command(after_help = "Example: kulkul doctor --config /etc/kulkul.toml")]
    Doctor(Look),
    /// Print a token for a user, signed with the secret of a data folder or a config file.
    #[command(after_help = "Example: kulkul token --user 1 --name Ana --rooms 'team-*' --ttl 15m")]
    Token(Token),
    /// Publish to a room or a user of a running server, by its HTTP API.
    #[command(after_help = "Example: kulkul publish --room chat:general '{\"content\":\"Hello\"}'")]
    Publish(Publish),
    /// Print what a room's log holds, oldest first.
    #[command(after_help = "Example: kulkul history chat:general --limit 20")]
    History(History),
    /// Print what comes to a room's log, as it comes, until interrupted.
    #[command(after_help = "Example: kulkul tail chat:general")]
    Tail(Tail),
    /// List the rooms that are open on a running node, or show one.
    #[command(
        after_help = "Example: kulkul rooms --prefix chat:team- --url http://10.0.0.1:8081 --url http://10.0.0.2:8081"
    )]
    Rooms(Rooms),
    /// Show a user's connections and rooms, and whether they are online.
    #[command(after_help = "Example: kulkul users 7")]
    Users(Users),
    /// List a running node's connections, those that take the least first, or show one.
    #[command(after_help = "Example: kulkul connections --room chat:general")]
    Connections(Connections),
    /// Why a user did or did not get a message.
    #[command(after_help = "Example: kulkul explain chat:general 17 7")]
    Explain(Explain),
    /// Print a link to the operator's console that lets in for some hours.
    #[command(after_help = "Example: kulkul console --config /etc/kulkul.toml --hours 8")]
    Console(Console),
    /// Put a user out of a room, on every node. What keeps them out is the app's own ban.
    #[command(after_help = "Example: kulkul kick chat:general 7")]
    Kick(Kick),
    /// End a user's connections, on every node, or one connection.
    #[command(after_help = "Example: kulkul disconnect 7 --code 4503")]
    Disconnect(Disconnect),
    /// Have a quarantined room tried again.
    #[command(after_help = "Example: kulkul release chat:general")]
    Release(Release),
    /// Drain a running node, as SIGTERM does.
    #[command(after_help = "Example: kulkul drain --url http://10.0.0.1:8081")]
    Drain(Drain),
    /// List dead letters of the bridge to Kafka or of a webhook, or send them again to where they come from.
    #[command(
        after_help = "Examples: kulkul letters replay --config /etc/kulkul.toml --topic orders\n          kulkul letters list --config /etc/kulkul.toml --webhook orders"
    )]
    Letters(Letters),
    /// Copy all rooms into one file, while they are served.
    #[command(after_help = "Example: kulkul backup --data /var/lib/kulkul /backups/monday.kulkul")]
    Backup(Backup),
    /// Bring the rooms of a backup into an empty folder or engine. Whoever comes back is told that something is lost.
    #[command(after_help = "Example: kulkul restore --data /var/lib/kulkul /backups/monday.kulkul")]
    Restore(Restore),
    /// Bring all rooms from one engine to another that is empty, while nobody serves either. Whoever comes back goes on.
    #[command(
        after_help = "Example: kulkul copy --config /etc/kulkul.toml --from disk --to redis://10.0.0.5:6379"
    )]
    Copy(Copy),
    /// Measure this server or another under load.
    Bench(bench::Bench),
    /// Print what a shell needs to complete these commands.
    #[command(after_help = "Example: kulkul completions bash > /etc/bash_completion.d/kulkul")]
    Completions { shell: clap_complete::Shell },
    /// Print the manual page, or write one for each command into a folder.
    #[command(after_help = "Example: kulkul man --out /usr/local/share/man/man1")]
    Man {
        /// Folder to write kulkul.1, kulkul-serve.1 and so on into.
        #[arg(long, value_name = "DIR")]
        out: Option<PathBuf>,
    },
}

/// Where state and secret live when nothing else is said.
pub(crate) const DATA: &str = "./kulkul-data";

#[derive(Args, Clone, Default)]
pub(crate) struct Serve {
    /// Config file (TOML). With one, demo mode is off.
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Address to listen on [default: 127.0.0.1:8080].
    #[arg(long, value_name = "ADDR:PORT")]
    pub listen: Option<SocketAddr>,
    /// Folder for the server's own files [default: ./kulkul-data].
    #[arg(long, value_name = "DIR")]
    pub data: Option<PathBuf>,
    /// Shards, each with a thread [default: one a core].
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=256))]
    pub shards: Option<u16>,
    /// Where logs live: memory, disk, redis://…, nats://… [default: disk].
    #[arg(long, value_name = "ENGINE", value_parser = engine_text)]
    pub engine: Option<String>,
    /// Add /conformance/echo, which sends every message back. Never in production.
    #[arg(long)]
    pub conformance: bool,
    /// Allow what is refused for safety: demo mode on an address that others can reach.
    #[arg(long)]
    pub accept_insecure: bool,
    /// Limits for a purpose other than serving people; what they lift is logged.
    #[arg(long, value_name = "NAME", default_value = "standard")]
    pub profile: Profile,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum Profile {
    #[default]
    Standard,
    /// For `kulkul bench`: no rate limit, only warnings logged.
    Bench,
    /// The same, and rooms are not told who comes and goes.
    BenchQuiet,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Engine {
    Memory,
    Disk,
    Redis(String),
    Nats(String),
}

impl Engine {
    /// By other nodes.
    pub(crate) fn is_shared(&self) -> bool {
        matches!(self, Engine::Redis(_) | Engine::Nats(_))
    }

    /// Without an address, which may hold a password.
    pub(crate) fn name(&self) -> &'static str {
        match self {
            Engine::Memory => "memory",
            Engine::Disk => "disk",
            Engine::Redis(_) => "redis",
            Engine::Nats(_) => "nats",
        }
    }
}

/// Refused at once if it is none; the configuration reads it.
fn engine_text(text: &str) -> Result<String, String> {
    engine(text).map(|_| text.to_owned())
}

pub(crate) fn engine(text: &str) -> Result<Engine, String> {
    match text {
        "memory" => Ok(Engine::Memory),
        "disk" => Ok(Engine::Disk),
        _ if text.starts_with("redis://") || text.starts_with("rediss://") => {
            Ok(Engine::Redis(text.to_owned()))
        }
        _ if text.starts_with("nats://") || text.starts_with("tls://") => Ok(Engine::Nats(text.to_owned())),
        _ => Err("expected memory, disk, redis://… or nats://…".to_owned()),
    }
}

#[derive(Args)]
pub(crate) struct Look {
    /// Config file (TOML) [default: none, which is demo mode].
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// As JSON, for programs.
    #[arg(long)]
    pub json: bool,
}

impl Look {
    pub(crate) fn as_served(&self) -> Serve {
        Serve { config: self.config.clone(), ..Serve::default() }
    }
}

/// Which server, and by which key.
#[derive(Args)]
pub(crate) struct Where {
    /// Config file of the server: its operator's listener and its first key that may [default: none, which is demo mode].
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Folder of a server in demo mode [default: ./kulkul-data].
    #[arg(long, value_name = "DIR", conflicts_with = "config")]
    pub data: Option<PathBuf>,
    /// Where the HTTP API answers [default: the config's operator_listen, or http://127.0.0.1:8080].
    #[arg(long, value_name = "URL")]
    pub url: Option<String>,
    /// As JSON, for programs.
    #[arg(long)]
    pub json: bool,
}

/// Whose rooms.
#[derive(Args)]
pub(crate) struct Place {
    /// Config file of the server [default: none, which is demo mode].
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Folder of a server's own files [default: ./kulkul-data].
    #[arg(long, value_name = "DIR")]
    pub data: Option<PathBuf>,
    /// As JSON, for programs.
    #[arg(long)]
    pub json: bool,
}

#[derive(Args)]
pub(crate) struct Backup {
    /// The file to write, which is not there yet.
    #[arg(value_name = "OUT")]
    pub out: PathBuf,
    /// Where logs live: disk, redis://…, nats://… [default: the config's].
    #[arg(long, value_name = "ENGINE", value_parser = engine_text)]
    pub engine: Option<String>,
    /// Write over a file that is there, once the new one is whole.
    #[arg(long)]
    pub force: bool,
    /// Leave out rooms whose records are not what was stored; they are named.
    #[arg(long)]
    pub skip_damaged: bool,
    /// The folder's secret and key for the HTTP API too: whoever has the file can sign tokens then.
    #[arg(long)]
    pub with_secrets: bool,
    #[command(flatten)]
    pub place: Place,
}

#[derive(Args)]
pub(crate) struct Restore {
    /// A file that `kulkul backup` wrote.
    #[arg(value_name = "FILE")]
    pub file: PathBuf,
    /// Where logs are to live: disk, redis://…, nats://… [default: the config's].
    #[arg(long, value_name = "ENGINE", value_parser = engine_text)]
    pub engine: Option<String>,
    #[command(flatten)]
    pub place: Place,
}

#[derive(Args)]
pub(crate) struct Copy {
    /// Where the rooms are: disk, redis://…, nats://…
    #[arg(long, value_name = "ENGINE", value_parser = engine_text)]
    pub from: String,
    /// Where they are to be.
    #[arg(long, value_name = "ENGINE", value_parser = engine_text)]
    pub to: String,
    /// Leave out rooms whose records are not what was stored; they are named.
    #[arg(long)]
    pub skip_damaged: bool,
    #[command(flatten)]
    pub place: Place,
}

#[derive(Args)]
pub(crate) struct Publish {
    /// Full name of the room.
    #[arg(long, value_name = "APP:NAME", required_unless_present_any = ["user", "all"], conflicts_with_all = ["user", "all"])]
    pub room: Option<String>,
    /// Everybody who is connected, on every node, a few thousand a second.
    #[arg(long, conflicts_with_all = ["user", "kind"])]
    pub all: bool,
    /// Id of the user whose inbox it goes to; repeat for more.
    #[arg(long, value_name = "ID")]
    pub user: Vec<String>,
    /// What the app is asked to do.
    #[arg(long = "type", value_name = "TYPE")]
    pub kind: Option<String>,
    /// Names the message: the same id is stored once.
    #[arg(long)]
    pub id: Option<String>,
    /// A JSON object.
    #[arg(value_name = "PAYLOAD")]
    pub payload: String,
    #[command(flatten)]
    pub server: Where,
}

#[derive(Args)]
pub(crate) struct History {
    /// Full name of the room.
    #[arg(value_name = "APP:NAME")]
    pub room: String,
    /// How many of the newest.
    #[arg(long, value_name = "N", default_value_t = 50, value_parser = clap::value_parser!(u64).range(1..=1_000_000))]
    pub limit: u64,
    #[command(flatten)]
    pub server: Where,
}

#[derive(Args)]
pub(crate) struct Tail {
    /// Full name of the room.
    #[arg(value_name = "APP:NAME")]
    pub room: String,
    #[command(flatten)]
    pub server: Where,
}

#[derive(Args)]
pub(crate) struct Letters {
    /// What to do with them: those that were sent again are passed over.
    #[arg(value_enum)]
    pub what: LettersDo,
    /// Config file (TOML), for its [kafka_bridge], or for the server of the webhook.
    #[arg(long, value_name = "FILE")]
    pub config: PathBuf,
    /// Those of this webhook, which a running server keeps; else the brokers' of [kafka_bridge].
    #[arg(long, value_name = "NAME", conflicts_with = "topic")]
    pub webhook: Option<String>,
    /// Where that server's HTTP API answers [default: the config's operator_listen].
    #[arg(long, value_name = "URL", requires = "webhook")]
    pub url: Option<String>,
    /// Only those of records of this topic.
    #[arg(long)]
    pub topic: Option<String>,
    /// How many at most.
    #[arg(long, value_name = "N", default_value_t = 1_000_000, value_parser = clap::value_parser!(u64).range(1..))]
    pub limit: u64,
    /// From the oldest that is kept, whether sent again or not.
    #[arg(long)]
    pub all: bool,
    /// As JSON, for programs.
    #[arg(long)]
    pub json: bool,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum LettersDo {
    List,
    Replay,
}

#[derive(Args)]
pub(crate) struct Token {
    /// Id of the user, 1 to 128 bytes.
    #[arg(long, value_name = "ID")]
    pub user: String,
    /// Name that others see [default: the id].
    #[arg(long)]
    pub name: Option<String>,
    /// Role, as apps understand it.
    #[arg(long)]
    pub role: Option<String>,
    /// Room that the token allows, `*` at the end for any rest; repeat for more [default: all].
    #[arg(long, value_name = "PATTERN")]
    pub rooms: Vec<String>,
    /// What the bearer belongs to, in support a department; repeat for more. It goes into the claim `department_id`.
    #[arg(long, value_name = "NAME")]
    pub groups: Vec<String>,
    /// How long it is valid: 30s, 15m, 1h, 7d.
    #[arg(long, value_name = "TIME", default_value = "1h", value_parser = span)]
    pub ttl: Duration,
    /// Folder whose secret signs; made if there is none [default: ./kulkul-data].
    #[arg(long, value_name = "DIR", conflicts_with = "config")]
    pub data: Option<PathBuf>,
    /// Config file whose secret signs.
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
}

/// A number and a unit; a token for ever is not made.
fn span(text: &str) -> Result<Duration, String> {
    let expected = || "expected a number and s, m, h or d, such as 1h".to_owned();
    let unit = text.chars().last().ok_or_else(expected)?;
    let seconds = match unit {
        's' => 1,
        'm' => 60,
        'h' => 3600,
        'd' => 86_400,
        _ => return Err(expected()),
    };
    let number: u64 = text[..text.len() - 1].parse().map_err(|_| expected())?;
    let span = number.checked_mul(seconds).filter(|span| *span > 0 && *span <= 10 * 365 * 86_400);
    span.map(Duration::from_secs).ok_or_else(|| "must be more than nothing and at most ten years".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_are_a_number_and_a_unit() {
        for (text, seconds) in [
            ("30s", Some(30)),
            ("1h", Some(3600)),
            ("7d", Some(604_800)),
            ("", None),
            ("h", None),
            ("1", None),
            ("-1h", None),
            ("0s", None),
            ("1é", None),
            ("99999999999999999999d", None),
            ("100000d", None),
        ] {
            assert_eq!(span(text).ok().map(|span| span.as_secs()), seconds, "{text}");
        }
    }

    #[test]
    fn the_command_line_is_sound() {
        use clap::CommandFactory;
        Options::command().debug_assert();
        let bare = Options::parse_from(["kulkul", "--listen", "127.0.0.1:0"]);
        assert!(bare.command.is_none() && bare.serve.listen.is_some());
    }

    #[test]
    fn engines_are_known_by_name() {
        assert_eq!(engine("memory"), Ok(Engine::Memory));
        assert_eq!(engine("redis://h:1"), Ok(Engine::Redis("redis://h:1".into())));
        assert!(engine("postgres").is_err());
    }
}

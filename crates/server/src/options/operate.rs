//! The commands of operators as typed.

use std::path::PathBuf;

use clap::Args;

/// Which servers, and by which key.
#[derive(Args)]
pub(crate) struct Nodes {
    /// Config file of the servers: an operator's listener and the first key that may [default: none, which is demo mode].
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Folder of a server in demo mode [default: ./kulkul-data].
    #[arg(long, value_name = "DIR", conflicts_with = "config")]
    pub data: Option<PathBuf>,
    /// Where the HTTP API answers; repeat for more nodes [default: the config's operator_listen, or http://127.0.0.1:8080].
    #[arg(long, visible_alias = "server", value_name = "URL")]
    pub url: Vec<String>,
    /// As JSON, for programs: a line for each.
    #[arg(long)]
    pub json: bool,
}

#[derive(Args)]
pub(crate) struct Rooms {
    /// Full name of the one to show.
    #[arg(value_name = "APP:NAME", conflicts_with_all = ["prefix", "app", "members"])]
    pub room: Option<String>,
    /// Those whose full names begin so.
    #[arg(long, value_name = "APP:NA")]
    pub prefix: Option<String>,
    /// Those of this app.
    #[arg(long)]
    pub app: Option<String>,
    /// Those with connections of the node in them, or without.
    #[arg(long, value_name = "YES|NO", value_parser = ["yes", "no"])]
    pub members: Option<String>,
    /// How many of each node.
    #[arg(long, value_name = "N", default_value_t = 200, value_parser = clap::value_parser!(u64).range(1..=1_000_000))]
    pub limit: u64,
    #[command(flatten)]
    pub servers: Nodes,
}

#[derive(Args)]
pub(crate) struct Users {
    /// Id of the user.
    #[arg(value_name = "ID")]
    pub user: String,
    #[command(flatten)]
    pub servers: Nodes,
}

#[derive(Args)]
pub(crate) struct Connections {
    /// The one to show.
    #[arg(value_name = "CONNECTION", conflicts_with_all = ["user", "room", "mount"])]
    pub id: Option<String>,
    /// Those of this user.
    #[arg(long, value_name = "ID")]
    pub user: Option<String>,
    /// Those in this room.
    #[arg(long, value_name = "APP:NAME")]
    pub room: Option<String>,
    /// Those that came by this path.
    #[arg(long, value_name = "PATH")]
    pub mount: Option<String>,
    /// How many of each node.
    #[arg(long, value_name = "N", default_value_t = 50, value_parser = clap::value_parser!(u64).range(1..=1_000_000))]
    pub limit: u64,
    #[command(flatten)]
    pub servers: Nodes,
}

#[derive(Args)]
pub(crate) struct Kick {
    /// Full name of the room.
    #[arg(value_name = "APP:NAME")]
    pub room: String,
    /// Id of the user.
    #[arg(value_name = "ID")]
    pub user: String,
    /// For the server's log.
    #[arg(long, value_name = "TEXT")]
    pub why: Option<String>,
    #[command(flatten)]
    pub servers: Nodes,
}

#[derive(Args)]
pub(crate) struct Disconnect {
    /// Id of the user.
    #[arg(value_name = "ID", required_unless_present = "connection", conflicts_with = "connection")]
    pub user: Option<String>,
    /// Or the one connection that is to end.
    #[arg(long, value_name = "CONNECTION")]
    pub connection: Option<String>,
    /// 4412 and 1001: come back; 4401: with a new token; 4503: do not [default: 4412].
    #[arg(long)]
    pub code: Option<u16>,
    /// For the server's log.
    #[arg(long, value_name = "TEXT")]
    pub why: Option<String>,
    #[command(flatten)]
    pub servers: Nodes,
}

#[derive(Args)]
pub(crate) struct Release {
    /// Full name of the room.
    #[arg(value_name = "APP:NAME")]
    pub room: String,
    #[command(flatten)]
    pub servers: Nodes,
}

#[derive(Args)]
pub(crate) struct Explain {
    /// Full name of the room.
    #[arg(value_name = "APP:NAME")]
    pub room: String,
    /// The message's id, or its offset in the room's log.
    #[arg(value_name = "OFFSET")]
    pub offset: String,
    /// Id of the user.
    #[arg(value_name = "USER")]
    pub user: String,
    #[command(flatten)]
    pub servers: Nodes,
}

#[derive(Args)]
pub(crate) struct Console {
    /// For how long the link lets in.
    #[arg(long, value_name = "HOURS", default_value_t = 1, value_parser = clap::value_parser!(u8).range(1..=12))]
    pub hours: u8,
    #[command(flatten)]
    pub servers: Nodes,
}

#[derive(Args)]
pub(crate) struct Drain {
    #[command(flatten)]
    pub servers: Nodes,
}

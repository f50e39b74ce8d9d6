//! Kulkul itself: one shard, the memory engine, the limits profile `bench`, tokens signed here.

use std::fs;
use std::path::PathBuf;
use std::process::Command;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result, ensure};
use serde_json::json;

use super::{Adapter, Choices, Dialect, Launch, Place, Travels, Visitor, seed_hub, token};
use crate::link::{CERTIFICATE, KEY};

/// The profile that `kulkul serve --profile` is asked for.
const PROFILE: &str = "bench";
/// The same, and joins are not told to the room.
const PROFILE_QUIET: &str = "bench-quiet";
const TOKEN_LIFE: Duration = Duration::from_secs(24 * 60 * 60);

/// A limit that a load needs to be higher than its default.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lifted {
    pub limit: &'static str,
    pub default: u64,
    /// The least that every scenario fits into.
    pub needed: u64,
    pub reason: &'static str,
}

/// What the limits profile `bench` lifts; the server's own table must give at least this, and the bench prints it.
pub const LIFTED: [Lifted; 6] = [
    Lifted {
        limit: "messages a second per connection",
        default: 20,
        needed: 100_000,
        reason: "one author feeds a room: saturation and the ladder",
    },
    Lifted {
        limit: "burst of messages per connection",
        default: 40,
        needed: 100_000,
        reason: "a generator that was held up catches up at once",
    },
    Lifted {
        limit: "messages a second of a user in a room",
        default: 20,
        needed: 100_000,
        reason: "the same author, whatever connection it speaks by",
    },
    Lifted {
        limit: "burst of a user's messages in a room",
        default: 40,
        needed: 100_000,
        reason: "the same generator that catches up",
    },
    Lifted {
        limit: "unacknowledged sends per connection",
        default: 64,
        needed: 65_536,
        reason: "an open loop does not wait for acknowledgements",
    },
    Lifted {
        limit: "connections per address",
        default: 2_000,
        needed: 20_000,
        reason: "loopback is exempt by default; this does not rely on it",
    },
];

/// The same server, by what its bytes travel in, and by which build of it.
#[derive(Debug)]
pub(super) struct Kind {
    pub name: &'static str,
    travels: Travels,
    /// The build named by `--before`, not the one that is measured.
    earlier: bool,
    remark: &'static str,
}

pub(super) const KINDS: [Kind; 4] = [
    Kind {
        name: "kulkul",
        travels: Travels::Plain,
        earlier: false,
        remark: "one shard, memory engine, JSON envelope, tokens checked",
    },
    Kind {
        name: "kulkul-tls",
        travels: Travels::Sealed,
        earlier: false,
        remark: "the same by TLS 1.3, each client with a handshake of its own",
    },
    Kind {
        name: "kulkul-deflate",
        travels: Travels::Packed,
        earlier: false,
        remark: "the same with permessage-deflate, once a message",
    },
    Kind {
        name: "kulkul-before",
        travels: Travels::Plain,
        earlier: true,
        remark: "another build of Kulkul, named by --before",
    },
];

pub(super) struct Kulkul {
    kind: &'static Kind,
    program: Option<PathBuf>,
    args: Vec<String>,
    notices: bool,
    key: Vec<u8>,
    expires: u64,
}

impl Kulkul {
    pub(super) fn new(choices: &Choices, kind: &'static Kind) -> Result<Self> {
        let program = if kind.earlier {
            let before = choices.before.clone();
            Some(before.context("kulkul-before is a build of Kulkul that --before PATH names")?)
        } else {
            choices.server.clone()
        };
        let (args, notices) = (choices.server_args.clone(), choices.notices);
        Ok(Self { kind, program, args, notices, key: Vec::new(), expires: 0 })
    }

    pub(super) fn token(&self, user: &str, role: Option<&str>) -> Result<String> {
        let mut claims = json!({ "sub": user, "name": user, "exp": self.expires });
        if let Some(role) = role {
            (claims["role"], claims["department_id"]) = (role.into(), json!(["*"]));
        }
        token::sign(&self.key, &claims.to_string())
    }
}

/// A config that says no more than demo mode does, but for the certificate.
fn sealed_config(place: &Place, secret: &str) -> Result<PathBuf> {
    let put = |name: &str, text: &str| {
        let path = place.folder.join(name);
        fs::write(&path, text).with_context(|| format!("cannot write {}", path.display())).map(|()| path)
    };
    let (certificate, key) = (put("certificate.pem", CERTIFICATE)?, put("key.pem", KEY)?);
    // The secret stays the folder's, so that tokens are signed as for the others.
    ensure!(!secret.is_empty(), "the folder has no secret");
    let tls = format!("[tls]\ncertificate = {certificate:?}\nkey = {key:?}\n");
    put("kulkul.toml", &format!("operator_listen = \"127.0.0.1:0\"\n{tls}"))
}

impl Adapter for Kulkul {
    fn name(&self) -> &'static str {
        self.kind.name
    }

    fn travels(&self) -> Travels {
        self.kind.travels
    }

    fn remark(&self) -> &'static str {
        self.kind.remark
    }

    fn launch(&mut self, place: &Place) -> Result<Launch> {
        let program = match &self.program {
            Some(program) => {
                program.canonicalize().with_context(|| format!("no server at {}", program.display()))?
            }
            None => std::env::current_exe()?,
        };
        let folder = place.folder.join("data");
        // The first token makes the folder's secret.
        let made = Command::new(&program)
            .args(["token", "--user", "bench", "--name", "bench", "--data"])
            .arg(&folder)
            .output()
            .with_context(|| format!("cannot run {}", program.display()))?;
        ensure!(made.status.success(), "kulkul token: {}", String::from_utf8_lossy(&made.stderr).trim());
        let secret =
            fs::read_to_string(folder.join("secret")).context("kulkul token has made no file `secret`")?;
        self.key = token::key_from_hex(&secret)?;
        self.expires = (SystemTime::now().duration_since(UNIX_EPOCH)? + TOKEN_LIFE).as_secs();

        let profile = if self.notices { PROFILE } else { PROFILE_QUIET };
        let listen = format!("127.0.0.1:{}", place.port);
        let mut args = vec!["serve".into(), "--listen".into(), listen.into(), "--data".into(), folder.into()];
        args.extend(["--shards", "1", "--engine", "memory", "--profile", profile].map(Into::into));
        args.extend(self.args.iter().map(Into::into));
        if self.kind.travels == Travels::Sealed {
            args.extend(["--config".into(), sealed_config(place, &secret)?.into()]);
        }
        Ok(Launch { program: program.into(), args, ..Launch::default() })
    }

    fn dialect(&self) -> Dialect {
        Dialect { several: false, ..seed_hub::DIALECT }
    }

    fn visitor(&self, user: u32) -> Result<Visitor> {
        let claims =
            json!({ "sub": format!("u{user}"), "name": format!("User {user}"), "exp": self.expires });
        Ok(Visitor { path: "/ws".to_owned(), bearer: Some(token::sign(&self.key, &claims.to_string())?) })
    }

    fn join(&self, room: u32) -> String {
        seed_hub::join(room)
    }

    fn publish(&self, room: u32, id: u64, content: &[u8], into: &mut Vec<u8>) {
        seed_hub::publish(room, id, content, into);
    }
}

//! The disk is full: nothing more is stored, and everything else goes on. When there is room again the server goes on by
//! itself. The folder is a small file system of the server's own, gone with its process.

use std::ffi::OsString;
use std::fs::File;
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, ensure};

use super::{Site, judged, turned};
use crate::crowd::{Crowd, Plan};
use crate::front::{Visitor, metric, page, read_rooms};
use crate::history::{Epochs, Room};
use crate::node::Node;
use crate::outcome::Outcome;
use crate::token::Signer;

/// What the folder holds at most: the journal at its largest, and as much again.
const FOLDER: &str = "96m";
/// Mounts the folder for the server alone, keeps the secret that was in it, and becomes the server.
const MOUNT: &str = r#"secret=$(cat "$0/secret") && mount -t tmpfs -o "$1,mode=0700" tmpfs "$0" && umask 077 &&
printf %s "$secret" > "$0/secret" && shift && exec "$@""#;
/// What docs/protocol.md has for a message that could not be stored.
const REFUSED: &str = "BUSY";
/// What is left of the journal's place is less than a commit of the crowd's, which found none.
const SMALL_BYTES: usize = 4000;
const SMALL_MAX: usize = 30;
const FAILING: &str = "kulkul_engine_failing";
const SHOWS_WITHIN: Duration = Duration::from_secs(20);

pub(crate) fn run(site: &Site<'_>) -> Result<Outcome> {
    let (base_ms, cap_ms, seed) = (100, 5000, site.seed);
    let full = Plan { clients: 200, rooms: 20, rooms_each: 2, pace: 500, seed, base_ms, cap_ms };
    let small = Plan { clients: 40, rooms: 5, rooms_each: 2, pace: 100, seed, base_ms, cap_ms };
    let (plan, times, full_ms) = (site.sized(full, small), site.sized(5, 1), site.sized(4000, 700));
    let mut outcome = Outcome::default();
    let mut launch = site.world.launch("one", &[])?;
    let signer = launch.signer()?;
    launch.through = within_a_small_folder(&launch.data);
    let mut node = launch.start_and_wait()?;
    let mut crowd = Crowd::new(plan, &[launch.port], &signer)?;
    crowd.arrive(1000);
    crowd.pace = plan.pace;
    crowd.spend(Duration::from_millis(full_ms))?;
    let (mut refused, mut recovered_ms) = (0, Vec::new());
    for _ in 0..times {
        let before = crowd.figures.refused;
        let hog = fill(&node, &launch.data)?;
        let failing = |node: &Node| Ok(metric(&node.address(), FAILING)? == 1);
        ensure!(
            turned(&mut crowd, SHOWS_WITHIN, || failing(&node))?,
            "the disk is full and {FAILING} is not 1"
        );
        go_on(&node, &signer, plan.rooms, &mut outcome)?;
        crowd.spend(Duration::from_millis(full_ms))?;
        refused += crowd.figures.refused - before;
        let lost = crowd.figures.lost;
        std::fs::remove_file(&hog)?;
        let emptied_at = crowd.now();
        let well = |node: &Node| {
            Ok(metric(&node.address(), FAILING)? == 0 && page(&node.address(), "/ready")?.0 == 200)
        };
        let back = turned(&mut crowd, SHOWS_WITHIN, || well(&node))?;
        outcome.must(back, || {
            format!("{} s after there was room the server is not ready", SHOWS_WITHIN.as_secs())
        });
        recovered_ms.push(crowd.now() - emptied_at);
        outcome.must(crowd.figures.lost == lost, || "sockets were lost when the disk was full".to_owned());
        crowd.spend(Duration::from_millis(full_ms))?;
    }
    outcome.figure("times full", times);
    outcome.figure("refused meanwhile", refused);
    outcome.figure("ready again ms, most", recovered_ms.iter().max().copied().unwrap_or(0));
    outcome.must(refused > 0, || "nothing was refused while the disk was full".to_owned());
    outcome.must(node.has_ended()?.is_none(), || "the server ended".to_owned());
    judged(crowd, node.port, &signer, plan.rooms, &mut outcome)?;
    Ok(outcome)
}

/// What must go on and what must be told while nothing can be stored.
fn go_on(node: &Node, signer: &Signer, rooms: u16, outcome: &mut Outcome) -> Result<()> {
    let address = node.address();
    let (status, why) = page(&address, "/ready")?;
    outcome.must(status == 503 && why.contains("disk"), || format!("/ready says {status} {}", why.trim()));
    let (status, _) = page(&address, "/live")?;
    outcome.must(status == 200, || format!("/live says {status}"));
    let mut epochs = Epochs::default();
    let all: Vec<Room> = (0..rooms).collect();
    let read = read_rooms(node.port, signer, &mut epochs, &all);
    outcome.must(read.is_ok(), || {
        format!("rooms cannot be read: {:#}", read.err().unwrap_or_else(|| anyhow::anyhow!("")))
    });

    let room = r#"{"type":"join_room","id":"j0","payload":{"room_id":"r0"}}"#;
    let mut sees = Visitor::come(node.port, &signer.token("sees")?)?;
    sees.say(room)?;
    sees.hear_until(|heard| (heard.kind == "room_info").then_some(()))?;
    let mut comes = Visitor::come(node.port, &signer.token("comes")?)?;
    comes.say(room)?;
    sees.hear_until(|heard| (heard.kind == "user_joined" && heard.payload.id == Some("comes")).then_some(()))
        .context("presence stands still")?;
    comes.hear_until(|heard| (heard.kind == "room_info").then_some(()))?;
    let code = last_answer(&mut comes)?;
    outcome.must(code == REFUSED, || format!("a message to a full disk is answered with {code}"));
    Ok(())
}

/// What a message is answered with when the journal's place is used up too: as long as a small one finds some, it is stored. They
/// are none of the crowd's, so they have a room of their own.
fn last_answer(visitor: &mut Visitor) -> Result<String> {
    visitor.say(r#"{"type":"join_room","id":"j1","payload":{"room_id":"full"}}"#)?;
    let content = "x".repeat(SMALL_BYTES);
    let mut code = String::new();
    for number in 0..SMALL_MAX {
        let id = format!("x-{number}");
        visitor.say(&format!(
            r#"{{"type":"send_message","room":"full","id":"{id}","payload":{{"content":"{content}"}}}}"#
        ))?;
        code = visitor.hear_until(|heard| {
            (heard.id == Some(&id)).then(|| heard.payload.code.unwrap_or("an ack").to_owned())
        })?;
        if code == REFUSED {
            break;
        }
    }
    Ok(code)
}

fn within_a_small_folder(data: &Path) -> Vec<OsString> {
    let mut words: Vec<OsString> = vec!["unshare".into()];
    if !nix::unistd::geteuid().is_root() {
        words.extend(["--user", "--map-root-user"].map(Into::into));
    }
    words.extend(["--mount", "sh", "-c", MOUNT].map(Into::into));
    words.push(data.into());
    words.push(format!("size={FOLDER}").into());
    words
}

/// Writes until nothing more fits; the file that is to be removed again.
fn fill(node: &Node, data: &Path) -> Result<PathBuf> {
    let inside = data.strip_prefix("/").context("a whole path")?;
    let path = PathBuf::from(format!("/proc/{}/root", node.pid())).join(inside).join("hog");
    let mut file = File::create(&path).with_context(|| format!("cannot write {}", path.display()))?;
    for size in [64 << 10, 4096, 1] {
        loop {
            match file.write(&vec![0; size]) {
                Ok(_) => {}
                Err(error) if error.kind() == ErrorKind::StorageFull => break,
                Err(error) => return Err(error.into()),
            }
        }
    }
    Ok(path)
}

//! A sync fails: nobody knows then what of the journal reached the disk. Nothing acknowledged is lost, what was not
//! acknowledged is stored at most once when it is sent again, and the server goes on by itself.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::{Site, WHOLE_WITHIN, judged, turned};
use crate::crowd::{Crowd, Plan};
use crate::front::{metric, page};
use crate::node::Node;
use crate::outcome::Outcome;

const FAILURES: &str = "kulkul_engine_write_failures_total";
const FAILING: &str = "kulkul_engine_failing";
const SHOWS_WITHIN: Duration = Duration::from_secs(20);

pub(crate) fn run(site: &Site<'_>) -> Result<Outcome> {
    let (base_ms, cap_ms, seed) = (100, 5000, site.seed);
    let full = Plan { clients: 200, rooms: 20, rooms_each: 2, pace: 400, seed, base_ms, cap_ms };
    let small = Plan { clients: 40, rooms: 5, rooms_each: 2, pace: 100, seed, base_ms, cap_ms };
    let plan = site.sized(full, small);
    // How many syncs fail, one behind the other.
    let rows: &[u32] = site.sized(&[1, 2, 3, 5, 1, 2, 3, 5, 1, 8], &[1, 3]);
    let mut outcome = Outcome::default();
    let launch = site.world.launch("one", &[])?;
    let signer = launch.signer()?;
    let mut node = launch.start_and_wait()?;
    let mut crowd = Crowd::new(plan, &[launch.port], &signer)?;
    crowd.arrive(1000);
    crowd.pace = plan.pace;
    crowd.spend(Duration::from_millis(500))?;
    let mut recovered_ms = Vec::new();
    for count in rows {
        let before = metric(&node.address(), FAILURES)?;
        let first = 1 + crowd.random().below(20);
        let injected = Injected::into(&node, first, *count)?;
        let failed = |node: &Node| Ok(metric(&node.address(), FAILURES)? > before);
        ensure!(
            turned(&mut crowd, SHOWS_WITHIN, || failed(&node))?,
            "syncs fail and {FAILURES} does not grow"
        );
        let failed_at = crowd.now();
        let well = |node: &Node| {
            Ok(metric(&node.address(), FAILING)? == 0 && page(&node.address(), "/ready")?.0 == 200)
        };
        let back = turned(&mut crowd, SHOWS_WITHIN, || well(&node))?;
        outcome.must(back, || {
            format!("{} s after {count} syncs failed the server is not ready", SHOWS_WITHIN.as_secs())
        });
        recovered_ms.push(crowd.now() - failed_at);
        crowd.spend(Duration::from_millis(700))?;
        drop(injected);
    }
    outcome.figure("times", rows.len());
    outcome.figure("ready again ms, most", recovered_ms.iter().max().copied().unwrap_or(0));
    outcome.must(node.has_ended()?.is_none(), || "the server ended".to_owned());
    // What the server believes to be stored is also what its file says.
    crowd.pace = 0;
    let quiet = crowd.until(WHOLE_WITHIN, |crowd| crowd.unacked() == 0)?;
    outcome.must(quiet, || format!("{} messages are never answered", crowd.unacked()));
    node.kill()?;
    node = launch.start()?;
    while !node.is_ready()? {
        crowd.turn(Duration::from_millis(2))?;
    }
    judged(crowd, node.port, &signer, plan.rooms, &mut outcome)?;
    Ok(outcome)
}

/// strace beside a server, making its syncs fail.
struct Injected(Child);

impl Injected {
    fn into(node: &Node, first: u64, count: u32) -> Result<Injected> {
        let last = first + u64::from(count) - 1;
        let fault = format!("inject=fsync,fdatasync:error=EIO:when={first}..{last}");
        let pid = node.pid().to_string();
        let mut command = Command::new("setpriv");
        command.args(["--pdeathsig", "KILL", "--", "strace", "-f", "-p", &pid, "-o", "/dev/null"]);
        command
            .args(["-e", "trace=fsync,fdatasync", "-e", &fault])
            .stdin(Stdio::null())
            .stderr(Stdio::piped());
        let mut child = command.spawn().context("strace is needed to make syncs fail")?;
        let words = child.stderr.take().context("its words are not ours")?;
        let injected = Injected(child);
        let mut line = String::new();
        // One line for each thread; the faults hold from the first on.
        BufReader::new(words).read_line(&mut line)?;
        ensure!(line.contains("attached"), "strace says {}", line.trim());
        Ok(injected)
    }
}

impl Drop for Injected {
    fn drop(&mut self) {
        // It lets the server go when it is asked to end, and would take it along if it were killed.
        let _ = kill(Pid::from_raw(self.0.id().cast_signed()), Signal::SIGTERM);
        let until = Instant::now() + Duration::from_secs(5);
        while matches!(self.0.try_wait(), Ok(None)) && Instant::now() < until {
            std::thread::sleep(crate::LOOK);
        }
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

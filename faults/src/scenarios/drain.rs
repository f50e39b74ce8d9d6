//! SIGTERM under load: unready at once, goodbyes spread over the window, nothing acknowledged lost, and a good end in time.
//! Started again, everybody resumes. A second SIGTERM hastens it, and nothing is lost then either.

use std::io::{ErrorKind, Read, Write};
use std::net::{Ipv4Addr, TcpStream};
use std::process::ExitStatus;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use nix::sys::signal::Signal;

use super::{Site, WHOLE_WITHIN, judged};
use crate::crowd::{Crowd, Plan};
use crate::front::page;
use crate::node::{Launch, Node};
use crate::outcome::Outcome;

/// A drain is over by then.
const ENDS_WITHIN: Duration = Duration::from_secs(25);
const UNREADY_WITHIN: Duration = Duration::from_secs(1);
/// A newcomer is not left to wait for the end of the drain.
const REFUSED_WITHIN: Duration = Duration::from_secs(1);
const DRAINING: u16 = 4412;
/// The drain's own pace: so many goodbyes in a second of its window.
const GOODBYES_PER_SECOND: u64 = 2000;

pub(crate) fn run(site: &Site<'_>) -> Result<Outcome> {
    let (base_ms, cap_ms, seed) = (100, 5000, site.seed);
    let full = Plan { clients: 10_000, rooms: 500, rooms_each: 1, pace: 1000, seed, base_ms, cap_ms };
    let small = Plan { clients: 300, rooms: 15, rooms_each: 1, pace: 200, seed, base_ms, cap_ms };
    let plan = site.sized(full, small);
    let mut outcome = Outcome::default();
    // `/ready` is asked at the operator's door, which stays open while the other is closed.
    let launch = site.world.configured("one", "")?;
    let signer = launch.signer()?;
    let mut node = launch.start_and_wait()?;
    let mut crowd = Crowd::new(plan, &[launch.port], &signer)?;
    crowd.arrive(site.sized(1500, 1000));
    let all = crowd.clients.len();
    let mut drain = Drain { site, crowd: &mut crowd, launch: &launch, outcome: &mut outcome };
    drain.load(all)?;
    node = drain.once(node)?;
    drain.load(all)?;
    node = drain.hastened(node)?;
    drain.load(all)?;
    outcome.figure("sockets", all);
    judged(crowd, node.port, &signer, plan.rooms, &mut outcome)?;
    Ok(outcome)
}

struct Drain<'a> {
    site: &'a Site<'a>,
    crowd: &'a mut Crowd,
    launch: &'a Launch,
    outcome: &'a mut Outcome,
}

impl Drain<'_> {
    /// Everybody is there, and says something.
    fn load(&mut self, all: usize) -> Result<()> {
        self.crowd.pace = 0;
        let whole = self.crowd.until(WHOLE_WITHIN, |crowd| crowd.live() == all)?;
        ensure!(whole, "{} of {all} clients are live", self.crowd.live());
        self.crowd.pace = self.site.sized(1000, 200);
        self.crowd.spend(Duration::from_millis(self.site.sized(5000, 500)))
    }

    fn once(&mut self, mut node: Node) -> Result<Node> {
        let operator = node.operator.clone().context("the operator has no door")?;
        let (count, began) = (self.crowd.goodbyes.len(), Instant::now());
        let open = self.crowd.live();
        node.signal(Signal::SIGTERM)?;
        let unready = loop {
            // A door that is closed says it too, but then the node was gone before it said that it goes.
            match page(&operator, "/ready") {
                Ok((503, _)) => break began.elapsed(),
                Ok(_) => {}
                Err(error) => return Err(error.context("/ready was not seen to be 503")),
            }
            ensure!(began.elapsed() < ENDS_WITHIN, "/ready stays 200");
            self.crowd.turn(Duration::ZERO)?;
        };
        let port = node.port;
        let newcomer = std::thread::spawn(move || refused_after(port));
        let status = self.ended(&mut node, began)?;
        let took = began.elapsed();
        let newcomer = newcomer.join().ok().flatten();
        let refused_ms = newcomer.map_or("never".to_owned(), |after| after.as_millis().to_string());
        self.outcome.figure("newcomer refused after ms", &refused_ms);
        let refused = newcomer.is_some_and(|after| after <= REFUSED_WITHIN);
        self.outcome.must(refused, || format!("a newcomer was refused after {refused_ms} ms"));
        let said: Vec<u64> = self.goodbyes_since(count);
        let window_ms = (open as u64 * 1000 / GOODBYES_PER_SECOND).max(1);
        let seconds = window_ms.div_ceil(1000);
        let first = said.iter().min().copied().unwrap_or(0);
        let most = (0..=seconds)
            .map(|second| said.iter().filter(|at| (**at - first) / 1000 == second).count())
            .max()
            .unwrap_or(0);
        let mean = said.len() as f64 / (window_ms as f64 / 1000.0).max(1.0);
        self.outcome.figure("unready after ms", unready.as_millis());
        self.outcome.figure("goodbyes", format!("{} of {open}", said.len()));
        self.outcome.figure("in the busiest second", format!("{most}, mean {mean:.0}"));
        self.outcome.figure("drained in s", format!("{:.1}", took.as_secs_f64()));
        self.outcome
            .must(unready <= UNREADY_WITHIN, || format!("/ready was 200 for {} ms", unready.as_millis()));
        self.outcome.must(status.success(), || format!("the drained server ended with {status}"));
        self.outcome
            .must(said.len() == open, || format!("{} of {open} were told that the node drains", said.len()));
        if self.site.is_full() {
            self.outcome
                .must(most as f64 <= 2.0 * mean, || format!("{most} goodbyes in one second, mean {mean:.0}"));
        }
        self.again()
    }

    fn hastened(&mut self, mut node: Node) -> Result<Node> {
        let (count, began) = (self.crowd.goodbyes.len(), Instant::now());
        node.signal(Signal::SIGTERM)?;
        // In the middle of the goodbyes: the second word comes when the first of them is there.
        let begun = self.crowd.until(ENDS_WITHIN, |crowd| crowd.goodbyes.len() > count)?;
        ensure!(begun, "nobody is told that the node drains");
        node.signal(Signal::SIGTERM)?;
        let hastened_at = Instant::now();
        let status = self.ended(&mut node, began)?;
        self.outcome.figure("hastened in ms", hastened_at.elapsed().as_millis());
        self.outcome.must(status.success(), || format!("the hastened server ended with {status}"));
        if self.site.is_full() {
            let took = hastened_at.elapsed();
            self.outcome
                .must(took < Duration::from_secs(3), || format!("hastened, it took {} ms", took.as_millis()));
        }
        self.again()
    }

    fn goodbyes_since(&self, count: usize) -> Vec<u64> {
        let said = &self.crowd.goodbyes[count..];
        said.iter().filter(|(_, code)| *code == DRAINING).map(|(at, _)| *at).collect()
    }

    fn ended(&mut self, node: &mut Node, began: Instant) -> Result<ExitStatus> {
        loop {
            if let Some(status) = node.has_ended()? {
                // What was said at the end is still in the sockets.
                self.crowd.spend(Duration::from_millis(100))?;
                return Ok(status);
            }
            ensure!(
                began.elapsed() < ENDS_WITHIN,
                "the server has not ended after {} s",
                ENDS_WITHIN.as_secs()
            );
            self.crowd.turn(Duration::from_millis(2))?;
        }
    }

    fn again(&mut self) -> Result<Node> {
        let mut node = self.launch.start()?;
        while !node.is_ready()? {
            self.crowd.turn(Duration::from_millis(2))?;
        }
        Ok(node)
    }
}

/// When somebody who comes learns that nobody listens any more: refused, reset, or told so. None: let in, or left to wait.
fn refused_after(port: u16) -> Option<Duration> {
    let began = Instant::now();
    let Ok(mut stream) = TcpStream::connect((Ipv4Addr::LOCALHOST, port)) else {
        return Some(began.elapsed());
    };
    stream.set_read_timeout(Some(ENDS_WITHIN)).ok()?;
    let _ = stream.write_all(b"GET /live HTTP/1.1\r\nHost: x\r\n\r\n");
    let mut answer = [0; 64];
    match stream.read(&mut answer) {
        Ok(count) if count > 0 && !answer.starts_with(b"HTTP/1.1 503") => None,
        Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => None,
        Ok(_) | Err(_) => Some(began.elapsed()),
    }
}

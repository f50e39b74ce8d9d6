//! What an operator sees of a fault: each moves a figure that has a name and writes a line that says what it is, and the probes tell the
//! truth soon.

use std::io::Write;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use nix::sys::signal::Signal;

use super::{Site, lines_with};
use crate::broker::{Broker, Kind};
use crate::front::Visitor;
use crate::node::{Launch, Node};
use crate::outcome::Outcome;
use crate::token::Signer;

const SECRET: &str = "0123456789abcdef0123456789abcdef";
/// Everything short, so that each fault shows itself soon.
const CONFIG: &str = "[limits]\nburst = 5\nmessages_per_second = 5\nrefusals_per_second = 1000\nconnections_per_user = 100\nmemory = \"128MiB\"\n\
                      [websocket]\nping_period = \"1s\"\nread_timeout = \"4s\"\nwrite_timeout = \"1s\"\nmax_message_size = \"1MiB\"\n";
/// A node that nobody uses asks its broker seldom, and a refusal or two is no outage: this is the longest that both take together.
const TRUE_WITHIN: Duration = Duration::from_secs(5);
/// On the slowest machine.
const SHOWS_WITHIN: Duration = Duration::from_secs(30);

/// What shows a fault: a figure that grows or is no longer 0, and words of a line of the log. What any client can do as often as it likes
/// is counted and not written.
struct Sign {
    fault: &'static str,
    figure: &'static str,
    says: &'static str,
    happens: fn(&Stage<'_>) -> Result<()>,
}

const SIGNS: [Sign; 5] = [
    Sign {
        fault: "a token that proves nothing",
        figure: "kulkul_turned_away_total{why=\"unproven\"}",
        says: "upgrade refused",
        happens: |stage| {
            ensure!(Visitor::come(stage.node.port, "no token").is_err(), "it is let in");
            Ok(())
        },
    },
    Sign {
        fault: "a client that says more than it may",
        figure: "kulkul_refused_total",
        says: "",
        happens: |stage| {
            let mut visitor = stage.visitor()?;
            for _ in 0..20 {
                visitor.say(r#"{"type":"online_users","room":"r","id":"x"}"#)?;
            }
            visitor.hear_until(|heard| (heard.payload.code == Some("RATE_LIMIT")).then_some(()))
        },
    },
    Sign {
        fault: "messages that begin and never end",
        figure: "kulkul_begun_ended_total",
        says: "",
        happens: |stage| {
            // More than a quarter of the memory, on whichever shard each of them is.
            let mut begun = Vec::new();
            for _ in 0..40 {
                let mut stream = stage.visitor()?.into_stream();
                stream.write_all(&[&[0x01, 0xff][..], &(1_u64 << 20).to_be_bytes(), &[0; 4]].concat())?;
                // The server may hang up in the middle.
                let _ = stream.write_all(&vec![b'a'; 1_000_000]);
                begun.push(stream);
            }
            // All of them stay until some are ended.
            let ended = || Ok(stage.node.figure("kulkul_begun_ended_total")? > 0);
            stage.until("kulkul_begun_ended_total grows", ended)?;
            drop(begun);
            Ok(())
        },
    },
    Sign {
        fault: "a client that is gone without a word",
        figure: "kulkul_stale_removed_total",
        says: "going away",
        happens: |stage| {
            // It is held, and answers no ping.
            let gone = stage.visitor()?.into_stream();
            stage.until("kulkul_stale_removed_total grows", || {
                Ok(stage.node.figure("kulkul_stale_removed_total")? > 0)
            })?;
            drop(gone);
            Ok(())
        },
    },
    Sign {
        fault: "the broker is away",
        figure: "kulkul_engine_circuits_open",
        says: "Redis stores nothing",
        happens: |_| Ok(()),
    },
];

struct Stage<'a> {
    node: &'a Node,
    launch: &'a Launch,
    signer: &'a Signer,
}

impl Stage<'_> {
    fn visitor(&self) -> Result<Visitor> {
        Visitor::come(self.node.port, &self.signer.token("somebody")?)
    }

    fn until(&self, what: &str, mut holds: impl FnMut() -> Result<bool>) -> Result<Duration> {
        let began = Instant::now();
        while !holds()? {
            ensure!(began.elapsed() < SHOWS_WITHIN, "not so: {what}");
            std::thread::sleep(crate::LOOK);
        }
        Ok(began.elapsed())
    }

    fn answers(&self, site: &Site<'_>, status: u16, outcome: &mut Outcome, what: &'static str) -> Result<()> {
        let after = self.until(what, || Ok(self.node.answers("/ready")? == status))?;
        outcome.figure(what, format!("{} ms", after.as_millis()));
        outcome.must(after <= TRUE_WITHIN || !site.is_full(), || {
            format!("{what} after {} ms", after.as_millis())
        });
        let live = self.node.answers("/live")?;
        outcome.must(live == 200, || format!("/live is {live}: {what}"));
        Ok(())
    }
}

pub(crate) fn run(site: &Site<'_>) -> Result<Outcome> {
    let mut outcome = Outcome::default();
    let mut broker = Broker::start_and_wait(Kind::Redis, &site.world.folder.join("broker"))?;
    let mut launch = site.world.configured("one", &format!("secret = \"{SECRET}\"\n{CONFIG}"))?;
    launch.args.extend(["--engine".to_owned(), broker.address()]);
    let (signer, mut node) = (Signer::of_text(SECRET)?, launch.start_and_wait()?);
    for sign in &SIGNS {
        let stage = Stage { node: &node, launch: &launch, signer: &signer };
        let (before, said) = (node.figure(sign.figure)?, lines_with(&stage.launch.log, sign.says));
        if sign.figure == "kulkul_engine_circuits_open" {
            broker.kill()?;
            stage.answers(site, 503, &mut outcome, "unready without its broker")?;
        }
        (sign.happens)(&stage).with_context(|| sign.fault)?;
        let grew = stage.until(sign.figure, || Ok(node.figure(sign.figure)? > before));
        outcome.must(grew.is_ok(), || format!("{}: {} stays {before}", sign.fault, sign.figure));
        let says =
            stage.until(sign.says, || Ok(sign.says.is_empty() || lines_with(&launch.log, sign.says) > said));
        outcome.must(says.is_ok(), || format!("{}: no line says `{}`", sign.fault, sign.says));
    }
    broker.begin()?;
    let stage = Stage { node: &node, launch: &launch, signer: &signer };
    stage.answers(site, 200, &mut outcome, "ready again with its broker")?;
    outcome.figure("faults shown", SIGNS.len());
    node.signal(Signal::SIGTERM)?;
    let ended = node.ended(Instant::now() + SHOWS_WITHIN).context("it does not end")?;
    outcome.must(ended.success(), || format!("the drained server ended with {ended}"));
    outcome.must(lines_with(&launch.log, "drain") > 0, || "no line says that it drains".to_owned());
    Ok(outcome)
}

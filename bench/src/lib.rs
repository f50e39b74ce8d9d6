//! Load generator and report; a client like any other.
//!
//! `kulkul bench` starts a server on one core, is its clients on another, and prints what a delivery, a join or an idle
//! connection cost the server. It counts every message by sequence number, and where the generator itself is the limit
//! it says so instead of printing a figure.
//!
//! The way of a run: `options` → `scenarios` (with `process`, `opening`, `crowd`, `tally`) → `outcome` → `pairs` and
//! `report`. `adapters` know the servers; nothing here knows how a server works inside.

use std::process::ExitCode;

use anyhow::{Result, bail, ensure};
use serde_json::json;

mod adapters;
mod crowd;
mod durable;
mod figures;
mod floor;
mod histogram;
mod interval;
mod link;
mod machine;
mod opening;
mod options;
mod outcome;
mod pairs;
mod peers;
mod process;
mod progress;
mod report;
mod rides;
mod scenarios;
mod scores;
mod stamp;
mod support;
mod tally;
mod wire;

pub use adapters::{LIFTED, Lifted};
pub use options::Bench;

use adapters::Choices;
use machine::{Facts, Weight};
use options::{Peers, Settings, What};
use outcome::{Outcome, Verdict};
use pairs::Comparison;
use progress::Progress;
use report::Paint;
use scenarios::{Conditions, Scenario};

/// Runs what the command line asks for. Fails if a run was not valid or a bar was missed.
pub fn run(bench: Bench) -> ExitCode {
    match measure(bench) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("kulkul bench: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// Builds and installs the servers to compare with, by package name; what `kulkul bench peers install` does.
pub fn install_peers() -> Result<()> {
    peers::install(&[], &Choices::default())
}

fn measure(bench: Bench) -> Result<bool> {
    let Bench { what, common } = bench;
    let choices = Choices {
        server: common.server.clone(),
        before: common.before.clone(),
        server_args: common.server_args.clone(),
        notices: !common.no_notices,
        peers: common.peers_folder.clone(),
    };
    match &what {
        What::Peers(Peers::Install { names }) => return peers::install(names, &choices).map(|()| true),
        What::Peers(Peers::List) => {
            for name in adapters::NAMES {
                let told = adapters::named(name, &choices);
                println!(
                    "{name}: {}",
                    told.map_or_else(|error| error.to_string(), |it| it.remark().to_owned())
                );
            }
            return Ok(true);
        }
        What::Durable(asked) => return durable::run(asked, common.server.as_ref(), common.json),
        What::Support(asked) => return support::run(asked, &choices, common.json),
        What::Scores(asked) => return scores::run(asked, &choices, common.json),
        What::Rides(asked) => return rides::run(asked, &choices, common.json),
        What::CatchUp(asked) => return durable::catch_up(asked, common.server.as_ref(), common.json),
        _ => {}
    }
    let scenarios = what.scenarios();
    let session =
        Session { paint: Paint::new(), facts: Facts::gather(), weight: weight(&common), choices, common };
    for scenario in &scenarios {
        scenario.prepare()?;
    }
    session.run(&scenarios)
}

fn weight(common: &Settings) -> Option<Weight> {
    (!common.gentle).then(Weight::raise)
}

/// One call of the bench: what stays the same for all its runs.
struct Session {
    common: Settings,
    choices: Choices,
    facts: Facts,
    weight: Option<Weight>,
    paint: Paint,
}

impl Session {
    fn run(&self, scenarios: &[Scenario]) -> Result<bool> {
        let Some(first) = self.common.servers.first() else { bail!("name a server with --of") };
        for name in self.common.servers.iter().chain(&self.common.against) {
            adapters::named(name, &self.choices)?;
        }
        ensure!(self.common.pairs > 0 && self.common.runs > 0, "nothing to run");
        let mut conditions = Conditions { realtime: self.common.realtime, progress: Progress::new() };
        let (mut outcomes, mut comparisons) = (Vec::new(), Vec::new());
        for scenario in scenarios {
            if self.common.against.is_empty() {
                let found = self.each(scenario, &mut conditions)?;
                self.say(&format!(
                    "{}\n{}",
                    self.paint.bold(&scenario.words()),
                    report::table(&found, self.paint)
                ));
                outcomes.extend(found);
            } else {
                self.say(&self.paint.bold(&scenario.words()));
                for peer in &self.common.against {
                    let comparison = self.compare(scenario, first, peer, &mut conditions)?;
                    self.say(&comparison.text(self.paint));
                    comparisons.push(comparison);
                }
            }
        }
        self.finish(&outcomes, &comparisons);
        let runs_hold = outcomes.iter().all(|outcome| !matches!(outcome.verdict, Verdict::NotValid(_)));
        Ok(runs_hold && comparisons.iter().all(|comparison| comparison.met() != Some(false)))
    }

    fn each(&self, scenario: &Scenario, conditions: &mut Conditions) -> Result<Vec<Outcome>> {
        let mut outcomes = Vec::new();
        for name in &self.common.servers {
            for number in 1..=self.common.runs {
                conditions.progress.begin(format!(
                    "{}: {name}, run {number} of {}",
                    scenario.words(),
                    self.common.runs
                ));
                outcomes.push(scenario.run(adapters::named(name, &self.choices)?.as_mut(), conditions)?);
                conditions.progress.clear();
            }
        }
        Ok(outcomes)
    }

    fn compare(
        &self,
        scenario: &Scenario,
        ours: &str,
        theirs: &str,
        conditions: &mut Conditions,
    ) -> Result<Comparison> {
        let mut pairs = Vec::new();
        for number in 1..=self.common.pairs {
            let mut one = |name: &str| {
                conditions.progress.begin(format!(
                    "{}: {name}, pair {number} of {}",
                    scenario.words(),
                    self.common.pairs
                ));
                scenario.run(adapters::named(name, &self.choices)?.as_mut(), conditions)
            };
            pairs.push((one(ours)?, one(theirs)?));
        }
        conditions.progress.clear();
        Ok(Comparison {
            ours: adapters::named(ours, &self.choices)?.name(),
            theirs: adapters::named(theirs, &self.choices)?.name(),
            pairs,
            bar: pairs::bar_for(theirs, &self.common.bars)?,
            figure: self.common.figure.clone(),
        })
    }

    fn say(&self, text: &str) {
        if !self.common.json {
            println!("{text}");
        }
    }

    fn finish(&self, outcomes: &[Outcome], comparisons: &[Comparison]) {
        let weight = self.weight.as_ref().map_or("not asked for", Weight::words);
        if self.common.json {
            let lifted =
                |row: &Lifted| json!({ "limit": row.limit, "default": row.default, "needed": row.needed });
            let runs =
                comparisons.iter().flat_map(|comparison| comparison.pairs.iter().flat_map(|(a, b)| [a, b]));
            let document = json!({
                "machine": self.facts.json(),
                "conditions": {
                    "server_core": machine::SERVER_CORE, "generator_core": machine::GENERATOR_CORE,
                    "realtime": self.common.realtime, "weight": weight,
                    "kulkul_profile": { "name": if self.common.no_notices { "bench-quiet" } else { "bench" }, "lifts": LIFTED.iter().map(lifted).collect::<Vec<_>>() },
                },
                "runs": outcomes.iter().chain(runs).map(Outcome::json).collect::<Vec<_>>(),
                "comparisons": comparisons.iter().map(Comparison::json).collect::<Vec<_>>(),
            });
            println!("{document:#}");
            return;
        }
        let mut servers: Vec<_> = outcomes.iter().collect();
        servers.extend(
            comparisons.iter().filter_map(|comparison| comparison.pairs.first()).flat_map(|(a, b)| [a, b]),
        );
        let mut seen = Vec::new();
        for outcome in servers {
            if !seen.contains(&outcome.server) {
                seen.push(outcome.server);
                println!("{} {}: {}", outcome.server, outcome.version, outcome.remark);
            }
        }
        if seen.contains(&"kulkul") {
            print!("{}", report::lifted());
        }
        println!("{}", self.paint.dim(&self.facts.line()));
        println!(
            "{}",
            self.paint.dim(&format!(
                "server on core {}, generator on core {}, {} class, weight {weight}",
                machine::SERVER_CORE,
                machine::GENERATOR_CORE,
                if self.common.realtime { "real-time" } else { "normal" }
            ))
        );
    }
}

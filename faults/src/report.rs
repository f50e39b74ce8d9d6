//! What is printed: a line a scenario with its figures, what did not hold below it, and the whole at the end.

use std::io::IsTerminal;
use std::process::ExitCode;
use std::time::Duration;

use serde_json::{Value, json};

use crate::load_average;
use crate::outcome::Outcome;
use crate::scenarios::Scenario;

/// Lines below a scenario that failed; more of the same says nothing new.
const BROKEN_MAX: usize = 12;

pub(crate) struct Report {
    json: bool,
    verbose: bool,
    small: bool,
    seed: u64,
    colour: bool,
    done: Vec<Value>,
    failed: Vec<&'static str>,
}

impl Report {
    pub(crate) fn begin(json: bool, verbose: bool, small: bool, seed: u64) -> Report {
        let colour = !json && std::io::stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none();
        Report { json, verbose, small, seed, colour, done: Vec::new(), failed: Vec::new() }
    }

    fn paint(&self, code: &str, words: &str) -> String {
        if self.colour { format!("\x1b[{code}m{words}\x1b[0m") } else { words.to_owned() }
    }

    pub(crate) fn remark(&self, words: &str) {
        if self.verbose {
            eprintln!("  {words}");
        }
    }

    pub(crate) fn add(&mut self, scenario: &Scenario, outcome: Outcome, took: Duration) {
        let load = load_average();
        if !outcome.broken.is_empty() {
            self.failed.push(scenario.name);
        }
        self.done.push(outcome.json(scenario.name, took, load));
        if self.json {
            return;
        }
        let mark =
            if outcome.broken.is_empty() { self.paint("32", "ok    ") } else { self.paint("1;31", "FAILED") };
        let figures: Vec<String> = outcome
            .figures
            .iter()
            .map(|(name, value)| format!("{} {value}", self.paint("2", name)))
            .collect();
        println!(
            "{mark} {:<21} {:<5} {:>6.1} s  load {load:.1}  {}",
            scenario.name,
            scenario.row,
            took.as_secs_f64(),
            figures.join(", ")
        );
        for words in &outcome.remarks {
            println!("       {words}");
        }
        for words in outcome.broken.iter().take(BROKEN_MAX) {
            println!("       {}", self.paint("31", words));
        }
        if outcome.broken.len() > BROKEN_MAX {
            println!("       and {} more", outcome.broken.len() - BROKEN_MAX);
        }
    }

    pub(crate) fn end(self) -> ExitCode {
        let (form, seed) = (if self.small { "small" } else { "full" }, self.seed);
        if self.json {
            println!("{:#}", json!({ "form": form, "seed": seed, "scenarios": self.done }));
        } else if self.failed.is_empty() {
            println!("{} {} scenarios, {form}, seed {seed}", self.paint("1;32", "passed"), self.done.len());
        } else {
            let (failed, all) = (self.failed.join(", "), self.done.len());
            let mark = self.paint("1;31", "FAILED");
            println!("{mark} {} of {all} scenarios ({failed}), {form}, seed {seed}", self.failed.len());
        }
        if self.failed.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
    }
}

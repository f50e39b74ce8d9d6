//! The figures of several rounds of one load, as a table or as JSON: the median of each and how far it can be trusted. It measures nothing.

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};

use crate::interval::Interval;
use crate::machine::Facts;

/// What a figure is called, its unit, and where it stands in a round.
pub(crate) type Row<R> = (&'static str, &'static str, fn(&R) -> f64);

pub(crate) struct Figures<R: 'static> {
    facts: Facts,
    rows: &'static [Row<R>],
    rounds: Vec<R>,
}

impl<R> Figures<R> {
    /// Runs so many rounds, one after the other; the first that fails ends them.
    pub(crate) fn of(
        rows: &'static [Row<R>],
        rounds: usize,
        mut round: impl FnMut() -> Result<R>,
    ) -> Result<Figures<R>> {
        ensure!(rounds > 0, "rounds: 0 are none");
        let mut figures = Figures { facts: Facts::gather(), rows, rounds: Vec::new() };
        for number in 1..=rounds {
            eprintln!("round {number} of {rounds}");
            figures.rounds.push(round()?);
        }
        Ok(figures)
    }

    fn each(&self, figure: fn(&R) -> f64) -> Vec<f64> {
        self.rounds.iter().map(figure).collect()
    }

    /// `words`: the load, for people; `load`: the same as data.
    pub(crate) fn print(&self, words: &str, load: &Value, as_json: bool) -> Result<()> {
        if as_json {
            let row = |(name, unit, figure): &Row<R>| json!({ "figure": name, "unit": unit, "rounds": self.each(*figure) });
            let rows: Vec<Value> = self.rows.iter().map(row).collect();
            println!("{:#}", json!({ "machine": self.facts.json(), "load": load, "figures": rows }));
            return Ok(());
        }
        println!("{words}");
        for (name, unit, figure) in self.rows {
            let Interval { median, low, high, .. } = Interval::of(&self.each(*figure)).context("no round")?;
            println!("{name:<30} {median:>10.1} {unit:<4} ({low:.1} to {high:.1})");
        }
        println!("{}", self.facts.line());
        Ok(())
    }
}

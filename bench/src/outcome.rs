//! What a run found: figures, and whether they are the server's at all.

use serde_json::{Value, json};

use crate::interval::Better;
use crate::tally::Faults;

/// Above this share of its core the generator is the limit.
pub(crate) const GENERATOR_SHARE_MAX: f64 = 0.9;
/// Below this share the machine gave the generator's core to others.
const GENERATOR_OWN_MIN: f64 = 0.9;

#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Figure {
    pub key: &'static str,
    pub value: f64,
    pub unit: &'static str,
    /// `None`: says something about the run, and less or more is not better.
    pub better: Option<Better>,
    /// Says something about the server even where the generator was the limit.
    pub own: bool,
}

impl Figure {
    pub(crate) fn lower(key: &'static str, value: f64, unit: &'static str) -> Self {
        Self { key, value, unit, better: Some(Better::Lower), own: false }
    }

    pub(crate) fn higher(key: &'static str, value: f64, unit: &'static str) -> Self {
        Self { key, value, unit, better: Some(Better::Higher), own: false }
    }

    pub(crate) fn note(key: &'static str, value: f64, unit: &'static str) -> Self {
        Self { key, value, unit, better: None, own: false }
    }

    pub(crate) fn of_the_server_alone(self) -> Self {
        Self { own: true, ..self }
    }
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Verdict {
    Valid,
    /// Most figures are the generator's, not the server's, and are not shown.
    GeneratorSaturated {
        share: f64,
    },
    /// An open loop asked for more than the server gives: its share came in time, nothing was lost on the way.
    PastSaturation,
    NotValid(String),
}

/// What the generator knows about itself over the measured time.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Generator {
    /// Share of the time with something to do.
    pub busy: f64,
    /// Share of its core that it was given; it always asks for all.
    pub own: f64,
}

#[derive(Debug, Clone)]
pub(crate) struct Outcome {
    pub scenario: String,
    pub server: &'static str,
    pub version: String,
    pub remark: &'static str,
    /// The first is the headline.
    pub figures: Vec<Figure>,
    pub generator: Generator,
    pub verdict: Verdict,
    pub notes: Vec<String>,
}

impl Outcome {
    /// A figure, if it may be shown as the server's.
    pub(crate) fn value(&self, key: &str) -> Option<f64> {
        let figure = self.figures.iter().find(|figure| figure.key == key)?;
        let counts = match self.verdict {
            Verdict::Valid | Verdict::PastSaturation => true,
            Verdict::GeneratorSaturated { .. } => figure.own,
            Verdict::NotValid(_) => false,
        };
        counts.then_some(figure.value)
    }

    pub(crate) fn verdict_words(&self) -> String {
        match &self.verdict {
            Verdict::Valid => "valid".to_owned(),
            Verdict::PastSaturation => "past saturation".to_owned(),
            Verdict::GeneratorSaturated { share } => format!("generator saturated ({share:.2} of its core)"),
            Verdict::NotValid(reason) => format!("not valid: {reason}"),
        }
    }

    pub(crate) fn json(&self) -> Value {
        let figures: serde_json::Map<_, _> = self
            .figures
            .iter()
            .map(|figure| {
                (figure.key.to_owned(), json!({ "value": self.value(figure.key), "unit": figure.unit }))
            })
            .collect();
        json!({
            "scenario": self.scenario, "server": self.server, "version": self.version, "remark": self.remark,
            "verdict": self.verdict_words(), "valid": self.verdict == Verdict::Valid,
            "headline": self.figures.first().map(|figure| figure.key), "figures": figures,
            "generator": { "busy": self.generator.busy, "own": self.generator.own },
            "notes": self.notes,
        })
    }
}

/// Any loss, repetition, disorder or lost connection makes a run worthless; so does a generator at its limit.
pub(crate) fn judge(faults: Faults, behind: Behind, connections_lost: u32, generator: Generator) -> Verdict {
    let late = if behind == Behind::IsAnError { faults.late } else { 0 };
    if !(Faults { late, ..faults }).none() || connections_lost > 0 {
        return Verdict::NotValid(format!(
            "{} lost, {} late, {} duplicates, {} out of order, {} strays, {connections_lost} connections lost",
            faults.lost, faults.late, faults.duplicates, faults.order_breaks, faults.strays
        ));
    }
    if generator.busy > GENERATOR_SHARE_MAX {
        return Verdict::GeneratorSaturated { share: generator.busy };
    }
    if behind == Behind::IsAResult { Verdict::PastSaturation } else { Verdict::Valid }
}

/// What it means that messages came after the measured time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Behind {
    IsAnError,
    /// A rung of the ladder above what the server can do.
    IsAResult,
}

pub(crate) fn notes_of(generator: Generator, complaints: &[String]) -> Vec<String> {
    let mut notes: Vec<String> = complaints.to_vec();
    if generator.own < GENERATOR_OWN_MIN {
        let share = generator.own;
        notes.push(format!("disturbed: other work took the generator's core, it had {share:.2} of it"));
    }
    notes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn verdicts() {
        let calm = Generator { busy: 0.5, own: 1.0 };
        let full = Generator { busy: 0.95, own: 1.0 };
        let none = Faults::default();
        let late = Faults { late: 3, ..none };
        let lost = Faults { lost: 1, ..none };
        let rows = [
            ("clean", none, Behind::IsAnError, 0, calm, "valid"),
            ("late", late, Behind::IsAnError, 0, calm, "not valid"),
            ("late on the ladder", late, Behind::IsAResult, 0, calm, "past saturation"),
            ("lost on the ladder", lost, Behind::IsAResult, 0, calm, "not valid"),
            ("a connection lost", none, Behind::IsAnError, 1, calm, "not valid"),
            ("generator at its limit", none, Behind::IsAnError, 0, full, "generator saturated"),
            ("loss weighs more than the limit", lost, Behind::IsAnError, 0, full, "not valid"),
        ];
        for (name, faults, behind, gone, generator, expected) in rows {
            let outcome = Outcome {
                scenario: String::new(),
                server: "",
                version: String::new(),
                remark: "",
                figures: Vec::new(),
                generator,
                verdict: judge(faults, behind, gone, generator),
                notes: Vec::new(),
            };
            assert!(outcome.verdict_words().starts_with(expected), "{name}: {}", outcome.verdict_words());
        }
    }
}

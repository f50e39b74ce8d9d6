//! Two servers side by side: A, B, A, B … so that what disturbs one run disturbs its neighbour too, and the ratio within
//! each pair is what is looked at.

use anyhow::Result;
use serde_json::{Value, json};

use crate::interval::{Better, Interval};
use crate::outcome::{Figure, Outcome, Verdict};
use crate::report::{self, Paint, number};

/// A ratio that the headline, or a figure named by `--figure`, has to reach.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Bar {
    pub ratio: f64,
}

/// `--bar 1.05` for all peers, or `--bar bun=1.05,epoll=1.3`.
pub(crate) fn bar_for(peer: &str, bars: &[String]) -> Result<Option<Bar>> {
    let mut common = None;
    for bar in bars {
        match bar.split_once('=') {
            Some((name, ratio)) if name == peer => return Ok(Some(Bar { ratio: ratio.parse()? })),
            Some(_) => {}
            None => common = Some(Bar { ratio: bar.parse()? }),
        }
    }
    Ok(common)
}

#[derive(Debug)]
pub(crate) struct Comparison {
    pub ours: &'static str,
    pub theirs: &'static str,
    pub pairs: Vec<(Outcome, Outcome)>,
    pub bar: Option<Bar>,
    /// Which figure the bar is for; the headline if absent.
    pub figure: Option<String>,
}

struct Ratio {
    key: &'static str,
    unit: &'static str,
    better: Better,
    /// How many pairs count for it.
    pairs: usize,
    ours: f64,
    theirs: f64,
    interval: Interval,
}

impl Comparison {
    /// Both sides of a figure, of the pairs in which it may be shown as the server's on either side.
    fn both(&self, key: &str) -> Vec<(f64, f64)> {
        self.pairs.iter().filter_map(|(ours, theirs)| Some((ours.value(key)?, theirs.value(key)?))).collect()
    }

    fn ratios(&self) -> Vec<Ratio> {
        let Some((first, _)) = self.pairs.first() else { return Vec::new() };
        let of = |figure: &Figure| {
            let both = self.both(figure.key);
            let median = |side: Vec<f64>| Interval::of(&side).map(|interval| interval.median);
            Some(Ratio {
                key: figure.key,
                unit: figure.unit,
                better: figure.better?,
                pairs: both.len(),
                ours: median(both.iter().map(|pair| pair.0).collect())?,
                theirs: median(both.iter().map(|pair| pair.1).collect())?,
                interval: Interval::of(&both.iter().map(|pair| pair.0 / pair.1).collect::<Vec<_>>())?,
            })
        };
        first.figures.iter().filter_map(of).collect()
    }

    fn judged<'a>(&self, ratios: &'a [Ratio]) -> Option<&'a Ratio> {
        match &self.figure {
            Some(key) => ratios.iter().find(|ratio| ratio.key == key),
            None => ratios.first(),
        }
    }

    /// `None` without a bar. A bar cannot be met by runs that do not count.
    pub(crate) fn met(&self) -> Option<bool> {
        let bar = self.bar?;
        let ratios = self.ratios();
        Some(self.judged(&ratios).is_some_and(|ratio| ratio.interval.meets(bar.ratio, ratio.better)))
    }

    pub(crate) fn text(&self, paint: Paint) -> String {
        let ratios = self.ratios();
        let mut rows = vec![
            ["figure", self.ours, self.theirs, "ratio", "low", "high", "sure", "pairs", ""]
                .map(str::to_owned)
                .to_vec(),
        ];
        for ratio in &ratios {
            rows.push(vec![
                format!("{} {}", ratio.key, ratio.unit).trim().to_owned(),
                number(ratio.ours),
                number(ratio.theirs),
                number(ratio.interval.median),
                number(ratio.interval.low),
                number(ratio.interval.high),
                format!("{:.0} %", ratio.interval.confidence * 100.0),
                format!("{} of {}", ratio.pairs, self.pairs.len()),
                report::direction(ratio.better).to_owned(),
            ]);
        }
        let mut text = format!("{} against {}\n", self.ours, self.theirs);
        text += &report::aligned(&rows, paint);
        for outcome in self.pairs.iter().flat_map(|(ours, theirs)| [ours, theirs]) {
            if outcome.verdict != Verdict::Valid {
                text += &format!("  {}\n", report::verdict_line(outcome, paint));
            }
            text.extend(outcome.notes.iter().map(|note| format!("  {}: {note}\n", outcome.server)));
        }
        if let (Some(bar), Some(met)) = (self.bar, self.met()) {
            let figure = self.judged(&ratios).map_or("no figure", |ratio| ratio.key);
            let words = if met { paint.good("met") } else { paint.bad("missed") };
            text += &format!("  bar {} for {figure}: {words}\n", bar.ratio);
        }
        text
    }

    pub(crate) fn json(&self) -> Value {
        let ratios: Vec<Value> = self
            .ratios()
            .iter()
            .map(|ratio| {
                json!({
                    "figure": ratio.key, "unit": ratio.unit, "better": report::direction(ratio.better),
                    "ours": ratio.ours, "theirs": ratio.theirs, "ratio": ratio.interval.median,
                    "low": ratio.interval.low, "high": ratio.interval.high, "confidence": ratio.interval.confidence, "pairs": ratio.pairs,
                })
            })
            .collect();
        json!({
            "ours": self.ours, "theirs": self.theirs, "pairs": self.pairs.len(),
            "ratios": ratios, "bar": self.bar.map(|bar| bar.ratio), "met": self.met(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::outcome::Generator;

    fn outcome(server: &'static str, cpu: f64, verdict: Verdict) -> Outcome {
        Outcome {
            scenario: "fan-out".to_owned(),
            server,
            version: String::new(),
            remark: "",
            figures: vec![Figure::lower("cpu", cpu, "us/delivery"), Figure::note("share", 1.0, "")],
            generator: Generator::default(),
            verdict,
            notes: Vec::new(),
        }
    }

    fn comparison(pairs: &[(f64, f64)], spoilt: usize, bar: f64) -> Comparison {
        let verdict =
            |index| if index < spoilt { Verdict::NotValid("1 lost".to_owned()) } else { Verdict::Valid };
        let both = |(index, (ours, theirs)): (usize, &(f64, f64))| {
            (outcome("kulkul", *ours, verdict(index)), outcome("bun", *theirs, Verdict::Valid))
        };
        let pairs = pairs.iter().enumerate().map(both).collect();
        Comparison { ours: "kulkul", theirs: "bun", pairs, bar: Some(Bar { ratio: bar }), figure: None }
    }

    #[test]
    fn bars_are_met_by_counted_pairs_only() {
        let even = [(4.0, 4.0); 7];
        let rows = [
            ("equal", comparison(&even, 0, 1.05), Some(true)),
            ("dearer", comparison(&[(5.0, 4.0); 7], 0, 1.05), Some(false)),
            ("half of them spoilt", comparison(&even, 4, 1.05), Some(true)),
            ("all of them spoilt", comparison(&even, 7, 1.05), Some(false)),
            ("no bar", Comparison { bar: None, ..comparison(&even, 0, 1.0) }, None),
            (
                "a figure that is not there",
                Comparison { figure: Some("p99".to_owned()), ..comparison(&even, 0, 1.05) },
                Some(false),
            ),
        ];
        for (name, comparison, expected) in rows {
            assert_eq!(comparison.met(), expected, "{name}");
        }
    }

    #[test]
    fn bars_are_named_or_common() {
        let bars = ["1.2", "bun=1.05"].map(str::to_owned);
        assert_eq!(bar_for("bun", &bars).ok().flatten(), Some(Bar { ratio: 1.05 }));
        assert_eq!(bar_for("axum", &bars).ok().flatten(), Some(Bar { ratio: 1.2 }));
        assert_eq!(bar_for("axum", &bars[1..]).ok().flatten(), None);
        assert!(bar_for("bun", &["bun=fast".to_owned()]).is_err());
    }
}

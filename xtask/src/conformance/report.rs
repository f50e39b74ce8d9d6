//! What Autobahn found, judged and told: by case, by section, and as the page in `docs`. Nothing here runs.

use std::fmt::{self, Write};

use serde_json::{Map, Value};

pub(crate) struct Section {
    pub(crate) number: u32,
    about: &'static str,
    /// How many there are: a case that was not run must not look like one that passed.
    pub(crate) cases: usize,
    /// Seconds for all of it.
    pub(crate) quick: bool,
}

const fn section(number: u32, about: &'static str, cases: usize, quick: bool) -> Section {
    Section { number, about, cases, quick }
}

pub(crate) const SECTIONS: &[Section] = &[
    section(1, "framing", 16, true),
    section(2, "pings and pongs", 11, true),
    section(3, "reserved bits", 7, true),
    section(4, "opcodes", 10, true),
    section(5, "fragmentation", 20, true),
    section(6, "UTF-8", 145, true),
    section(7, "closing", 37, true),
    section(9, "limits: 16 MiB, 65,536 fragments", 54, false),
    section(10, "fragments of any size", 1, true),
    section(12, "compression", 90, false),
    section(13, "parameters of compression", 126, false),
];

/// Cases in which less than strict is right, with the reason. A row that excuses nothing is a fault of its own.
const NON_STRICT: &[(&str, &str)] = &[];

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Behaviour {
    Ok,
    Informational,
    NonStrict,
    Unimplemented,
    Failed,
    Missing,
}

const BEHAVIOURS: [(Behaviour, &str); 6] = [
    (Behaviour::Ok, "OK"),
    (Behaviour::Informational, "INFORMATIONAL"),
    (Behaviour::NonStrict, "NON-STRICT"),
    (Behaviour::Unimplemented, "UNIMPLEMENTED"),
    (Behaviour::Failed, "FAILED"),
    (Behaviour::Missing, "missing"),
];

/// What was found over one transport.
pub(crate) struct Report {
    /// In the order of `SECTIONS`, with the count of each behaviour.
    sections: Vec<(&'static Section, [usize; BEHAVIOURS.len()])>,
    faults: Vec<String>,
}

impl Report {
    pub(crate) fn read(index: &Map<String, Value>, sections: &[&'static Section]) -> Report {
        Report::excused(index, sections, NON_STRICT)
    }

    fn excused(
        index: &Map<String, Value>,
        sections: &[&'static Section],
        excuses: &[(&str, &str)],
    ) -> Report {
        let mut report = Report { sections: Vec::new(), faults: Vec::new() };
        for &section in sections {
            let prefix = format!("{}.", section.number);
            let cases: Vec<(&String, &Value)> =
                index.iter().filter(|(case, _)| case.starts_with(&prefix)).collect();
            let mut counts = [0; BEHAVIOURS.len()];
            for (case, found) in &cases {
                let (behaviour, fault) = judged(case, found, excuses);
                counts[behaviour as usize] += 1;
                report.faults.extend(fault);
            }
            if cases.len() != section.cases {
                let missing = section.cases.saturating_sub(cases.len());
                counts[Behaviour::Missing as usize] += missing;
                report.faults.push(format!(
                    "section {}: {} cases were run, there are {}",
                    section.number,
                    cases.len(),
                    section.cases
                ));
            }
            report.sections.push((section, counts));
        }
        report
    }

    /// A line for each; none in a run that passes.
    pub(crate) fn faults(&self) -> &[String] {
        &self.faults
    }

    fn count(&self, behaviour: Behaviour) -> usize {
        self.sections.iter().map(|(_, counts)| counts[behaviour as usize]).sum()
    }
}

impl fmt::Display for Report {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let cases: usize = self.sections.iter().map(|(section, _)| section.cases).sum();
        write!(formatter, "{cases} cases")?;
        for (behaviour, word) in BEHAVIOURS {
            match self.count(behaviour) {
                0 => {}
                count => write!(formatter, ", {count} {word}")?,
            }
        }
        Ok(())
    }
}

/// What a case is counted as, and what is wrong with it.
fn judged(case: &str, found: &Value, excuses: &[(&str, &str)]) -> (Behaviour, Option<String>) {
    let word = |key: &str| found[key].as_str().unwrap_or("unknown").to_owned();
    let (behaviour, close) = (word("behavior"), word("behaviorClose"));
    let excused = excuses.iter().any(|(excused, _)| *excused == case);
    let counted = BEHAVIOURS.iter().find(|(_, word)| *word == behaviour);
    let counted = counted.map_or(Behaviour::Failed, |(counted, _)| *counted);
    let is_good = match counted {
        Behaviour::Ok | Behaviour::Informational => !excused,
        Behaviour::NonStrict => excused,
        Behaviour::Unimplemented | Behaviour::Failed | Behaviour::Missing => false,
    };
    let closes_well = matches!(close.as_str(), "OK" | "INFORMATIONAL");
    let fault = match (is_good, closes_well) {
        (true, true) => None,
        (false, _) if excused && counted < Behaviour::NonStrict => {
            Some(format!("{case}: {behaviour}, so its row in NON_STRICT excuses nothing; take it out"))
        }
        (false, _) => Some(format!("{case}: {behaviour}")),
        (true, false) => Some(format!("{case}: {behaviour}, but its close is {close}")),
    };
    let counted = if is_good && !closes_well { Behaviour::Failed } else { counted };
    (counted, fault)
}

/// The page: the same for the same results, but for its commit.
pub(crate) fn page(version: &str, commit: &str, reports: &[(&str, Report)]) -> String {
    let mut page = format!(
        "# Conformance\n\n\
         What [Autobahn|Testsuite](https://github.com/crossbario/autobahn-testsuite) 25.10.1 says of {version} at commit \
         `{commit}`:\nits fuzzing client against the released binary's `/conformance/echo`, which is the listener, the codec and the \
         shards of every\nother path with the limits lifted that some cases exceed.\n\n\
         To repeat it: `cargo xtask conformance`. It needs Python 2.7, installs the rest, judges every case, and writes this page if \
         all pass.\n`cargo xtask test` runs sections 1 to 7 and 10 each time, where there is Python 2.7.\n"
    );
    for (name, report) in reports {
        // Into a String nothing can fail.
        let _ = write!(page, "\n## {}\n\n{}", title(name), table(report));
    }
    page.push_str("\n## Less than strict\n\n");
    if NON_STRICT.is_empty() {
        page.push_str("No case is excused.\n");
    }
    for (case, reason) in NON_STRICT {
        let _ = writeln!(page, "- {case}: {reason}");
    }
    page
}

fn title(name: &str) -> String {
    match name {
        "plain" => "Over TCP".to_owned(),
        "tls" => "Over TLS".to_owned(),
        other => format!("Over {other}"),
    }
}

fn table(report: &Report) -> String {
    let mut table = String::from("| section | about | cases |");
    BEHAVIOURS.iter().for_each(|(_, word)| table.push_str(&format!(" {word} |")));
    table.push_str("\n| --- | --- | --- |");
    BEHAVIOURS.iter().for_each(|_| table.push_str(" --- |"));
    table.push('\n');
    let mut row = |first: &str, about: &str, cases: usize, counts: &dyn Fn(usize) -> usize| {
        table.push_str(&format!("| {first} | {about} | {cases} |"));
        (0..BEHAVIOURS.len()).for_each(|index| table.push_str(&format!(" {} |", counts(index))));
        table.push('\n');
    };
    for (section, counts) in &report.sections {
        row(&section.number.to_string(), section.about, section.cases, &|index| counts[index]);
    }
    let cases = report.sections.iter().map(|(section, _)| section.cases).sum();
    row("all", "", cases, &|index| report.count(BEHAVIOURS[index].0));
    table
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    static TWO: Section = section(10, "two cases", 2, true);

    fn report(cases: Value, excuses: &[(&str, &str)]) -> Report {
        let Value::Object(index) = cases else { panic!("an object") };
        Report::excused(&index, &[&TWO], excuses)
    }

    fn case(behaviour: &str, close: &str) -> Value {
        json!({ "behavior": behaviour, "behaviorClose": close })
    }

    #[test]
    fn a_report_passes_only_if_every_case_does() {
        let excuse = &[("10.2", "a reason")][..];
        for (second, excuses, fault) in [
            (case("OK", "OK"), &[][..], None),
            (case("INFORMATIONAL", "INFORMATIONAL"), &[], None),
            (case("NON-STRICT", "OK"), excuse, None),
            (case("NON-STRICT", "OK"), &[], Some("10.2: NON-STRICT")),
            (case("OK", "OK"), excuse, Some("10.2: OK, so its row")),
            (case("FAILED", "OK"), excuse, Some("10.2: FAILED")),
            (case("UNIMPLEMENTED", "OK"), &[], Some("10.2: UNIMPLEMENTED")),
            (case("OK", "UNCLEAN"), &[], Some("10.2: OK, but its close is UNCLEAN")),
            (case("SOMETHING", "OK"), &[], Some("10.2: SOMETHING")),
            (json!({}), &[], Some("10.2: unknown")),
        ] {
            let report = report(json!({ "10.1": case("OK", "OK"), "10.2": second }), excuses);
            match fault {
                None => assert_eq!(report.faults(), &[] as &[String]),
                Some(words) => {
                    assert!(report.faults()[0].starts_with(words), "{words}: {:?}", report.faults());
                }
            }
        }
    }

    #[test]
    fn a_case_that_was_not_run_is_missed() {
        let report = report(json!({ "10.1": case("OK", "OK"), "1.1": case("OK", "OK") }), &[]);
        assert_eq!(report.faults(), ["section 10: 1 cases were run, there are 2"]);
        assert_eq!(report.to_string(), "2 cases, 1 OK, 1 missing");
    }

    #[test]
    fn the_page_tells_every_section_and_the_sum() {
        let report = report(json!({ "10.1": case("OK", "OK"), "10.2": case("OK", "OK") }), &[]);
        let page = page("kulkul 0.1.0", "abc", &[("plain", report)]);
        for words in
            ["at commit `abc`", "## Over TCP", "| 10 | two cases | 2 | 2 | 0 |", "| all |  | 2 | 2 | 0 |"]
        {
            assert!(page.contains(words), "{words}: {page}");
        }
    }
}

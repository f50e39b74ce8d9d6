//! What a check has to say: one rule, one place, one sentence. Never prints on its own.

use std::fmt;

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Severity {
    Fails,
    Warns,
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Finding {
    pub(crate) severity: Severity,
    pub(crate) path: String,
    /// From 1; 0 where the finding is about the whole file.
    pub(crate) line: usize,
    pub(crate) rule: &'static str,
    pub(crate) says: String,
}

impl Finding {
    pub(crate) fn fails(rule: &'static str, path: &str, line: usize, says: impl Into<String>) -> Self {
        Self { severity: Severity::Fails, path: path.to_owned(), line, rule, says: says.into() }
    }

    pub(crate) fn warns(rule: &'static str, path: &str, line: usize, says: impl Into<String>) -> Self {
        Self { severity: Severity::Warns, ..Self::fails(rule, path, line, says) }
    }

    pub(crate) fn as_json(&self) -> serde_json::Value {
        serde_json::json!({
            "severity": match self.severity { Severity::Fails => "error", Severity::Warns => "warning" },
            "rule": self.rule,
            "path": self.path,
            "line": self.line,
            "says": self.says,
        })
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            0 => write!(f, "{}: [{}] {}", self.path, self.rule, self.says),
            line => write!(f, "{}:{line}: [{}] {}", self.path, self.rule, self.says),
        }
    }
}

pub(crate) fn failures(findings: &[Finding]) -> usize {
    findings.iter().filter(|finding| finding.severity == Severity::Fails).count()
}

//! What a check has to say: one rule, one place, one sentence. Never prints on its own.

use std::fmt;

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    Fails,
    Warns,
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Finding {
    pub severity: Severity,
    pub path: String,
    /// From 1; 0 where the finding is about the whole file.
    pub line: usize,
    pub rule: &'static str,
    pub says: String,
}

impl Finding {
    pub fn fails(rule: &'static str, path: &str, line: usize, says: impl Into<String>) -> Self {
        Self { severity: Severity::Fails, path: path.to_owned(), line, rule, says: says.into() }
    }

    pub fn warns(rule: &'static str, path: &str, line: usize, says: impl Into<String>) -> Self {
        Self { severity: Severity::Warns, ..Self::fails(rule, path, line, says) }
    }

    pub fn as_json(&self) -> serde_json::Value {
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

pub fn failures(findings: &[Finding]) -> usize {
    findings.iter().filter(|finding| finding.severity == Severity::Fails).count()
}

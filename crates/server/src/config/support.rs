//! The settings of the support app: a row each, its departments, what they may not contradict, and what becomes of them.

use std::collections::BTreeMap;
use std::time::Duration;

use support::{AttachmentRules, Authority, Choice, DepartmentRule, Rules, is_department_name};

use super::fault::{Faults, Place};
use super::kind::{Form, Kind};
use super::rows::{HOUR, MINUTE, SECOND, bytes, count, span};
use super::schema::{Group, Row};
use super::settings::{Entry, Section, Settings};

const DAY: u64 = 24 * HOUR;

const DEPARTMENT: Form = Form { expected: "1 to 40 of A-Z a-z 0-9 _ -", holds: is_department_name };
const TITLE: Form = Form {
    expected: "a text of 1 to 100 characters",
    holds: |text| (1..=100).contains(&text.chars().count()),
};
/// As a message of the system may be.
const SAID: Form = Form {
    expected: "a text of 1 to 500 characters",
    holds: |text| (1..=500).contains(&text.chars().count()),
};
const MEDIA: Form = Form { expected: "a media type such as application/pdf, or image/*", holds: is_media };

const SILENCE: &str = "support.silence";
const WARNING: &str = "support.warning";

pub(super) const ROWS: &[Row] = &[
    Row::new(
        "support.authority",
        Kind::Choice(&["kulkul", "fleet"]),
        "kulkul",
        "Who decides what becomes of sessions: this server; or the team's own back end, by a broker, and then clients' words are handed to it.",
    ),
    Row::new(
        "support.silence",
        span(MINUTE, 7 * DAY),
        "30m",
        "A session whose customer says nothing to the agent's last word for so long is closed.",
    ),
    Row::new("support.warning", span(10 * SECOND, DAY), "5m", "So long before that the customer is told."),
    Row::new(
        "support.warning_text",
        Kind::Text(SAID),
        "This chat ends soon if nothing is said.",
        "What the customer is told then.",
    ),
    Row::new(
        "support.abandoned",
        span(MINUTE, 30 * DAY),
        "24h",
        "A session that waits is closed when its customer has not been there for so long.",
    ),
    Row::new(
        "support.reopen",
        span(0, 365 * DAY),
        "24h",
        "For so long after its end a customer may open a session again.",
    ),
    Row::new(
        "support.agent_gone",
        span(5 * SECOND, HOUR),
        "60s",
        "An agent whose connection has been gone for so long has left: who waits for their answer goes back to the head of the queue.",
    ),
    Row::new(
        "support.agent_unseen",
        span(MINUTE, HOUR),
        "5m",
        "An agent who works by HTTP alone has left when there was no heartbeat for so long.",
    ),
    Row::new(
        "support.agent_lost_text",
        Kind::Text(SAID),
        "Your agent has left. You are back at the head of the queue.",
        "What the customer is told when an agent has left.",
    ),
    Row::new(
        "support.attachment_types",
        Kind::Texts(MEDIA),
        "image/*,text/plain,application/pdf",
        "Media types that clients may attach, by reference.",
    ),
    Row::new("support.attachment_bytes_max", bytes(1, 1 << 40), "10MiB", "How large such a file may be."),
    Row::new(
        "support.retention_records",
        count(1000, 1_000_000_000),
        "100000",
        "Records kept of one session, and of one department.",
    ),
];

pub(super) const DEPARTMENTS: Group = Group {
    key: "support.departments",
    rows: &[
        Row::required("name", Kind::Text(DEPARTMENT), "As rooms and tokens name it: `support:dept:NAME`."),
        Row::without("title", Kind::Text(TITLE), "the name", "As people read it."),
        Row::new("sessions_max", count(1, 100), "5", "Sessions that one agent has here at a time."),
        Row::new(
            "choice",
            Kind::Choice(&["least_loaded", "round_robin"]),
            "least_loaded",
            "Which agent with a free place is next: the one with the fewest sessions, then the one who waited longest; or the latter at once.",
        ),
    ],
    reloads: false,
    entries_max: 200,
    by_default: &[],
    help: "Departments that sessions wait in; the first takes those who name none. Without any: one, `general`.",
};

#[derive(Clone)]
pub(crate) struct Support {
    pub rules: Rules,
    pub retention_records: u64,
}

fn is_media(text: &str) -> bool {
    let part = |part: &str| {
        !part.is_empty() && part.bytes().all(|b| b.is_ascii_alphanumeric() || b"!#$&-^_.+".contains(&b))
    };
    text.split_once('/').is_some_and(|(kind, rest)| part(kind) && (rest == "*" || part(rest)))
}

pub(super) fn check(settings: &Settings, faults: &mut Faults) {
    let top = &settings.top;
    let spans = top.maybe::<Duration>(WARNING).zip(top.maybe::<Duration>(SILENCE));
    if let Some((warning, silence)) = spans.filter(|(warning, silence)| warning >= silence) {
        let blamed = if top.is_said(WARNING) { WARNING } else { SILENCE };
        let (warning, silence) = (super::units::shown_span(warning), super::units::shown_span(silence));
        let says = format!(
            "`{WARNING}` = {warning} must be below `{SILENCE}` = {silence}, or customers are warned before they are silent"
        );
        faults.add(top.place(blamed), says);
    }
    let mut seen: BTreeMap<String, &Place> = BTreeMap::new();
    for entry in settings.entries("support.departments") {
        let Some(name) = entry.section.maybe::<String>("name") else { continue };
        let place = entry.section.place("name");
        match seen.get(&name) {
            Some(first) => {
                faults.add(place, format!("`name` = \"{name}\" is a department already ({first})"))
            }
            None => drop(seen.insert(name, place)),
        }
    }
}

pub(super) fn support(settings: &Settings) -> Support {
    let top = &settings.top;
    let departments = settings.entries("support.departments");
    let rules = Rules {
        authority: match top.get::<String>("support.authority").as_str() {
            "fleet" => Authority::Fleet,
            _ => Authority::Kulkul,
        },
        departments: match departments.is_empty() {
            true => Rules::default().departments,
            false => departments.iter().map(department).collect(),
        },
        silence_ms: millis(top, SILENCE),
        warning_ms: millis(top, WARNING),
        abandoned_ms: millis(top, "support.abandoned"),
        reopen_ms: millis(top, "support.reopen"),
        agent_gone_ms: millis(top, "support.agent_gone"),
        agent_unseen_ms: millis(top, "support.agent_unseen"),
        attachments: AttachmentRules {
            types: top.get("support.attachment_types"),
            bytes_max: top.get::<usize>("support.attachment_bytes_max") as u64,
        },
        agent_lost_text: top.get("support.agent_lost_text"),
        warning_text: top.get("support.warning_text"),
    };
    Support { rules, retention_records: top.get::<usize>("support.retention_records") as u64 }
}

fn millis(top: &Section, key: &str) -> i64 {
    i64::try_from(top.get::<Duration>(key).as_millis()).unwrap_or(i64::MAX)
}

fn department(entry: &Entry) -> DepartmentRule {
    let section = &entry.section;
    let name: String = section.get("name");
    DepartmentRule {
        title: section.maybe("title").unwrap_or_else(|| name.clone()),
        name,
        sessions_max: section.get("sessions_max"),
        choice: match section.get::<String>("choice").as_str() {
            "round_robin" => Choice::RoundRobin,
            _ => Choice::LeastLoaded,
        },
    }
}

#[cfg(test)]
mod tests {
    use support::{Choice, Rules};

    use super::super::read_text;

    #[test]
    fn what_holds_without_a_word_is_what_the_app_holds_by_itself() {
        let config = read_text("").expect("a config");
        assert_eq!(config.typed.support.rules, Rules::default());
    }

    #[test]
    fn departments_are_what_was_written() {
        let text = "[support]\nauthority = \"fleet\"\n[[support.departments]]\nname = \"a\"\n\
                    [[support.departments]]\nname = \"b\"\ntitle = \"B!\"\nsessions_max = 1\nchoice = \"round_robin\"";
        let rules = read_text(text).expect("a config").typed.support.rules;
        assert_eq!(rules.authority, support::Authority::Fleet);
        let [a, b] = &rules.departments[..] else { panic!("{:?}", rules.departments) };
        assert_eq!((&*a.name, &*a.title, a.sessions_max, a.choice), ("a", "a", 5, Choice::LeastLoaded));
        assert_eq!((&*b.name, &*b.title, b.sessions_max, b.choice), ("b", "B!", 1, Choice::RoundRobin));
    }

    #[test]
    fn what_does_not_fit_together_is_refused_with_its_line() {
        for (text, line, says) in [
            ("warning = \"30m\"", 2, "`support.warning` = 30m must be below `support.silence` = 30m"),
            ("silence = \"4m\"", 2, "must be below"),
            ("silence = \"10s\"", 2, "a span from 1m"),
            ("attachment_types = [\"png\"]", 2, "a media type"),
            ("[[support.departments]]\nname = \"a b\"", 3, "1 to 40 of"),
            ("[[support.departments]]\nname = \"a\"\nsessions_max = 0", 4, "a count from 1"),
            (
                "[[support.departments]]\nname = \"a\"\n[[support.departments]]\nname = \"a\"",
                5,
                "a department already",
            ),
        ] {
            let faults = read_text(&format!("[support]\n{text}\n")).err().map(|faults| faults.to_string());
            let told = faults.unwrap_or_else(|| panic!("accepted: {text}"));
            assert!(told.contains(&format!(": line {line}: ")) && told.contains(says), "{text}: {told}");
        }
    }
}

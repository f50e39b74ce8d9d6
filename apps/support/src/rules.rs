//! What the operator decides: who decides, which departments there are, how long things last, what may be attached. Read from
//! configuration once; no fold depends on it, so that two nodes with different files still have the same rooms.

use vocabulary::{Code, Refusal};

/// The configuration `[support]`. `Default` is what a server without it has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rules {
    pub authority: Authority,
    /// The first takes those who name none.
    pub departments: Vec<DepartmentRule>,
    /// A customer who lets the last word of the staff stand for so long has gone.
    pub silence_ms: i64,
    /// So long before that they are told.
    pub warning_ms: i64,
    /// Who waits, and has not been here for so long, has given up.
    pub abandoned_ms: i64,
    pub reopen_ms: i64,
    /// An agent whose desk is closed for so long has left.
    pub agent_gone_ms: i64,
    /// An agent who works without a desk, and has not been heard of for so long, has left.
    pub agent_unseen_ms: i64,
    pub attachments: AttachmentRules,
    /// What a customer is told whose agent has left, and who has been silent for long.
    pub agent_lost_text: String,
    pub warning_text: String,
}

/// Who says what becomes of a session.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Authority {
    #[default]
    Kulkul,
    /// The team's own back end, by a broker: clients' words are handed to it, and what it says is what is.
    Fleet,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DepartmentRule {
    pub name: String,
    pub title: String,
    /// Sessions that one agent has here at a time.
    pub sessions_max: u32,
    pub choice: Choice,
}

/// Which of the agents with a free place is next.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Choice {
    /// The one with the fewest sessions, then the one who waited longest.
    #[default]
    LeastLoaded,
    /// The one who waited longest.
    RoundRobin,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AttachmentRules {
    /// Media types; `image/*` stands for all of a kind.
    pub types: Vec<String>,
    pub bytes_max: u64,
}

const MINUTE_MS: i64 = 60_000;
const DAY_MS: i64 = 24 * 60 * MINUTE_MS;

impl Default for Rules {
    fn default() -> Rules {
        Rules {
            authority: Authority::default(),
            departments: vec![DepartmentRule::default()],
            silence_ms: 30 * MINUTE_MS,
            warning_ms: 5 * MINUTE_MS,
            abandoned_ms: DAY_MS,
            reopen_ms: DAY_MS,
            agent_gone_ms: MINUTE_MS,
            agent_unseen_ms: 5 * MINUTE_MS,
            attachments: AttachmentRules::default(),
            agent_lost_text: "Your agent has left. You are back at the head of the queue.".into(),
            warning_text: "This chat ends soon if nothing is said.".into(),
        }
    }
}

impl Default for DepartmentRule {
    fn default() -> DepartmentRule {
        DepartmentRule {
            name: "general".into(),
            title: "General".into(),
            sessions_max: 5,
            choice: Choice::default(),
        }
    }
}

impl Default for AttachmentRules {
    fn default() -> AttachmentRules {
        let types = ["image/*", "text/plain", "application/pdf"];
        AttachmentRules { types: types.map(String::from).to_vec(), bytes_max: 10 << 20 }
    }
}

impl AttachmentRules {
    /// `type/subtype`, without parameters. An image that may run scripts is allowed by its own name alone.
    pub(crate) fn allow(&self, media_type: &str) -> bool {
        let media = media_type.to_ascii_lowercase();
        let token = |part: &str| {
            let known = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$&-^_.+".contains(&byte);
            !part.is_empty() && part.bytes().all(known)
        };
        let is_one = media.split_once('/').is_some_and(|(kind, subtype)| token(kind) && token(subtype));
        is_one
            && self.types.iter().map(|allowed| allowed.to_ascii_lowercase()).any(|allowed| {
                match allowed.strip_suffix('*') {
                    Some(kind) => media.starts_with(kind) && media != SCRIPTED,
                    None => media == allowed,
                }
            })
    }
}

const SCRIPTED: &str = "image/svg+xml";

impl Rules {
    pub(crate) fn department(&self, name: &str) -> Option<&DepartmentRule> {
        self.departments.iter().find(|department| department.name == name)
    }

    /// The one that is named, or else the first.
    pub(crate) fn department_or_first(&self, name: Option<&str>) -> Result<&DepartmentRule, Refusal> {
        let found = match name {
            Some(name) => self.department(name),
            None => self.departments.first(),
        };
        found.ok_or_else(|| self.no_department(name.unwrap_or_default()))
    }

    pub(crate) fn no_department(&self, name: &str) -> Refusal {
        let names: Vec<&str> = self.departments.iter().map(|department| department.name.as_str()).collect();
        let names = names.join(", ");
        Refusal::new(
            Code::App("NOT_FOUND"),
            format!("department must be one of {names}, got {:?}", clipped(name, 40)),
        )
    }
}

/// A department's name, as configuration and rooms may have it.
pub fn is_department_name(name: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-');
    (1..=40).contains(&name.len()) && name.bytes().all(allowed)
}

/// What a text begins with, on one line.
pub(crate) fn clipped(text: &str, chars_max: usize) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).take(chars_max).collect()
}

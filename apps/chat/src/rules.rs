//! What the operator allows: how fast one may speak, who is a warden, who may join, speak and create where. Read from
//! configuration once; never from a room.

use vocabulary::RoomId;

/// The configuration `[chat]`. `Default` is what a server without it has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rules {
    /// Of one user in one room.
    pub messages_per_second: u32,
    /// So many may be said at once before the pace holds.
    pub burst: u32,
    /// Roles in tokens whose bearers may do everything everywhere but in rooms of two.
    pub wardens: Vec<String>,
    /// Messages older than this are shown no more, and what was changed of them is forgotten. 0: they are kept.
    pub retention_days: u32,
    /// The first whose pattern fits a room holds for it.
    pub rooms: Vec<RoomRule>,
}

/// Roles in tokens that may do something in the rooms of a pattern. An empty list: everybody.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RoomRule {
    /// A room's name, short or full; a `*` at the end stands for any rest.
    pub pattern: String,
    /// Durable members pass all the same: an owner's word stands above this list.
    pub join: Vec<String>,
    pub send: Vec<String>,
    pub create: Vec<String>,
}

/// What a rule may be about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Deed {
    Join,
    Send,
    Create,
}

impl Default for Rules {
    fn default() -> Rules {
        Rules {
            messages_per_second: 20,
            burst: 40,
            wardens: Vec::new(),
            retention_days: 0,
            rooms: Vec::new(),
        }
    }
}

impl Rules {
    pub(crate) fn is_warden(&self, role: Option<&str>) -> bool {
        role.is_some_and(|role| self.wardens.iter().any(|warden| warden == role))
    }

    /// Whether the bearer of such a role may.
    pub(crate) fn allow(&self, deed: Deed, room: &RoomId, role: Option<&str>) -> bool {
        let Some(rule) = self.rooms.iter().find(|rule| rule.fits(room)) else { return true };
        let roles = match deed {
            Deed::Join => &rule.join,
            Deed::Send => &rule.send,
            Deed::Create => &rule.create,
        };
        roles.is_empty() || role.is_some_and(|role| roles.iter().any(|allowed| allowed == role))
    }
}

impl RoomRule {
    fn fits(&self, room: &RoomId) -> bool {
        let fits = |name: &str| match self.pattern.strip_suffix('*') {
            Some(start) => name.starts_with(start),
            None => name == self.pattern,
        };
        fits(room.name()) || fits(room.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_rule_that_fits_holds() {
        let list = |roles: &[&str]| roles.iter().map(|role| (*role).to_owned()).collect::<Vec<_>>();
        let rule = |pattern: &str, join: &[&str], send: &[&str]| RoomRule {
            pattern: pattern.into(),
            join: list(join),
            send: list(send),
            ..RoomRule::default()
        };
        let rooms = vec![
            rule("team-a", &[], &["staff"]),
            rule("team-*", &["staff"], &[]),
            rule("chat:news", &[], &["press"]),
        ];
        let rules = Rules { rooms, ..Rules::default() };
        for (deed, room, role, allowed) in [
            (Deed::Join, "team-a", None, true),
            (Deed::Send, "team-a", None, false),
            (Deed::Send, "team-a", Some("staff"), true),
            (Deed::Join, "team-b", None, false),
            (Deed::Join, "team-b", Some("guest"), false),
            (Deed::Join, "team-b", Some("staff"), true),
            (Deed::Send, "news", None, false),
            (Deed::Send, "news", Some("press"), true),
            (Deed::Create, "news", None, true),
            (Deed::Join, "lobby", None, true),
        ] {
            assert_eq!(
                rules.allow(deed, &RoomId::new("chat", room), role),
                allowed,
                "{deed:?} {room} {role:?}"
            );
        }
    }
}

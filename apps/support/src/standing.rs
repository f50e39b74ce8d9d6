//! Who somebody is here, by their token alone: what of it a session or a department makes is theirs. It compares no rooms.

use vocabulary::{Caller, Code, Person, Refusal, RoomId, User, UserId};

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Role {
    /// Whoever has no other role.
    Customer,
    Agent,
    Supervisor,
    Admin,
    /// An API key, a broker, the room itself, another room.
    Backend,
}

/// A caller, as these rooms see one.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Who<'a> {
    pub role: Role,
    pub person: Option<&'a Person>,
    user: Option<&'a User>,
}

pub(crate) fn forbidden(text: impl Into<String>) -> Refusal {
    Refusal::new(Code::Forbidden, text.into())
}

impl<'a> Who<'a> {
    pub(crate) fn of(caller: &'a Caller) -> Who<'a> {
        let user = caller.user().map(|user| &**user);
        let role = match user.map(|user| user.role.as_deref()) {
            None => Role::Backend,
            Some(Some("agent")) => Role::Agent,
            Some(Some("supervisor")) => Role::Supervisor,
            Some(Some("admin")) => Role::Admin,
            Some(_) => Role::Customer,
        };
        Who { role, person: caller.author(), user }
    }

    pub(crate) fn id(&self) -> Option<&'a UserId> {
        self.person.map(|person| &person.id)
    }

    /// A back end that speaks in somebody's name is that somebody's back end, not they.
    pub(crate) fn is(&self, id: &UserId) -> bool {
        self.role != Role::Backend && self.id() == Some(id)
    }

    pub(crate) fn is_staff(&self) -> bool {
        self.role >= Role::Agent
    }

    /// Agents serve the departments that their tokens name; who is above them serves all, unless the token names some.
    pub(crate) fn serves(&self, department: &str) -> bool {
        let named = match self.user.and_then(|user| user.groups.as_ref()) {
            Some(groups) => groups.iter().any(|group| matches!(&**group, "*") || **group == *department),
            None => self.role >= Role::Supervisor,
        };
        self.is_staff() && named
    }

    /// Whether the token was made for this very room.
    pub(crate) fn is_bound_to(&self, room: &RoomId) -> bool {
        let patterns = self.user.and_then(|user| user.rooms.as_ref());
        patterns.is_some_and(|patterns| {
            patterns.iter().any(|pattern| **pattern == *room.as_str() || **pattern == *room.name())
        })
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    #[test]
    fn departments_are_the_ones_that_tokens_name() {
        for (role, groups, department, serves) in [
            (None, Some(vec!["a"]), "a", false),
            (Some("agent"), None, "a", false),
            (Some("agent"), Some(vec!["a", "b"]), "b", true),
            (Some("agent"), Some(vec!["a"]), "b", false),
            (Some("agent"), Some(vec!["*"]), "b", true),
            (Some("supervisor"), None, "b", true),
            (Some("supervisor"), Some(vec!["a"]), "b", false),
            (Some("admin"), None, "b", true),
            (Some("admin"), Some(vec![]), "b", false),
        ] {
            let person = Person { id: UserId::new("7"), name: "A".into() };
            let groups = groups.map(|groups| groups.into_iter().map(Arc::from).collect());
            let user = Arc::new(User { person, role: role.map(Arc::from), rooms: None, groups });
            let caller = Caller::Visitor { user };
            assert_eq!(Who::of(&caller).serves(department), serves, "{role:?} {department}");
        }
        assert!(Who::of(&Caller::Api { key: "k".into() }).serves("a"));
    }
}

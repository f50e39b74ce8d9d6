//! Decides what concerns rooms and people: creating, changing, membership, roles, moderation, erasure. It changes nothing.

use app::{Action, Decision, Fields, wrong};
use vocabulary::{Code, Now, Refusal, Touched, UserId};

use crate::people::Role;
use crate::records::{self, Access, Member, Settings, written};
use crate::standing::{Rank, Who, forbidden};
use crate::{Rules, State};

/// What fits a line on a screen, and a few.
const TITLE_CHARS_MAX: usize = 100;
const TOPIC_CHARS_MAX: usize = 500;
const NAME_CHARS_MAX: usize = 100;
/// Names out of tokens may be longer; of these, the beginning is kept.
const NAME_BYTES_MAX: usize = 128;
const REASON_CHARS_MAX: usize = 200;
/// They have to fit into one record; more are added one by one.
const CREATED_MEMBERS_MAX: usize = 500;
const SLOW_MODE_SECONDS_MAX: u64 = 21_600;
/// A year; longer is "until somebody unmutes".
const MUTE_SECONDS_MAX: u64 = 365 * 24 * 3600;

pub(crate) struct Ruling<'a> {
    pub rules: &'a Rules,
    pub now: Now,
    pub state: &'a State,
    pub who: Who<'a>,
}

pub(crate) fn clipped(name: &str) -> &str {
    let mut end = name.len().min(NAME_BYTES_MAX);
    while !name.is_char_boundary(end) {
        end -= 1;
    }
    &name[..end]
}

fn name_of(fields: &Fields<'_>) -> Result<Option<String>, Refusal> {
    Ok(fields.short_text("name", NAME_CHARS_MAX)?.map(|name| clipped(&name).to_owned()))
}

fn role_of(fields: &Fields<'_>) -> Result<Option<Role>, Refusal> {
    let Some(name) = fields.text("role")? else { return Ok(None) };
    let must = || wrong("role", "\"member\", \"moderator\" or \"owner\"", &format!("{name:?}"));
    Role::of(&name).map(Some).ok_or_else(must)
}

fn no_member() -> Refusal {
    Refusal::new(Code::App("NOT_FOUND"), "no such member")
}

fn waking(decision: Decision) -> Decision {
    Decision { wakes: true, ..decision }
}

impl Ruling<'_> {
    pub(crate) fn decide(&self, action: Action<'_>) -> Result<Decision, Refusal> {
        let fields = &Fields::of(action.payload)?;
        if self.state.pair.is_some() && action.kind != "erase_user" {
            return Err(forbidden(
                "a room of two is theirs as it is: it has no owner, no members and no moderators",
            ));
        }
        match action.kind {
            "create_room" => self.create(fields),
            "change_room" => self.change(fields),
            "delete_room" => {
                self.who.needs(Rank::Owner, "delete the room")?;
                let decision = Decision::record(records::ROOM_DELETED, b"{}".as_slice().into());
                Ok(waking(decision.touching(Touched::Everybody)))
            }
            "add_member" => self.add(fields),
            "remove_member" => self.remove(fields),
            "set_role" => self.set_role(fields),
            "mute_member" => self.mute(fields),
            "unmute_member" => {
                let id = self.moderated(fields, "unmute")?;
                let muted = self.state.people.muted(&id, self.now.wall).is_some();
                Ok(if muted { self.about(records::UNMUTED, Member::of(&id)) } else { Decision::nothing() })
            }
            "kick_member" => {
                let id = self.moderated(fields, "kick")?;
                Ok(self
                    .about(records::KICKED, self.reasoned(fields, &id)?)
                    .touching(Touched::Users(vec![id])))
            }
            "ban_member" => self.ban(fields),
            "unban_member" => {
                let id = self.moderated(fields, "unban")?;
                let banned = self.state.people.is_banned(&id);
                Ok(if banned { self.about(records::UNBANNED, Member::of(&id)) } else { Decision::nothing() })
            }
            "erase_user" => self.erase(fields),
            kind => Err(Refusal::new(Code::UnknownType, format!("unknown message type: {kind}"))),
        }
    }

    fn about(&self, kind: &'static str, member: Member) -> Decision {
        Decision::record(kind, written(&member))
    }

    fn reasoned(&self, fields: &Fields<'_>, id: &UserId) -> Result<Member, Refusal> {
        let reason = fields.short_text("reason", REASON_CHARS_MAX)?.map(|reason| reason.into_owned());
        Ok(Member { reason, ..Member::of(id) })
    }

    /// The settings as they would be.
    fn settings(&self, fields: &Fields<'_>) -> Result<Settings, Refusal> {
        let mut settings = self.state.settings.clone();
        if let Some(title) = fields.short_text("title", TITLE_CHARS_MAX)? {
            settings.title = title.into_owned();
        }
        if let Some(topic) = fields.short_text("topic", TOPIC_CHARS_MAX)? {
            settings.topic = topic.into_owned();
        }
        settings.access = match fields.text("access")?.as_deref() {
            None => settings.access,
            Some("open") => Access::Open,
            Some("private") => Access::Private,
            Some(other) => return Err(wrong("access", "\"open\" or \"private\"", &format!("{other:?}"))),
        };
        let seconds = fields.number("slow_mode_seconds", 0..=SLOW_MODE_SECONDS_MAX)?;
        if let Some(seconds) = seconds.and_then(|seconds| u32::try_from(seconds).ok()) {
            settings.slow_mode_seconds = seconds;
        }
        Ok(settings)
    }

    fn create(&self, fields: &Fields<'_>) -> Result<Decision, Refusal> {
        self.who.may_create(self.rules, &self.state.room)?;
        if self.state.created {
            let text = "this room was created already: change_room changes it";
            return Err(Refusal::new(Code::App("EXISTS"), text));
        }
        if self.state.said.count > 0 && self.who.rank < Rank::Warden {
            // Else whoever comes last to a room of many could own it.
            let text = "this room is in use without an owner: a warden or a back end may create it, or take another name";
            return Err(Refusal::new(Code::App("EXISTS"), text));
        }
        let settings = self.settings(fields)?;
        let mut members = Vec::new();
        for item in fields.list("members", CREATED_MEMBERS_MAX)? {
            let item = Fields::of_item("members", "id", item)?;
            let id = item.user("id")?;
            let name = name_of(&item)?.unwrap_or_else(|| clipped(id.as_str()).to_owned());
            if !self.who.is(&id) && members.iter().all(|(other, _)| *other != id) {
                members.push((id, name));
            }
        }
        let owner = self.who.person.map(|person| (&person.id, clipped(&person.name)));
        self.state.people.fits(members.iter().map(|(id, name)| (id, name.as_str())).chain(owner))?;
        let members = members.into_iter().map(|(id, name)| (id.to_string(), name)).collect();
        let touched = self.narrows(settings.access);
        let body = written(&records::Created { settings, members });
        Ok(waking(Decision::record(records::CREATED, body).touching(touched)))
    }

    /// Who may be in the room no more, if it is open to these from now on.
    fn narrows(&self, access: Access) -> Touched {
        match access {
            Access::Private if self.state.settings.access != Access::Private => Touched::Everybody,
            _ => Touched::NOBODY,
        }
    }

    fn change(&self, fields: &Fields<'_>) -> Result<Decision, Refusal> {
        self.who.needs(Rank::Moderator, "change the room")?;
        let settings = self.settings(fields)?;
        let now = &self.state.settings;
        if settings == *now {
            return Ok(Decision::nothing());
        }
        let listed = (&settings.title, settings.access) != (&now.title, now.access);
        let touched = self.narrows(settings.access);
        let decision = Decision::record(records::CHANGED, written(&settings)).touching(touched);
        Ok(Decision { wakes: listed, ..decision })
    }

    fn add(&self, fields: &Fields<'_>) -> Result<Decision, Refusal> {
        let id = fields.user("user_id")?;
        let role = role_of(fields)?;
        let own = self.who.rank < Rank::Owner && self.who.is(&id);
        let open = self.state.settings.access == Access::Open;
        if !(own && open && role.is_none_or(|role| role == Role::Member)) {
            self.who
                .needs(Rank::Owner, "add members (in an open room everybody adds themselves, as member)")?;
        }
        match (self.state.people.role(&id), role) {
            (None, _) => {}
            (Some(_), None) => return Ok(Decision::nothing()),
            (Some(is), Some(role)) if is == role => return Ok(Decision::nothing()),
            (Some(is), Some(_)) => {
                let text = format!("{id} is {} already: set_role changes it", is.name());
                return Err(Refusal::new(Code::App("EXISTS"), text));
            }
        }
        if self.state.people.is_banned(&id) {
            return Err(Refusal::new(
                Code::App("BANNED"),
                format!("{id} is banned: unban_member comes first"),
            ));
        }
        let own_name = self.who.person.filter(|person| person.id == id).map(|person| &*person.name);
        // What somebody is called here is what their token says, if they add themselves.
        let given = if own { None } else { name_of(fields)? };
        let name = given.unwrap_or_else(|| clipped(own_name.unwrap_or(id.as_str())).to_owned());
        self.state.people.fits([(&id, name.as_str())].into_iter())?;
        let role = Some(role.unwrap_or(Role::Member).name().to_owned());
        let member = Member { name: Some(name), role, ..Member::of(&id) };
        Ok(waking(self.about(records::MEMBER_ADDED, member).touching(Touched::Users(vec![id]))))
    }

    fn keeps_an_owner(&self, id: &UserId) -> Result<(), Refusal> {
        match self.who.rank < Rank::Warden && self.state.people.is_last_owner(id) {
            true => Err(forbidden("the last owner stays: make somebody else owner first")),
            false => Ok(()),
        }
    }

    fn remove(&self, fields: &Fields<'_>) -> Result<Decision, Refusal> {
        let id = fields.user("user_id")?;
        if !self.who.is(&id) {
            self.who.needs(Rank::Owner, "remove members")?;
        }
        if self.state.people.role(&id).is_none() {
            return Err(no_member());
        }
        self.keeps_an_owner(&id)?;
        if !self.who.is(&id) {
            self.who.above(self.state, &id, "remove")?;
        }
        let decision = self.about(records::MEMBER_REMOVED, Member::of(&id));
        Ok(waking(decision.touching(Touched::Users(vec![id]))))
    }

    fn set_role(&self, fields: &Fields<'_>) -> Result<Decision, Refusal> {
        let id = fields.user("user_id")?;
        self.who.needs(Rank::Owner, "change roles")?;
        let missing =
            || Refusal::new(Code::InvalidPayload, "role is required: \"member\", \"moderator\" or \"owner\"");
        let role = role_of(fields)?.ok_or_else(missing)?;
        let is = self.state.people.role(&id).ok_or_else(no_member)?;
        if is == role {
            return Ok(Decision::nothing());
        }
        self.keeps_an_owner(&id)?;
        if !self.who.is(&id) {
            self.who.above(self.state, &id, "change the role of")?;
        }
        let member = Member { role: Some(role.name().to_owned()), ..Member::of(&id) };
        Ok(waking(self.about(records::ROLE_CHANGED, member).touching(Touched::Users(vec![id]))))
    }

    /// Whom a moderator has before them.
    fn moderated(&self, fields: &Fields<'_>, what: &str) -> Result<UserId, Refusal> {
        let id = fields.user("user_id")?;
        self.who.needs(Rank::Moderator, what)?;
        self.who.above(self.state, &id, what)?;
        Ok(id)
    }

    fn mute(&self, fields: &Fields<'_>) -> Result<Decision, Refusal> {
        let id = self.moderated(fields, "mute")?;
        let seconds = fields.number("seconds", 1..=MUTE_SECONDS_MAX)?;
        self.state.people.may_mute(&id, self.now.wall)?;
        let seconds = seconds.and_then(|seconds| u32::try_from(seconds).ok());
        Ok(self.about(records::MUTED, Member { seconds, ..self.reasoned(fields, &id)? }))
    }

    fn ban(&self, fields: &Fields<'_>) -> Result<Decision, Refusal> {
        let id = self.moderated(fields, "ban")?;
        let member = self.reasoned(fields, &id)?;
        if self.state.people.is_banned(&id) {
            return Ok(Decision::nothing());
        }
        self.state.people.may_ban(&id)?;
        let wakes = self.state.people.role(&id).is_some();
        let decision = self.about(records::BANNED, member).touching(Touched::Users(vec![id]));
        Ok(Decision { wakes, ..decision })
    }

    fn erase(&self, fields: &Fields<'_>) -> Result<Decision, Refusal> {
        let id = fields.user("user_id")?;
        self.who.needs(Rank::Warden, "erase a user")?;
        if !self.state.changes.may_erase(&id) {
            let text = "a room has at most 1000 erased users: chat.retention_days ends the old ones, or delete the room";
            return Err(Refusal::new(Code::App("TOO_MANY_CHANGES"), text));
        }
        Ok(Decision { wakes: true, ..self.about(records::ERASED, Member::of(&id)) })
    }
}

//! The snapshot: JSON, with its version, because a person may have to read it one day. It keeps nothing that the state has
//! not, and is never above 1 MiB: each part has a share of it, beside its limits.

use std::borrow::Cow;

use app::UnknownFormat;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use vocabulary::{Epoch, Payload, Person, Position, RoomId, UserId, Wall};

use crate::State;
use crate::changes::{Change, Edit, Erased};
use crate::people::{Role, Someone, Untold};
use crate::records::{Settings, written};
use crate::said::Kept;

/// The second; the first had messages alone.
const VERSION: u32 = 2;

#[derive(Serialize, Deserialize)]
struct WirePerson<'a> {
    #[serde(borrow)]
    id: Cow<'a, str>,
    #[serde(borrow)]
    name: Cow<'a, str>,
}

#[derive(Serialize, Deserialize)]
struct SavedMessage<'a> {
    epoch: u64,
    offset: u64,
    at: i64,
    #[serde(borrow)]
    author: Option<WirePerson<'a>>,
    #[serde(borrow)]
    payload: &'a RawValue,
}

/// Epoch and offset, author, when edited and to what, reactions.
type SavedChange<'a> =
    (u64, u64, Option<String>, Option<i64>, Option<&'a RawValue>, Vec<(String, Vec<String>)>);
/// Id, name, role; what the inbox is to be told: the place of the epoch among `epochs`, offset, number.
type SavedSomeone = (String, String, Option<u8>, Option<(usize, u64, u32)>);

#[derive(Default, Serialize, Deserialize)]
struct Saved<'a> {
    version: u32,
    #[serde(borrow)]
    messages: Vec<SavedMessage<'a>>,
    #[serde(default)]
    settings: Settings,
    #[serde(default)]
    created: bool,
    #[serde(default)]
    created_by: Option<String>,
    #[serde(default)]
    deleted: bool,
    #[serde(default)]
    listed: bool,
    #[serde(default)]
    count: u64,
    /// The newest messages: for each the place of its epoch among `epochs`, its offset, its author's place, -1 without one.
    #[serde(default)]
    counted: Vec<i64>,
    #[serde(default)]
    authors: Vec<String>,
    #[serde(default)]
    epochs: Vec<u64>,
    /// When, epoch, offset.
    #[serde(default)]
    marks: Vec<(i64, u64, u64)>,
    #[serde(default)]
    from: (u64, u64),
    #[serde(default)]
    people: Vec<SavedSomeone>,
    #[serde(default)]
    banned: Vec<String>,
    #[serde(default)]
    muted: Vec<(String, Option<i64>)>,
    #[serde(default)]
    kicked: Vec<(String, i64)>,
    #[serde(default, borrow)]
    changed: Vec<SavedChange<'a>>,
    /// Epoch, the upper part of offsets, their lower parts.
    #[serde(default)]
    gone: Vec<(u64, u64, Vec<u16>)>,
    #[serde(default)]
    erased: Vec<(String, u64, u64, bool)>,
    #[serde(default)]
    slow: Vec<(String, i64)>,
}

fn at(epoch: u64, offset: u64) -> Position {
    Position { epoch: Epoch(epoch), offset }
}

fn id(user: &UserId) -> String {
    user.as_str().to_owned()
}

/// Where it stands in the list, at the end if it is new.
fn place<T: PartialEq>(list: &mut Vec<T>, item: T) -> usize {
    list.iter().position(|other| *other == item).unwrap_or_else(|| {
        list.push(item);
        list.len() - 1
    })
}

pub(crate) fn save(state: &State) -> Payload {
    let mut saved = Saved {
        version: VERSION,
        messages: state.said.recent.iter().filter_map(message).collect(),
        settings: state.settings.clone(),
        created: state.created,
        created_by: state.created_by.as_ref().map(id),
        deleted: state.deleted,
        listed: state.listed,
        count: state.said.count,
        marks: state.said.marks.iter().map(|(when, at)| (when.0, at.epoch.0, at.offset)).collect(),
        from: (state.said.from.epoch.0, state.said.from.offset),
        banned: state.people.banned().map(id).collect(),
        muted: state.people.mutes().map(|(user, until)| (id(user), until.map(|until| until.0))).collect(),
        kicked: state.people.kicks().map(|(user, until)| (id(user), until.0)).collect(),
        changed: state.changes.changed().map(changed).collect(),
        erased: state
            .changes
            .erased()
            .map(|(user, Erased { upto, swept })| (id(user), upto.epoch.0, upto.offset, swept))
            .collect(),
        slow: state.slow.iter().map(|(user, at)| (id(user), at.0)).collect(),
        ..Saved::default()
    };
    for (epoch, block, lows) in state.changes.deleted().blocks() {
        saved.gone.push((epoch.0, block, lows.iter().copied().collect()));
    }
    let mut authors = std::collections::BTreeMap::new();
    for (position, author) in state.said.counted() {
        let author = author.map_or(-1, |author| {
            let next = authors.len() as i64;
            *authors.entry(author).or_insert_with(|| {
                saved.authors.push(id(author));
                next
            })
        });
        let epoch = place(&mut saved.epochs, position.epoch.0) as i64;
        saved.counted.extend([epoch, i64::try_from(position.offset).unwrap_or(i64::MAX), author]);
    }
    for (user, someone) in state.people.known() {
        let untold = someone.untold.map(|untold| {
            let epoch = place(&mut saved.epochs, untold.position.epoch.0);
            (epoch, untold.position.offset, untold.number)
        });
        let role = someone.role.map(|role| role as u8);
        saved.people.push((id(user), (*someone.name).to_owned(), role, untold));
    }
    written(&saved)
}

fn message(kept: &Kept) -> Option<SavedMessage<'_>> {
    let author = |who: &Person| WirePerson { id: id(&who.id).into(), name: who.name.to_string().into() };
    Some(SavedMessage {
        epoch: kept.position.epoch.0,
        offset: kept.position.offset,
        at: kept.at.0,
        author: kept.author.as_ref().map(author),
        payload: serde_json::from_slice(&kept.payload).ok()?,
    })
}

fn changed((at, change): (Position, &Change)) -> SavedChange<'_> {
    let edit = change.edit.as_ref();
    let users =
        |(reaction, users): &(String, Vec<UserId>)| (reaction.clone(), users.iter().map(id).collect());
    (
        at.epoch.0,
        at.offset,
        change.author.as_ref().map(id),
        edit.map(|edit| edit.at.0),
        edit.and_then(|edit| serde_json::from_slice(&edit.payload).ok()),
        change.reactions.iter().map(users).collect(),
    )
}

pub(crate) fn load(room: &RoomId, bytes: &Payload) -> Result<State, UnknownFormat> {
    let saved: Saved<'_> =
        serde_json::from_slice(bytes).map_err(|error| UnknownFormat(format!("chat snapshot: {error}")))?;
    if !(1..=VERSION).contains(&saved.version) {
        return Err(UnknownFormat(format!("chat snapshot of version {}", saved.version)));
    }
    let mut state = State::new(room);
    if saved.version > 1 {
        state.settings = saved.settings;
    }
    (state.created, state.deleted, state.listed) = (saved.created, saved.deleted, saved.listed);
    state.created_by = saved.created_by.as_deref().map(UserId::new);
    state.said.count = saved.count;
    state.said.marks =
        saved.marks.iter().map(|(when, epoch, offset)| (Wall(*when), at(*epoch, *offset))).collect();
    state.said.from = at(saved.from.0, saved.from.1);
    for message in saved.messages {
        let author = message.author.map(|who| Person { id: UserId::new(&who.id), name: (&*who.name).into() });
        // The first version counted nothing; what it kept is what there is to count.
        if saved.version == 1 {
            state.said.count += 1;
            state.said.count_in(at(message.epoch, message.offset), author.as_ref().map(|author| &author.id));
        }
        state.said.keep(Kept {
            position: at(message.epoch, message.offset),
            at: Wall(message.at),
            author,
            payload: Payload::copy_from_slice(message.payload.get().as_bytes()),
        });
    }
    let epoch = |place: usize| saved.epochs.get(place).copied().unwrap_or_default();
    let authors: Vec<UserId> = saved.authors.iter().map(|author| UserId::new(author)).collect();
    for counted in saved.counted.chunks_exact(3) {
        let number = |value: i64| usize::try_from(value).unwrap_or(usize::MAX);
        let position = at(epoch(number(counted[0])), counted[1].unsigned_abs());
        state.said.count_in(position, authors.get(number(counted[2])));
    }
    load_people(&mut state, saved.people, &saved.epochs);
    for user in saved.banned {
        state.people.restore_ban(&UserId::new(&user));
    }
    for (user, until) in saved.muted {
        state.people.mute(&UserId::new(&user), until.map(Wall), Wall(i64::MIN));
    }
    for (user, until) in saved.kicked {
        state.people.kick(&UserId::new(&user), Wall(until), Wall(i64::MIN));
    }
    for (user, epoch, offset, swept) in saved.erased {
        state.changes.erase(&UserId::new(&user), Erased { upto: at(epoch, offset), swept });
    }
    for (epoch, offset, author, edited, payload, reactions) in saved.changed {
        let edit = edited.zip(payload).map(|(when, payload)| Edit {
            at: Wall(when),
            payload: Payload::copy_from_slice(payload.get().as_bytes()),
        });
        let users = |users: Vec<String>| users.iter().map(|user| UserId::new(user)).collect();
        let reactions = reactions.into_iter().map(|(reaction, by)| (reaction, users(by))).collect();
        let change = Change { author: author.as_deref().map(UserId::new), edit, reactions };
        state.changes.put(at(epoch, offset), change);
    }
    for (epoch, block, lows) in saved.gone {
        for low in lows {
            state.changes.delete(at(epoch, block << 16 | u64::from(low)));
        }
    }
    for (user, when) in saved.slow {
        state.slow.spoke(u32::MAX, &UserId::new(&user), Wall(when));
    }
    Ok(state)
}

fn load_people(state: &mut State, people: Vec<SavedSomeone>, epochs: &[u64]) {
    for (user, name, role, untold) in people {
        let untold = untold.map(|(place, offset, number)| Untold {
            position: at(epochs.get(place).copied().unwrap_or_default(), offset),
            number,
        });
        let role = role.and_then(|role| Role::ALL.get(usize::from(role)).copied());
        state.people.restore(UserId::new(&user), Someone { name: name.into(), role, untold });
    }
}

//! What was traced, as it is kept: some sixty bytes in a row, with its texts in it, so that nothing is held in memory by its name
//! being remembered.

use std::borrow::Cow;

use vocabulary::{ConnectionId, Epoch, Happening, Position, ShardId, Traced, Wall, Why};

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Event<'a> {
    pub at: Wall,
    pub connection: ConnectionId,
    pub what: What,
    pub cursor: Option<Position>,
    /// Of a close.
    pub code: u16,
    /// Empty: nobody, or no room.
    pub user: &'a str,
    pub room: &'a str,
    pub why: Cow<'a, str>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum What {
    Joined,
    Behind,
    Live,
    Left,
    Closed,
    Ended,
}

const ALL: [What; 6] = [What::Joined, What::Behind, What::Live, What::Left, What::Closed, What::Ended];

impl What {
    pub(super) fn word(self) -> &'static str {
        match self {
            What::Joined => "joined",
            What::Behind => "behind",
            What::Live => "live",
            What::Left => "left",
            What::Closed => "closed",
            What::Ended => "ended",
        }
    }
}

impl<'a> Event<'a> {
    pub(super) fn of(traced: &'a Traced) -> Event<'a> {
        let Traced { at, connection, user, what } = traced;
        let user = user.as_ref().map_or("", |user| user.as_str());
        let event = |what, room, cursor, why| Event {
            at: *at,
            connection: *connection,
            what,
            cursor,
            code: 0,
            user,
            room,
            why,
        };
        match what {
            Happening::Joined { room, how, cursor } => {
                event(What::Joined, room.as_str(), Some(*cursor), (*how).into())
            }
            Happening::Behind { room, cursor } => {
                event(What::Behind, room.as_str(), Some(*cursor), "".into())
            }
            Happening::Live { room, cursor } => event(What::Live, room.as_str(), Some(*cursor), "".into()),
            Happening::Left { room, cursor, why } => {
                let why = match why {
                    Why::Asked => "asked".into(),
                    Why::ConnectionEnded => "connection ended".into(),
                    Why::Refused(code) => format!("refused: {}", spelled(*code)).into(),
                };
                event(What::Left, room.as_str(), *cursor, why)
            }
            Happening::Closed { code, words } => {
                Event { code: *code, ..event(What::Closed, "", None, words.as_ref().into()) }
            }
            Happening::Ended => event(What::Ended, "", None, "".into()),
        }
    }

    pub(super) fn write(&self, out: &mut Vec<u8>) {
        let Event { at, connection, what, cursor, code, user, room, why } = self;
        out.extend_from_slice(&at.0.to_le_bytes());
        out.extend_from_slice(&connection.shard.0.to_le_bytes());
        out.extend_from_slice(&connection.slot.to_le_bytes());
        out.extend_from_slice(&connection.generation.to_le_bytes());
        out.extend([*what as u8, u8::from(cursor.is_some())]);
        match (cursor, what) {
            (Some(Position { epoch, offset }), _) => {
                out.extend_from_slice(&epoch.0.to_le_bytes());
                out.extend_from_slice(&offset.to_le_bytes());
            }
            (None, What::Closed) => out.extend_from_slice(&code.to_le_bytes()),
            (None, _) => {}
        }
        for text in [user, room, why.as_ref()] {
            // Names are bounded far below that where they enter, and reasons are ours.
            let text = &text[..text.floor_char_boundary(u8::MAX.into())];
            out.push(text.len() as u8);
            out.extend_from_slice(text.as_bytes());
        }
    }

    /// What it begins with.
    pub(super) fn at(bytes: [u8; 8]) -> Wall {
        Wall(i64::from_le_bytes(bytes))
    }

    /// Off the front of the bytes. None: they end within it.
    pub(super) fn read(bytes: &mut &'a [u8]) -> Option<Event<'a>> {
        let at = Event::at(number(bytes)?);
        let shard = ShardId(u16::from_le_bytes(number(bytes)?));
        let (slot, generation) = (u32::from_le_bytes(number(bytes)?), u32::from_le_bytes(number(bytes)?));
        let [what, has_cursor] = number(bytes)?;
        let what = *ALL.get(usize::from(what))?;
        let (mut cursor, mut code) = (None, 0);
        if has_cursor == 1 {
            let epoch = Epoch(u64::from_le_bytes(number(bytes)?));
            cursor = Some(Position { epoch, offset: u64::from_le_bytes(number(bytes)?) });
        } else if what == What::Closed {
            code = u16::from_le_bytes(number(bytes)?);
        }
        let connection = ConnectionId { shard, slot, generation };
        let (user, room, why) = (text(bytes)?, text(bytes)?, text(bytes)?.into());
        Some(Event { at, connection, what, cursor, code, user, room, why })
    }
}

fn number<const N: usize>(bytes: &mut &[u8]) -> Option<[u8; N]> {
    bytes.split_off(..N)?.try_into().ok()
}

fn text<'a>(bytes: &mut &'a [u8]) -> Option<&'a str> {
    let [length] = number(bytes)?;
    std::str::from_utf8(bytes.split_off(..length.into())?).ok()
}

/// `RateLimit` as people write it.
fn spelled(code: vocabulary::Code) -> String {
    let mut words = String::new();
    for letter in format!("{code:?}").chars() {
        if letter.is_uppercase() && !words.is_empty() {
            words.push(' ');
        }
        words.extend(letter.to_lowercase());
    }
    words
}

//! How long messages took from their sender to those who heard them, read from a history whose clients all have one clock.

use std::collections::HashMap;
use std::ops::Range;

use crate::history::{Event, History};

/// In milliseconds, of what was sent within this time from one of these clients to another. What was late because one of them was away
/// counts too: whoever asks names those who were there.
pub(crate) fn of(history: &History, sent_within: &Range<u32>, among: impl Fn(usize) -> bool) -> Vec<u64> {
    let events =
        || history.diaries.iter().enumerate().flat_map(|(who, it)| it.events.iter().map(move |at| (who, at)));
    let sent: HashMap<_, u32> = events()
        .filter_map(|(who, noted)| match noted.event {
            Event::Sent { id, .. } if sent_within.contains(&noted.at) && among(who) => Some((id, noted.at)),
            _ => None,
        })
        .collect();
    let heard = events().filter(|(who, _)| among(*who));
    heard
        .filter_map(|(_, noted)| match noted.event {
            Event::Received { id, .. } => Some(u64::from(noted.at.saturating_sub(*sent.get(&id)?))),
            _ => None,
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::history::{Diary, Epoch, Id, Noted, Position};

    #[test]
    fn a_delay_is_from_the_sender_to_each_who_heard() {
        let id = Id { sender: 0, number: 1 };
        let position = Position { epoch: Epoch(0), offset: 1 };
        let diary = |at, event| Diary { events: vec![Noted { at, event }], live: true };
        let heard = Event::Received { room: 0, id, position };
        let diaries = vec![diary(10, Event::Sent { room: 0, id }), diary(15, heard), diary(40, heard)];
        let history = History { diaries, ..History::default() };
        assert_eq!(of(&history, &(0..20), |_| true), [5, 30]);
        assert_eq!(of(&history, &(0..20), |who| who != 2), [5]);
        assert!(of(&history, &(11..20), |_| true).is_empty());
    }
}

//! Encoded bytes waiting for one socket. Frames are shared; an idle outbox holds nothing; what happens when it is full
//! is the delivery's class.

use std::collections::VecDeque;
use std::rc::Rc;

use vocabulary::{Class, Tick};

use crate::limits::Limits;

pub(crate) type Frame = Rc<[u8]>;

struct Queued {
    frame: Frame,
    class: Class,
    /// Several messages may stand in a row in one shared piece.
    messages: u32,
}

/// The first frame stands by itself: most queues never hold a second one.
#[derive(Default)]
struct Queue {
    first: Option<Queued>,
    rest: VecDeque<Queued>,
    bytes: usize,
    messages: usize,
    /// Of the first frame.
    written: usize,
}

/// Queues that were emptied, kept for the next outbox that needs one: a broadcast would else allocate and free one per
/// member and turn.
#[derive(Default)]
#[expect(
    clippy::vec_box,
    reason = "the boxes themselves go back and forth, so that an idle outbox is one word"
)]
pub(crate) struct Spare {
    queues: Vec<Box<Queue>>,
    /// Bytes that wait in all outboxes of the shard: whatever changes one has this at hand.
    waiting_bytes: usize,
}

impl Spare {
    pub(crate) fn waiting_bytes(&self) -> usize {
        self.waiting_bytes
    }

    fn went(&mut self, before: usize, now: usize) {
        self.waiting_bytes = (self.waiting_bytes + now) - before;
    }
}

/// As many as one turn flushes; a queue that grew large is not kept.
const SPARE_MAX: usize = 1024;
const SPARE_FRAMES_MAX: usize = 64;

#[derive(Default)]
pub(crate) struct Outbox {
    queue: Option<Box<Queue>>,
    /// The socket took less than it was given, and nothing since.
    pub(crate) blocked_since: Option<Tick>,
    /// Stands on the shard's list of sockets to flush.
    pub(crate) dirty: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub(crate) enum Pushed {
    Queued,
    /// A record found no place: its member goes on catching up.
    Behind,
    /// A signal found no place, which is what signals are for; or there were too many newest words to keep each.
    Dropped,
    /// Not even an answer found a place.
    TooSlow,
}

impl Outbox {
    pub(crate) fn is_empty(&self) -> bool {
        self.queue.is_none()
    }

    pub(crate) fn push(
        &mut self,
        spare: &mut Spare,
        frame: Frame,
        messages: u32,
        class: Class,
        limits: &Limits,
    ) -> Pushed {
        let queue = self.queue.get_or_insert_with(|| spare.queues.pop().unwrap_or_default());
        let (frames, bytes) = (queue.messages, queue.bytes + frame.len());
        // A row that is longer than the outbox is taken by an empty one, or it would never be.
        let longer = frames + messages as usize > limits.outbox_frames_max;
        let full = frames > 0 && (longer || bytes > limits.outbox_bytes_max);
        match class {
            Class::Record if full => return Pushed::Behind,
            Class::Signal if full => return Pushed::Dropped,
            Class::Latest(_) if queue.replace(&frame, class) => {
                spare.went(bytes - frame.len(), queue.bytes);
                return Pushed::Queued;
            }
            Class::Latest(_) | Class::Control => {
                let frames_max = limits.outbox_frames_max + limits.reserve_frames_max;
                let bytes_max = limits.outbox_bytes_max + limits.reserve_bytes_max;
                if frames >= frames_max || (bytes > bytes_max && frames > 0) {
                    // Of what others do there can be any amount; whoever asks without reading is another matter.
                    return if class == Class::Control { Pushed::TooSlow } else { Pushed::Dropped };
                }
            }
            Class::Record | Class::Signal => {}
        }
        queue.bytes += frame.len();
        spare.went(0, frame.len());
        queue.messages += messages as usize;
        let queued = Queued { frame, class, messages };
        match queue.first {
            None => queue.first = Some(queued),
            Some(_) => queue.rest.push_back(queued),
        }
        Pushed::Queued
    }

    /// What the next write should carry, in `gathered` or, if one frame is large, in itself. Neighbours in a room have
    /// the same frames waiting; what was gathered for one is used for the next.
    pub(crate) fn gather<'a>(&'a self, gathered: &'a mut Gathered, bytes_max: usize) -> &'a [u8] {
        let Some(queue) = &self.queue else { return &[] };
        let Some(first) = &queue.first else { return &[] };
        if queue.rest.is_empty() || first.frame.len() - queue.written >= bytes_max {
            return &first.frame[queue.written..];
        }
        gathered.gather(queue, bytes_max)
    }

    /// Bytes that the socket took.
    pub(crate) fn wrote(&mut self, spare: &mut Spare, mut bytes: usize) {
        let Some(queue) = &mut self.queue else { return };
        let before = queue.bytes;
        queue.bytes = queue.bytes.saturating_sub(bytes);
        spare.went(before, queue.bytes);
        bytes += std::mem::take(&mut queue.written);
        while let Some(first) = &queue.first {
            if bytes < first.frame.len() {
                queue.written = bytes;
                return;
            }
            bytes -= first.frame.len();
            queue.messages -= first.messages as usize;
            queue.first = queue.rest.pop_front();
        }
        self.clear(spare);
    }

    /// Forgets what waits, but not the rest of a frame that has begun: behind it a close can still be understood.
    pub(crate) fn forget_unbegun(&mut self, spare: &mut Spare) {
        let Some(queue) = &mut self.queue else { return };
        if queue.written == 0 {
            return self.clear(spare);
        }
        let Some(first) = &queue.first else { return };
        let before = queue.bytes;
        queue.bytes = first.frame.len() - queue.written;
        spare.went(before, queue.bytes);
        queue.messages = first.messages as usize;
        queue.rest.clear();
    }

    pub(crate) fn clear(&mut self, spare: &mut Spare) {
        let Some(mut queue) = self.queue.take() else { return };
        spare.went(queue.bytes, 0);
        if spare.queues.len() < SPARE_MAX && queue.rest.capacity() <= SPARE_FRAMES_MAX {
            queue.first = None;
            queue.rest.clear();
            queue.bytes = 0;
            queue.messages = 0;
            queue.written = 0;
            spare.queues.push(queue);
        }
    }

    pub(crate) fn bytes(&self) -> usize {
        self.queue.as_ref().map_or(0, |queue| queue.bytes)
    }

    pub(crate) fn messages(&self) -> usize {
        self.queue.as_ref().map_or(0, |queue| queue.messages)
    }
}

impl Queue {
    fn frames(&self) -> impl Iterator<Item = &Queued> {
        self.first.iter().chain(&self.rest)
    }

    /// The newest of a key takes the place of the older, unless that is already being written; and goes behind whatever was
    /// queued since then that is not the newest of something itself: an answer tells of a time before it.
    fn replace(&mut self, frame: &Frame, class: Class) -> bool {
        let begun = usize::from(self.written > 0);
        let older = self.frames().skip(begun).position(|queued| queued.class == class);
        let Some(at) = older.map(|at| at + begun) else { return false };
        let alone = self.frames().skip(at + 1).all(|queued| matches!(queued.class, Class::Latest(_)));
        let place = match at {
            0 => self.first.as_mut(),
            _ => self.rest.get_mut(at - 1),
        };
        let Some(place) = place else { return false };
        self.bytes = self.bytes - place.frame.len() + frame.len();
        place.frame = frame.clone();
        if !alone {
            let newest = match at {
                0 => std::mem::replace(&mut self.first, self.rest.pop_front()),
                _ => self.rest.remove(at - 1),
            };
            self.rest.extend(newest);
        }
        true
    }
}

/// The bytes of several frames in a row, and which frames they are.
#[derive(Default)]
pub(crate) struct Gathered {
    bytes: Vec<u8>,
    frames: Vec<Frame>,
    skipped: usize,
}

impl Gathered {
    fn gather(&mut self, queue: &Queue, bytes_max: usize) -> &[u8] {
        if !self.is(queue) {
            self.bytes.clear();
            self.frames.clear();
            self.skipped = queue.written;
            for queued in queue.frames() {
                if !self.frames.is_empty() && self.bytes.len() + queued.frame.len() > bytes_max {
                    break;
                }
                let skip = if self.frames.is_empty() { queue.written } else { 0 };
                self.bytes.extend_from_slice(&queued.frame[skip..]);
                self.frames.push(queued.frame.clone());
            }
        }
        &self.bytes
    }

    /// The frames are kept alive here, so equal addresses mean equal frames.
    fn is(&self, queue: &Queue) -> bool {
        let same = |(mine, theirs): (&Frame, &Queued)| Rc::ptr_eq(mine, &theirs.frame);
        !self.frames.is_empty()
            && self.skipped == queue.written
            && self.frames.len() == 1 + queue.rest.len()
            && self.frames.iter().zip(queue.frames()).all(same)
    }

    /// Lets go of the frames: the turn is over.
    pub(crate) fn clear(&mut self) {
        self.frames.clear();
        self.bytes.clear();
        // One large write must not be remembered in memory for ever.
        self.bytes.shrink_to(64 << 10);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(text: &str) -> Frame {
        text.as_bytes().into()
    }

    fn tight() -> Limits {
        Limits { outbox_frames_max: 2, reserve_frames_max: 1, ..Limits::default() }
    }

    #[test]
    fn a_full_outbox_treats_each_class_by_its_rule() {
        let (mut outbox, mut spare, limits) = (Outbox::default(), Spare::default(), tight());
        for (text, class, expected) in [
            ("a", Class::Record, Pushed::Queued),
            ("b", Class::Latest(1), Pushed::Queued),
            ("c", Class::Record, Pushed::Behind),
            ("d", Class::Signal, Pushed::Dropped),
            ("e", Class::Latest(1), Pushed::Queued),
            ("f", Class::Control, Pushed::Queued),
            ("g", Class::Control, Pushed::TooSlow),
        ] {
            assert_eq!(outbox.push(&mut spare, frame(text), 1, class, &limits), expected, "{text}");
        }
        assert_eq!(outbox.gather(&mut Gathered::default(), 1 << 16), b"aef");
    }

    #[test]
    fn the_newest_never_comes_before_what_was_said_when_it_was_not_there_yet() {
        let (record, answer, state, other) =
            (Class::Record, Class::Control, Class::Latest(1), Class::Latest(2));
        for (pushed, written, expected) in [
            (&[("1", state), ("2", state)][..], 0, "2"),
            (&[("1", state), ("x", other), ("2", state)], 0, "2x"),
            (&[("1", state), ("a", record), ("2", state)], 0, "a2"),
            (&[("r", record), ("1", state), ("a", answer), ("x", other), ("2", state)], 0, "rax2"),
            (&[("1", state), ("a", record), ("2", state), ("3", state)], 1, "a3"),
        ] {
            let (mut outbox, mut spare, limits) = (Outbox::default(), Spare::default(), Limits::default());
            for (index, (text, class)) in pushed.iter().enumerate() {
                assert_eq!(outbox.push(&mut spare, frame(text), 1, *class, &limits), Pushed::Queued);
                if index == 0 && written > 0 {
                    outbox.wrote(&mut spare, written);
                }
            }
            let told = outbox.gather(&mut Gathered::default(), 1 << 16).to_vec();
            assert_eq!(String::from_utf8_lossy(&told), expected);
            assert_eq!((outbox.bytes(), outbox.messages()), (expected.len(), expected.len()));
            assert_eq!(spare.waiting_bytes(), outbox.bytes());
        }
    }

    #[test]
    fn partial_writes_go_on_where_they_stopped_and_an_empty_outbox_holds_nothing() {
        let (mut outbox, mut spare, limits) = (Outbox::default(), Spare::default(), Limits::default());
        for text in ["hello", "wide", "world"] {
            assert_eq!(outbox.push(&mut spare, frame(text), 1, Class::Record, &limits), Pushed::Queued);
        }
        let (mut gathered, mut wire) = (Gathered::default(), Vec::new());
        while !outbox.is_empty() {
            let bytes = outbox.gather(&mut gathered, 8);
            let taken = bytes.len().min(3);
            wire.extend_from_slice(&bytes[..taken]);
            outbox.wrote(&mut spare, taken);
        }
        assert_eq!(wire, b"hellowideworld");
        assert_eq!(outbox.bytes(), 0);
        assert_eq!(spare.waiting_bytes(), outbox.bytes());
    }

    #[test]
    fn what_is_being_written_is_not_replaced() {
        let (mut outbox, mut spare, limits) = (Outbox::default(), Spare::default(), Limits::default());
        assert_eq!(outbox.push(&mut spare, frame("old"), 1, Class::Latest(1), &limits), Pushed::Queued);
        outbox.wrote(&mut spare, 1);
        assert_eq!(outbox.push(&mut spare, frame("new"), 1, Class::Latest(1), &limits), Pushed::Queued);
        assert_eq!(outbox.gather(&mut Gathered::default(), 1 << 16), b"ldnew");
    }

    #[test]
    fn what_has_begun_is_finished_when_the_rest_is_forgotten() {
        for (begun, left) in [(0, "bye"), (1, "nebye"), (2, "ebye"), (3, "bye")] {
            let (mut outbox, mut spare, limits) = (Outbox::default(), Spare::default(), Limits::default());
            for text in ["one", "two", "three"] {
                assert_eq!(outbox.push(&mut spare, frame(text), 1, Class::Record, &limits), Pushed::Queued);
            }
            outbox.wrote(&mut spare, begun);
            outbox.forget_unbegun(&mut spare);
            assert_eq!(outbox.push(&mut spare, frame("bye"), 1, Class::Control, &limits), Pushed::Queued);
            assert_eq!(
                outbox.gather(&mut Gathered::default(), 1 << 16),
                left.as_bytes(),
                "{begun} bytes begun"
            );
            assert_eq!((outbox.bytes(), outbox.messages()), (left.len(), 1 + usize::from(left.len() > 3)));
            assert_eq!(spare.waiting_bytes(), outbox.bytes());
        }
    }

    #[test]
    fn neighbours_with_the_same_frames_share_what_was_gathered() {
        let (mut spare, limits, mut gathered) = (Spare::default(), Limits::default(), Gathered::default());
        let frames = [frame("one"), frame("two")];
        let mut outboxes = [Outbox::default(), Outbox::default(), Outbox::default()];
        for outbox in &mut outboxes {
            for frame in &frames {
                assert_eq!(outbox.push(&mut spare, frame.clone(), 1, Class::Record, &limits), Pushed::Queued);
            }
        }
        assert_eq!(outboxes[2].push(&mut spare, frame("three"), 1, Class::Record, &limits), Pushed::Queued);
        let first = outboxes[0].gather(&mut gathered, 1 << 16).as_ptr();
        assert_eq!(outboxes[1].gather(&mut gathered, 1 << 16), b"onetwo");
        assert_eq!(outboxes[1].gather(&mut gathered, 1 << 16).as_ptr(), first);
        assert_eq!(outboxes[2].gather(&mut gathered, 1 << 16), b"onetwothree");
    }
}

//! One direction of a byte stream between a client and a node: bounded, delayed, in order, and it may end early.

use std::collections::VecDeque;

use vocabulary::Tick;

#[derive(Debug)]
pub(crate) struct Pipe {
    chunks: VecDeque<(Tick, Vec<u8>)>,
    bytes: usize,
    capacity: usize,
    last: Tick,
    /// Nothing more comes after what is in the pipe.
    pub ended: bool,
}

impl Pipe {
    pub(crate) fn new(capacity: usize) -> Pipe {
        Pipe { chunks: VecDeque::new(), bytes: 0, capacity, last: Tick::default(), ended: false }
    }

    /// Takes what has room; answers how much, and when it can be read at the other end.
    pub(crate) fn write(&mut self, bytes: &[u8], arrives: Tick) -> (usize, Tick) {
        let taken = bytes.len().min(self.capacity.saturating_sub(self.bytes));
        self.last = self.last.max(arrives);
        if taken > 0 {
            self.chunks.push_back((self.last, bytes[..taken].to_vec()));
            self.bytes += taken;
        }
        (taken, self.last)
    }

    /// At most `most` bytes of what has arrived.
    pub(crate) fn read(&mut self, now: Tick, most: usize) -> Vec<u8> {
        let mut out = Vec::new();
        while let Some((at, chunk)) = self.chunks.front_mut()
            && *at <= now
            && out.len() < most
        {
            let wanted = most - out.len();
            if chunk.len() <= wanted {
                out.append(chunk);
                self.chunks.pop_front();
            } else {
                out.extend(chunk.drain(..wanted));
            }
        }
        self.bytes -= out.len();
        out
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.chunks.is_empty()
    }

    pub(crate) fn room(&self) -> usize {
        self.capacity.saturating_sub(self.bytes)
    }

    /// When the next bytes are there, or were.
    pub(crate) fn next(&self) -> Option<Tick> {
        self.chunks.front().map(|(at, _)| *at)
    }

    /// What is under way is lost.
    pub(crate) fn drop_all(&mut self) {
        self.chunks.clear();
        self.bytes = 0;
    }
}

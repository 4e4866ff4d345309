//! What waits to be sent in a session, by whichever transport: counted in frames and in bytes.

use std::collections::VecDeque;

use web::ws::Frame;

use crate::codec::engine::Part;

/// As much is given to a socket at a time: the rest waits where it is counted.
const BATCH_BYTES: usize = 64 * 1024;

#[derive(Debug, Default)]
pub(super) struct Queue {
    waiting: VecDeque<Frame>,
    bytes: usize,
}

impl Queue {
    pub(super) fn push(&mut self, frame: Frame) {
        self.bytes += frame.size();
        self.waiting.push_back(frame);
    }

    pub(super) fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    pub(super) fn frames(&self) -> usize {
        self.waiting.len()
    }

    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    /// Takes frames for a socket; none when nothing waits.
    pub(super) fn take_batch(&mut self) -> VecDeque<Frame> {
        if self.bytes <= BATCH_BYTES {
            return std::mem::take(self).waiting;
        }
        let mut batch = VecDeque::new();
        let mut bytes = 0;
        while bytes < BATCH_BYTES
            && let Some(frame) = self.pop()
        {
            bytes += frame.size();
            batch.push_back(frame);
        }
        batch
    }

    /// Takes frames for one payload: the first, and what fits beside it, up to `max_frames`.
    pub(super) fn take_payload(&mut self, max_frames: usize, max_bytes: usize) -> Vec<Frame> {
        let mut frames = Vec::new();
        let mut bytes = 0;
        while let Some(frame) = self.waiting.front().filter(|_| frames.len() < max_frames.max(1)) {
            bytes += part(frame, &frame.payload()).encoded_bytes();
            if bytes > max_bytes + 1 && !frames.is_empty() {
                break;
            }
            frames.extend(self.pop());
        }
        if self.is_empty() {
            // An idle session keeps no room.
            *self = Self::default();
        }
        frames
    }

    fn pop(&mut self) -> Option<Frame> {
        let frame = self.waiting.pop_front()?;
        self.bytes -= frame.size();
        Some(frame)
    }
}

/// A queued frame as a part of a payload; `payload` is that of the frame.
pub(in crate::engine) fn part<'a>(frame: &Frame, payload: &'a [u8]) -> Part<'a> {
    if frame.is_binary() { Part::Binary(payload) } else { Part::Text(payload) }
}

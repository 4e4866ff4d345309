//! What long-polling asks of a session: its polls and posts, one of each at a time.

use std::task::Waker;
use std::time::Instant;

use web::ws::Frame;

use super::Link;
use crate::engine::Protocol;
use crate::session::engine::{PollStep, Refusal};

/// What a poll is answered.
pub(in crate::engine) enum PollAnswer {
    /// These packets.
    Packets(Vec<Frame>),
    /// A refusal: a websocket carries the session now.
    Moved,
}

impl<P: Protocol> Link<P> {
    /// Begins to hold a poll.
    pub(in crate::engine) fn begin_poll(&self) -> Result<(), Refusal> {
        self.change(|state, now| {
            self.look(state, now, false);
            state.session.begin_poll(now)
        })
    }

    /// The answer of the held poll, or when to ask again if nothing wakes it before.
    pub(in crate::engine) fn poll_answer(&self, waker: &Waker) -> Result<PollAnswer, Option<Instant>> {
        let settings = &self.engine.settings;
        let mut state = self.lock();
        let answer = match state.session.poll_step(Instant::now(), !state.queue.is_empty()) {
            PollStep::Packets => {
                PollAnswer::Packets(state.queue.take_payload(settings.poll_packets, settings.max_payload))
            }
            PollStep::Noop => PollAnswer::Packets(vec![Frame::text("6")]),
            PollStep::Close => {
                // Nothing comes after it, so it has whatever fits.
                let mut last = state.queue.take_payload(usize::MAX, settings.max_payload);
                last.push(Frame::text("1"));
                PollAnswer::Packets(last)
            }
            PollStep::Moved => PollAnswer::Moved,
            PollStep::Hold(until) => {
                state.consumer = Some(waker.clone());
                return Err(until);
            }
        };
        state.session.end_poll();
        Ok(answer)
    }

    /// Begins to deal with a post.
    pub(in crate::engine) fn begin_post(&self) -> Result<(), Refusal> {
        self.change(|state, now| {
            self.look(state, now, false);
            let begun = state.session.begin_post();
            state.posting |= begun.is_ok();
            begun
        })
    }

    pub(in crate::engine) fn end_post(&self) {
        self.change(|state, now| {
            state.posting = false;
            state.session.end_post(now, &self.engine.settings.pace());
        });
    }

    /// Tells whether a poll may still come for the noop that follows a close packet.
    pub(in crate::engine) fn lingers(&self) -> bool {
        self.lock().session.lingers()
    }

    /// Lets no more poll come for that noop.
    pub(in crate::engine) fn forgive(&self) {
        self.change(|state, _| state.session.forgive());
    }
}
